//! The Ethernet controller of the LM3S6965 as a `smoltcp` device.
//!
//! The controller moves no memory by itself: 2 KiB of received frames (31 at most) wait in a FIFO that is
//! read a word at a time, and a frame to send is written the same way. In both directions the frame is
//! preceded by two bytes of length, so it starts in the middle of the first word. The two lengths do not
//! mean the same: a received one counts itself, the frame and its 4 bytes of checksum; a sent one counts
//! the payload alone, without the 14 bytes of Ethernet header.
//!
//! What does not fit the FIFO is lost, which is what TCP is for. After an overrun the controller's idea of
//! where frames begin may be wrong, so the FIFO is emptied.

use dubhook_core::random::Random;
use smoltcp::{
    phy::{self, Device, DeviceCapabilities, Medium},
    time::Instant,
    wire::EthernetAddress,
};
use static_cell::ConstStaticCell;

use crate::mmio::Register;

/// Bytes of the largest frame: 14 of header and 1,500 of payload, the checksum not counted.
pub const FRAME_BYTES_MAX: usize = 1_514;

const HEADER_BYTES: usize = 14;
const LENGTH_BYTES: usize = 2;
const CHECKSUM_BYTES: usize = 4;
/// Length field, frame and checksum, in whole words.
const BUFFER_BYTES: usize = (LENGTH_BYTES + FRAME_BYTES_MAX + CHECKSUM_BYTES).next_multiple_of(4);

macro_rules! registers {
    ($($(#[$doc:meta])* $name:ident: $address:literal;)*) => {
        // SAFETY: registers of the LM3S6965's Ethernet controller, which has no DMA, and of its flash
        // controller's two user words, which are only read.
        $($(#[$doc])* const $name: Register = unsafe { Register::at($address) };)*
    };
}

registers! {
    /// What happened; written, it forgets the written bits.
    INTERRUPTS: 0x4004_8000;
    INTERRUPT_MASK: 0x4004_8004;
    RECEIVE_CONTROL: 0x4004_8008;
    TRANSMIT_CONTROL: 0x4004_800C;
    /// Both FIFOs: a read takes from one, a write puts into the other.
    DATA: 0x4004_8010;
    ADDRESS_LOW: 0x4004_8014;
    ADDRESS_HIGH: 0x4004_8018;
    /// Frames that wait in the receive FIFO.
    FRAMES_WAITING: 0x4004_8034;
    /// Bit 0 starts sending what is in the transmit FIFO and stays set until it is out.
    TRANSMIT_REQUEST: 0x4004_8038;
    /// The board's own address, as its maker wrote it: three bytes in each of two words.
    USER_WORD_0: 0x400F_E1E0;
    USER_WORD_1: 0x400F_E1E4;
}

/// The interrupts: frame received, receive FIFO overrun, receive error.
const RECEIVED: u32 = 1 << 0;
const OVERRUN: u32 = 1 << 3;
const RECEIVE_ERROR: u32 = 1 << 4;

const RECEIVE_ENABLE: u32 = 1 << 0;
const RECEIVE_REFUSE_BAD_CHECKSUM: u32 = 1 << 3;
const RECEIVE_EMPTY_FIFO: u32 = 1 << 4;

const TRANSMIT_ENABLE: u32 = 1 << 0;
const TRANSMIT_PAD: u32 = 1 << 1;
const TRANSMIT_CHECKSUM: u32 = 1 << 2;
const TRANSMIT_FULL_DUPLEX: u32 = 1 << 4;

/// Room for one frame in each direction.
#[derive(Debug)]
struct Buffers {
    received: [u8; BUFFER_BYTES],
    transmit: [u8; BUFFER_BYTES],
}

static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers {
    received: [0; BUFFER_BYTES],
    transmit: [0; BUFFER_BYTES],
});

/// The controller, started. There is one, and [`Board::take`](crate::board::Board::take) hands it out.
#[derive(Debug)]
pub struct Ethernet {
    address: EthernetAddress,
    buffers: &'static mut Buffers,
    loss: Loss,
}

impl Ethernet {
    /// Starts the controller; `None` the second time.
    pub(crate) fn start() -> Option<Self> {
        let buffers = BUFFERS.try_take()?;
        let [a, b, c, _] = USER_WORD_0.read().to_le_bytes();
        let [d, e, f, _] = USER_WORD_1.read().to_le_bytes();
        ADDRESS_LOW.write(u32::from_le_bytes([a, b, c, d]));
        ADDRESS_HIGH.write(u32::from_le_bytes([e, f, 0, 0]));
        INTERRUPTS.write(u32::MAX);
        INTERRUPT_MASK.write(RECEIVED);
        RECEIVE_CONTROL.write(RECEIVE_EMPTY_FIFO);
        RECEIVE_CONTROL.write(RECEIVE_ENABLE | RECEIVE_REFUSE_BAD_CHECKSUM);
        TRANSMIT_CONTROL
            .write(TRANSMIT_ENABLE | TRANSMIT_PAD | TRANSMIT_CHECKSUM | TRANSMIT_FULL_DUPLEX);
        Some(Self {
            address: EthernetAddress([a, b, c, d, e, f]),
            buffers,
            loss: Loss {
                percent: 0,
                random: Random::new([0; 32]),
            },
        })
    }

    /// The board's address.
    #[must_use]
    pub fn address(&self) -> EthernetAddress {
        self.address
    }

    /// Loses `percent` of all frames from now on, in both directions and as `random` has it, to see what a
    /// program makes of a bad cable.
    pub fn lose(&mut self, percent: u8, random: Random) {
        self.loss = Loss { percent, random };
    }

    pub(crate) fn has_frame() -> bool {
        FRAMES_WAITING.read() != 0
    }

    pub(crate) fn acknowledge() {
        INTERRUPTS.write(RECEIVED);
    }

    /// Takes the next frame that can be used out of the FIFO. It then lies in the buffer, after the length,
    /// and its own length is what is returned.
    fn take_frame(&mut self) -> Option<usize> {
        while Self::has_frame() {
            if INTERRUPTS.read() & (OVERRUN | RECEIVE_ERROR) != 0 {
                INTERRUPTS.write(OVERRUN | RECEIVE_ERROR);
                RECEIVE_CONTROL.set(RECEIVE_EMPTY_FIFO);
                return None;
            }
            let len = read_frame(&mut self.buffers.received);
            if len.is_some() && !self.loss.strikes() {
                return len;
            }
        }
        None
    }
}

/// Reads one frame whole, and returns its length unless it is too short or too long to be one.
fn read_frame(buffer: &mut [u8; BUFFER_BYTES]) -> Option<usize> {
    let first = DATA.read().to_le_bytes();
    let [low, high, ..] = first;
    let counted = usize::from(u16::from_le_bytes([low, high]));
    let (words, _) = buffer.as_chunks_mut::<4>();
    let mut words = words.iter_mut();
    let mut word = Some(first);
    // Every word must be taken out, also of a frame that is too long to keep.
    let mut left = counted.div_ceil(4);
    while left > 0 {
        let value = word.take().unwrap_or_else(|| DATA.read().to_le_bytes());
        if let Some(place) = words.next() {
            *place = value;
        }
        left -= 1;
    }
    counted
        .checked_sub(LENGTH_BYTES + CHECKSUM_BYTES)
        .filter(|len| (HEADER_BYTES..=FRAME_BYTES_MAX).contains(len))
}

impl Device for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Transmit<'_>)> {
        if is_transmitting() {
            return None;
        }
        let len = self.take_frame()?;
        let frame = self
            .buffers
            .received
            .get(LENGTH_BYTES..LENGTH_BYTES + len)?;
        let transmit = Transmit {
            buffer: &mut self.buffers.transmit,
            loss: &mut self.loss,
        };
        Some((Received { frame }, transmit))
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        if is_transmitting() {
            return None;
        }
        Some(Transmit {
            buffer: &mut self.buffers.transmit,
            loss: &mut self.loss,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES_MAX;
        capabilities
    }
}

fn is_transmitting() -> bool {
    TRANSMIT_REQUEST.read() & 1 != 0
}

/// A frame that was received.
#[derive(Debug)]
pub struct Received<'a> {
    frame: &'a [u8],
}

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.frame)
    }
}

/// The right to send one frame.
#[derive(Debug)]
pub struct Transmit<'a> {
    buffer: &'a mut [u8; BUFFER_BYTES],
    loss: &'a mut Loss,
}

impl phy::TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        // `len` is at most the device's MTU, so the frame always gets all the room it asks for.
        let frame = LENGTH_BYTES..LENGTH_BYTES + len.min(FRAME_BYTES_MAX);
        let result = write(self.buffer.get_mut(frame.clone()).unwrap_or(&mut []));
        if self.loss.strikes() {
            return result;
        }
        let payload = len.saturating_sub(HEADER_BYTES) as u16;
        if let Some(length) = self.buffer.first_chunk_mut() {
            *length = payload.to_le_bytes();
        }
        let (words, _) = self.buffer.as_chunks::<4>();
        for word in words.iter().take(frame.end.div_ceil(4)) {
            DATA.write(u32::from_le_bytes(*word));
        }
        TRANSMIT_REQUEST.write(1);
        result
    }
}

/// A cable that loses some of what goes over it.
#[derive(Debug)]
struct Loss {
    percent: u8,
    random: Random,
}

impl Loss {
    fn strikes(&mut self) -> bool {
        self.percent > 0 && self.random.below(100) < u64::from(self.percent)
    }
}
