//! Nothing: what every program here weighs before it does anything.
#![no_std]
#![no_main]

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    dubhook_sizes::end(true)
}
