//! The log of attempts: the feature `lists`.

use super::{Attempted, Dispatcher, Event, Subjects};
use crate::{
    delivery::Settled,
    log::{AttemptError, Line},
    slab::Ix,
    time::{Now, Timestamp},
};

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
        self.add_line(settled.target.lane, line, answer);
    }

    /// Notes at `at` that an event gave way to its subject's ending, unless it was for a callback.
    pub(super) fn log_overtaken(
        &mut self,
        at: Timestamp,
        settled: &Settled<E>,
        subjects: &impl Subjects<E>,
    ) {
        let lane = settled.target.lane;
        let Some(event) = settled.event.filter(|_| !settled.target.callback) else {
            return;
        };
        let Some(id) = self.event_id(settled.subject, lane, &event, subjects) else {
            return;
        };
        let line = Line {
            at,
            event: id,
            kind: event.kind(),
            number: settled.number,
            error: AttemptError::Overtaken,
            ..Line::EMPTY
        };
        self.add_line(lane, line, &[]);
    }

    fn add_line(&mut self, lane: Ix, line: Line, answer: &[u8]) {
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
