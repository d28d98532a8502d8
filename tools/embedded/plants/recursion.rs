//! Calls itself for each byte.

use core::hint::black_box;

pub(crate) fn plant(bytes: &[u8]) {
    if let [first, rest @ ..] = bytes {
        plant(rest);
        // Something to do afterwards, or the optimiser makes a loop of it.
        black_box(first);
    }
}
