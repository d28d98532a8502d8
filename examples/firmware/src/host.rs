//! The machine that the debugger runs on, reached by semihosting: lines of text go to its console, and
//! settings and the calendar come from it.
//!
//! Without a debugger (or QEMU with `-semihosting`) the first of these calls stops the processor.

use core::ptr;

use cortex_m_semihosting::{debug, hio, nr, syscall, syscall1};
use dubhook_core::{out::Out, time::Timestamp};

/// Bytes of a line, its end included; what is longer is cut off.
const LINE_BYTES_MAX: usize = 200;

/// Writes one line to the host's standard output, in one piece.
///
/// `write` fills in the line, without its end.
pub fn line(write: impl FnOnce(&mut Out<'_>)) {
    let mut memory = [0u8; LINE_BYTES_MAX];
    let room = LINE_BYTES_MAX - 1;
    let mut out = Out::new(memory.get_mut(..room).unwrap_or(&mut []));
    write(&mut out);
    let len = out.len();
    if let Some(end) = memory.get_mut(len) {
        *end = b'\n';
    }
    // Opening it again each time costs one call, and saves keeping a handle in a global.
    if let Ok(mut console) = hio::hstdout() {
        let _ = console.write_all(memory.get(..=len).unwrap_or(&[]));
    }
}

/// The host's calendar time, to the second; the epoch if the host does not say.
#[must_use]
pub fn calendar_time() -> Timestamp {
    // SAFETY: the call takes no memory of ours.
    let seconds = unsafe { syscall!(TIME) };
    Timestamp::from_unix_ms((seconds as u64).saturating_mul(1_000))
}

/// A file of the host, open for reading and writing.
#[derive(Debug, Clone, Copy)]
pub struct File(usize);

/// The host did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileError;

impl File {
    /// Opens the file at `path`, and makes it if there is none. A path has 127 bytes at most.
    ///
    /// # Errors
    ///
    /// [`FileError`] where the path is too long, or the host refuses.
    pub fn open(path: &str) -> Result<Self, FileError> {
        let mut name = [0u8; 128];
        let room = name.get_mut(..path.len()).ok_or(FileError)?;
        room.copy_from_slice(path.as_bytes());
        // The name ends with a zero.
        if path.len() == name.len() {
            return Err(FileError);
        }
        [nr::open::RW_BINARY, nr::open::RW_TRUNC_BINARY]
            .into_iter()
            // SAFETY: the call reads `path.len()` bytes of the name and the zero behind them.
            .map(|mode| unsafe { syscall!(OPEN, name.as_ptr(), mode, path.len()) })
            .find(|handle| *handle != usize::MAX)
            .map(Self)
            .ok_or(FileError)
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        // SAFETY: the call takes no memory of ours.
        unsafe { syscall!(FLEN, self.0) }
    }

    /// Fills `bytes` from the file, from its byte `at` on.
    ///
    /// # Errors
    ///
    /// [`FileError`] where the file ends before.
    pub fn read_at(&self, at: u32, bytes: &mut [u8]) -> Result<(), FileError> {
        self.seek(at)?;
        // SAFETY: the host writes into `bytes` alone.
        let missing = unsafe { syscall!(READ, self.0, bytes.as_mut_ptr(), bytes.len()) };
        if missing == 0 { Ok(()) } else { Err(FileError) }
    }

    /// Writes `bytes` into the file, from its byte `at` on.
    ///
    /// # Errors
    ///
    /// [`FileError`] where the host does not write them all.
    pub fn write_at(&self, at: u32, bytes: &[u8]) -> Result<(), FileError> {
        self.seek(at)?;
        // SAFETY: the host reads `bytes` alone.
        let missing = unsafe { syscall!(WRITE, self.0, bytes.as_ptr(), bytes.len()) };
        if missing == 0 { Ok(()) } else { Err(FileError) }
    }

    fn seek(&self, at: u32) -> Result<(), FileError> {
        // SAFETY: the call takes no memory of ours.
        match unsafe { syscall!(SEEK, self.0, at) } {
            0 => Ok(()),
            _ => Err(FileError),
        }
    }
}

/// Bytes of all settings together.
const SETTINGS_BYTES_MAX: usize = 320;

/// The words given to the program at its start: `-semihosting-config arg=…` of QEMU.
#[derive(Debug)]
pub struct Settings {
    memory: [u8; SETTINGS_BYTES_MAX],
    len: usize,
}

impl Settings {
    /// Asks the host for them. None given, or more than 319 bytes of them, is as good as empty.
    #[must_use]
    pub fn read() -> Self {
        let mut memory = [0u8; SETTINGS_BYTES_MAX];
        let mut block = [memory.as_mut_ptr().expose_provenance(), memory.len()];
        // SAFETY: the block names `memory` and its size, so the host writes into nothing else, and it
        // puts the length of the text into the block itself.
        let result = unsafe {
            syscall1(
                nr::GET_CMDLINE,
                ptr::from_mut(&mut block).expose_provenance(),
            )
        };
        let [_, len] = block;
        let len = if result == 0 { len } else { 0 };
        Self { memory, len }
    }

    /// The value of the first word `name=value`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let text = self.memory.get(..self.len)?;
        let text = text.split(|byte| *byte == 0).next()?;
        core::str::from_utf8(text)
            .ok()?
            .split(' ')
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// 32 bytes made from the setting `seed`, which the host draws afresh for each start.
    ///
    /// The board has no source of chance of its own; a real one would be asked here.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        let mut seed = [0u8; 32];
        for (ix, byte) in self.get("seed").unwrap_or("").bytes().enumerate() {
            if let Some(place) = seed.get_mut(ix % 32) {
                *place = place.rotate_left(3) ^ byte;
            }
        }
        seed
    }
}

/// Ends the program; QEMU then ends with status 0 or 1.
pub fn exit(success: bool) -> ! {
    debug::exit(if success {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    // Only a debugger that goes on regardless gets here.
    loop {
        cortex_m::asm::wfi();
    }
}
