//! What the programs share: a moment, input that the compiler knows nothing of, and the end.
#![no_std]

use core::hint::black_box;

use dubhook_core::{
    http::RecvBuf,
    time::{Instant, Now, Timestamp},
};
use dubhook_firmware::{board, host};

/// Milliseconds after the start as a moment on both clocks.
#[must_use]
pub fn at(ms: u64) -> Now {
    Now {
        instant: Instant::from_ms(ms),
        timestamp: Timestamp::from_unix_ms(1_795_510_800_000).after_ms(ms),
    }
}

/// Puts a message into `memory` as if it had been received.
pub fn received<'m>(text: &str, memory: &'m mut [u8]) -> RecvBuf<'m> {
    let bytes = black_box(text).as_bytes();
    let len = bytes.len().min(memory.len());
    for (to, from) in memory.iter_mut().zip(bytes) {
        *to = *from;
    }
    RecvBuf::new(memory, len)
}

/// Ends the program well if it did what it should, with how deep its stack has been.
pub fn end(done: bool) -> ! {
    host::line(|out| {
        out.put(b"stack bytes ");
        out.put_u64(board::stack_bytes_max() as u64);
    });
    host::exit(done)
}
