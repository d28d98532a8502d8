//! What must hold for any bytes: the bodies of the fuzz targets, which `cargo test` calls too, with the corpus in
//! `tests/fuzz/corpus` and with random bytes.
//!
//! Each target is a function from bytes to nothing that panics where something is wrong. What it checks beside the
//! absence of panics is said at each: mostly that two ways to the same end agree.

mod media;
mod messages;
mod records;
mod server;
mod values;

pub use media::media;
pub use messages::{requests, responses};
pub use records::records;
pub use server::server;
pub use values::{json, signatures, urls};

/// A fuzz target: what it is called, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("requests", requests),
    ("responses", responses),
    ("json", json),
    ("urls", urls),
    ("signatures", signatures),
    ("records", records),
    ("server", server),
    ("media", media),
];

/// Takes decisions out of bytes. When they run out, every decision is the first one.
#[derive(Debug, Clone, Copy)]
struct Script<'b> {
    bytes: &'b [u8],
}

impl<'b> Script<'b> {
    const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    const fn is_over(&self) -> bool {
        self.bytes.is_empty()
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        match end {
            0 | 1 => 0,
            2..=256 => usize::from(self.byte()) % end,
            _ => {
                let (high, low) = (self.byte(), self.byte());
                usize::from(u16::from_be_bytes([high, low])) % end
            }
        }
    }

    fn pick<'t, T>(&mut self, things: &'t [T]) -> Option<&'t T> {
        things.get(self.below(things.len()))
    }

    /// The next `len` bytes, or as many as there are.
    fn take(&mut self, len: usize) -> &'b [u8] {
        let (taken, rest) = self.bytes.split_at(len.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }
}
