//! A gate that must not hold: the check of the check.

use crate::Gate;

#[cfg(not(feature = "planted"))]
pub(crate) const GATES: &[Gate] = &[];

#[cfg(feature = "planted")]
pub(crate) const GATES: &[Gate] = &[index_out_of_bounds];

#[cfg(feature = "planted")]
fn index_out_of_bounds(world: &mut crate::world::World<'_>) {
    core::hint::black_box(world.bytes[usize::from(world.byte)]);
}
