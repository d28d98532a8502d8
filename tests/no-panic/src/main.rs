//! A program that links only if no panic is reachable from the core's public functions that take bytes
//! from outside. It is never run.
//!
//! Each gate calls some of these functions with arguments that the compiler knows nothing about, and hands
//! what comes out to [`black_box`](core::hint::black_box), so that nothing is computed beforehand or left
//! out. The panic handler refers to a symbol that does not exist: as long as the optimiser can show every
//! panic to be unreachable, the handler is dropped and the link succeeds.
//!
//! `tools/embedded/no-panic.sh` builds it, and names the places when it fails.
#![no_std]
#![no_main]

mod client;
mod machine;
#[cfg(feature = "planted")]
mod planted;
mod wire;
mod world;

use core::panic::PanicInfo;

use world::World;

type Gate = fn(&mut World<'_>);

#[used]
static GATES: &[&[Gate]] = &[
    wire::GATES,
    machine::GATES,
    client::GATES,
    #[cfg(feature = "planted")]
    planted::GATES,
];

/// Where the program would start.
// SAFETY: no other function of this program has that name.
#[unsafe(no_mangle)]
pub extern "C" fn start(world: &mut World<'_>) {
    // SAFETY: the reference comes from a static. Reading it in this way hides from the compiler which
    // gates there are, so it must keep each of them, for all arguments.
    let gates = unsafe { (&raw const GATES).read_volatile() };
    for gate in gates.iter().copied().flatten() {
        gate(world);
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn panic_path_left() -> !;
    }
    // SAFETY: with the feature `allow` it is the function below; without it there is none, and so no
    // program in which this is called.
    unsafe { panic_path_left() }
}

#[cfg(feature = "allow")]
mod allow {
    // SAFETY: no other function of this program has that name.
    #[unsafe(no_mangle)]
    #[inline(never)]
    extern "C" fn panic_path_left() -> ! {
        loop {
            core::hint::spin_loop();
        }
    }
}
