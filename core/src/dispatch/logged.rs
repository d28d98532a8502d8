//! The log of attempts: the feature `lists`.

use super::{Attempted, Dispatcher, Event};
use crate::{delivery::Settled, log::Line, slab::Ix, time::Now};

impl<E: Event> Dispatcher<'_, E> {
    /// Notes an attempt to an endpoint, and how the receiver's answer began.
    pub(super) fn log_attempt(
        &mut self,
        now: Now,
        settled: &Settled<E>,
        attempted: &Attempted,
        answer: &[u8],
    ) {
        let (Some(event), Some(id)) = (settled.event, attempted.event) else {
            return;
        };
        let line = Line {
            at: now.timestamp,
            event: id,
            kind: event.kind(),
            number: attempted.number,
            error: attempted.error,
            status: attempted.status,
            duration_ms: attempted.duration_ms.try_into().unwrap_or(u32::MAX),
            answer_bytes: 0,
        };
        let lane = settled.target.lane;
        if let Some(endpoint) = self.endpoints.get_mut(lane) {
            self.log.add(lane, endpoint.logged, line, answer);
            endpoint.logged = endpoint.logged.wrapping_add(1);
        }
    }

    /// Line number `rank` of an endpoint's attempt log, 0 the newest, with how the receiver's answer began. With the
    /// feature `lists`.
    #[must_use]
    pub(crate) fn attempt_line(&self, endpoint: Ix, rank: usize) -> Option<(&Line, &[u8])> {
        let count = self.endpoints.get(endpoint)?.logged;
        self.log.newest(endpoint, count, rank)
    }
}
