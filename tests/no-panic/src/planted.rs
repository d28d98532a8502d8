//! Gates that must not hold: the check of the checks.

use core::hint::black_box;

use crate::{Gate, world::World};

pub(crate) const GATES: &[Gate] = &[index_out_of_bounds, recursion];

fn index_out_of_bounds(world: &mut World<'_>) {
    black_box(world.bytes[usize::from(world.byte)]);
}

fn recursion(world: &mut World<'_>) {
    count_down(world.byte);
}

fn count_down(left: u8) {
    if black_box(left) > 0 {
        count_down(left - 1);
        // Something to do afterwards, or the optimiser makes a loop of it.
        black_box(left);
    }
}
