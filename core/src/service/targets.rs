//! Who wants an event of a job.

use super::{Service, request_field};
use crate::{
    delivery::Target,
    endpoint::{self, Endpoint},
    event::Kind,
    slab::{Ix, Link, List, Slab},
};

impl Service<'_> {
    /// The lane of a job's callback: one of those behind the endpoints' lanes, by its host, so that a
    /// dead host holds up only those that share its lane.
    pub(super) fn callback_lane(&self, ix: Ix) -> Link {
        let job = self.jobs.get(ix)?;
        let endpoints = self.endpoints.capacity();
        let lanes = self.outbox.lanes_capacity().checked_sub(endpoints)?;
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let url = self.pool.field(&job.request, request_field::CALLBACK_URL);
        let mut slashes = 0;
        for byte in url.flatten() {
            slashes += u32::from(*byte == b'/');
            if slashes == 3 {
                break;
            }
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let lane = hash.checked_rem(lanes as u64)? as usize;
        Ix::new((endpoints + lane) as u32 + 1)
    }
}

/// Everyone who wants an event of a job.
pub(super) struct Targets<'s, 'a> {
    pub(super) endpoints: &'s Slab<'a, Endpoint>,
    pub(super) kind: Kind,
    pub(super) narrowed: Link,
    pub(super) for_all: Link,
    pub(super) callback: Link,
}

impl Iterator for Targets<'_, '_> {
    type Item = Target;

    fn next(&mut self) -> Option<Target> {
        if let Some(lane) = self.callback.take() {
            return Some(Target {
                lane,
                callback: true,
            });
        }
        loop {
            let at = if self.narrowed.is_some() {
                &mut self.narrowed
            } else {
                &mut self.for_all
            };
            let ix = (*at)?;
            *at = List::<{ endpoint::WANTING }>::next(self.endpoints, ix);
            let endpoint = self.endpoints.get(ix)?;
            if endpoint.is_enabled() && endpoint.filter.matches(self.kind) {
                return Some(Target {
                    lane: ix,
                    callback: false,
                });
            }
        }
    }
}
