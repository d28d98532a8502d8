//! Lanes that callbacks share: each is its host's while it owes that host something.
//!
//! A host begins at the place that its hash says and takes the lane that is its own already, or else the first one near
//! by that is free. Where none is, hosts share, and then a dead one holds up whoever shares its lane.

use core::num::NonZero;

use super::{Message, Outbox, lane::Pace};
use crate::slab::{Ix, Link};

/// How many lanes are looked at for a host.
const PROBES: usize = 8;

impl<E: Message> Outbox<'_, E> {
    /// The lane, of those from number `first` on (from 0), for callbacks to the host with this hash. It may be another
    /// one whenever nothing is owed to the host.
    pub(crate) fn shared_lane(&mut self, first: usize, host: u64) -> Link {
        let lanes = NonZero::new(self.lanes.capacity().checked_sub(first)?)?;
        let home = host.checked_rem(lanes.get() as u64)? as usize;
        let name = (host >> 32) as u32 | 1;
        let place = |step: usize| Ix::new((first + home.wrapping_add(step) % lanes) as u32 + 1);
        let mut free = None;
        for ix in (0..lanes.get().min(PROBES)).filter_map(place) {
            let lane = self.lanes.get(ix)?;
            if lane.host == name {
                return Some(ix);
            }
            if lane.live.is_empty() && lane.in_flight == 0 {
                free = free.or(Some(ix));
            }
        }
        let Some(ix) = free else {
            return place(0);
        };
        let lane = self.lanes.get_mut(ix)?;
        lane.host = name;
        lane.pace = Pace::New;
        lane.unreachable();
        self.forgive(ix);
        Some(ix)
    }
}
