//! Board support for the Stellaris LM3S6965 evaluation board, as QEMU emulates it (`lm3s6965evb`), and a
//! network that sans-IO machines can be put upon.
//!
//! The board was taken for its memory: a Cortex-M3 with 256 KiB of flash and 64 KiB of RAM is what a
//! device of this kind has, and the linker holds the programs to it. (`mps2-an385` has the better known
//! Ethernet controller, and 16 MiB of RAM that prove nothing.)
//!
//! - [`board`]: clock, time, the lamp, sleep
//! - [`host`]: lines of text to, and settings from, the machine that the debugger (or QEMU) runs on
//! - [`stellaris`]: the Ethernet controller as a `smoltcp` device
//! - [`net`]: TCP connections, shaped for a loop that feeds bytes to machines
//! - [`flash`]: a NOR flash chip, whose cells are a file of the host
//! - [`store`]: the records of a server in such a chip, batch by batch
//!
//! Nothing here allocates: there is no global allocator to link with.
#![no_std]

pub mod board;
mod fault;
pub mod flash;
pub mod host;
mod intrinsics;
mod mmio;
pub mod net;
pub mod stellaris;
#[cfg(feature = "records")]
pub mod store;
