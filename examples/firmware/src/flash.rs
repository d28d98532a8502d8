//! A NOR flash chip: 128 KiB that survive a reset and the loss of power.
//!
//! The board that QEMU emulates has no such chip beside its program flash, so the cells are a file of the
//! host. All else is as on a chip: an erased cell is all ones, an erase takes whole sectors, a write can
//! only clear bits, and what a write began before a power cut stays half done. A real board has the driver
//! of its chip in this place; nobody else knows the difference.

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::host::{File, FileError};

/// Bytes of the chip.
pub const FLASH_BYTES: u32 = 128 * 1_024;
/// Bytes that are erased at once.
pub const SECTOR_BYTES: u32 = 4_096;
/// Bytes that are written at once, and what a write's place and length are multiples of.
const WORD_BYTES: usize = 4;
/// Bytes that go over to the host in one call.
const PIECE_BYTES: usize = 64;

/// The chip.
///
/// A copy is the same chip: several areas of it may have an owner each.
#[derive(Debug, Clone, Copy)]
pub struct Flash(File);

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlashError {
    /// The place is not on the chip, or not at the start of a word or sector.
    Place,
    /// A bit that was cleared can only be set by an erase.
    NotErased,
    /// The chip does not answer.
    Chip,
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Place => NorFlashErrorKind::OutOfBounds,
            Self::NotErased | Self::Chip => NorFlashErrorKind::Other,
        }
    }
}

impl From<FileError> for FlashError {
    fn from(_: FileError) -> Self {
        Self::Chip
    }
}

impl Flash {
    /// The chip whose cells are the file at `path`. A new file is a chip fresh from the factory.
    ///
    /// # Errors
    ///
    /// [`FlashError::Chip`] where the host refuses.
    pub fn open(path: &str) -> Result<Self, FlashError> {
        let flash = Self(File::open(path)?);
        if flash.0.len_bytes() < FLASH_BYTES as usize {
            flash.erase_range(0, FLASH_BYTES)?;
        }
        Ok(flash)
    }

    fn erase_range(&self, from: u32, to: u32) -> Result<(), FlashError> {
        check_range(from, to, SECTOR_BYTES)?;
        for at in (from..to).step_by(PIECE_BYTES) {
            self.0.write_at(at, &[0xFF; PIECE_BYTES])?;
        }
        Ok(())
    }
}

fn check_range(from: u32, to: u32, unit: u32) -> Result<(), FlashError> {
    let whole = from.is_multiple_of(unit) && to.is_multiple_of(unit);
    if whole && from <= to && to <= FLASH_BYTES {
        Ok(())
    } else {
        Err(FlashError::Place)
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        Ok(self.0.read_at(offset, bytes)?)
    }

    fn capacity(&self) -> usize {
        FLASH_BYTES as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = SECTOR_BYTES as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        self.erase_range(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let to = offset.saturating_add(bytes.len() as u32);
        check_range(offset, to, WORD_BYTES as u32)?;
        let places = (offset..to).step_by(PIECE_BYTES);
        for (at, piece) in places.zip(bytes.chunks(PIECE_BYTES)) {
            let mut cells = [0; PIECE_BYTES];
            let cells = cells.get_mut(..piece.len()).unwrap_or_default();
            self.0.read_at(at, cells)?;
            if cells
                .iter()
                .zip(piece)
                .any(|(cell, bits)| bits & !cell != 0)
            {
                return Err(FlashError::NotErased);
            }
            self.0.write_at(at, piece)?;
        }
        Ok(())
    }
}

/// Zeros may be written over anything.
impl MultiwriteNorFlash for Flash {}
