//! Who wants an event of a job.

use super::{Service, request_field};
use crate::{
    delivery::Target,
    endpoint::{self, Endpoint},
    event::Kind,
    slab::{Ix, Link, List, Slab},
};

impl Service<'_> {
    /// The lane of a job's callback: one of those behind the endpoints' lanes, by its host.
    pub(super) fn callback_lane(&mut self, ix: Ix) -> Link {
        let job = self.jobs.get(ix)?;
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let mut slashes = 0;
        'host: for piece in self.pool.field(&job.request, request_field::CALLBACK_URL) {
            for byte in piece {
                slashes += u32::from(*byte == b'/');
                if slashes == 3 {
                    break 'host;
                }
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        self.outbox.shared_lane(self.endpoints.capacity(), hash)
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

#[cfg(test)]
mod tests {
    extern crate std;
    use crate::{
        record::Keep,
        server::ServerStorage,
        service::{Attempt, Limits, NewJob, Output, Ready, Service, Words},
        time::{Instant, Now, Timestamp},
    };
    use std::{boxed::Box, format};

    const NOW: Now = Now {
        instant: Instant::ZERO,
        timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
    };

    fn submit(service: &mut Service<'_>, host: &str) {
        let callback = format!("http://{host}/");
        let new = NewJob {
            video_url: Words::Plain("https://v.test/1.mp4"),
            source_language: None,
            target_language: Words::Plain("es"),
            reference: None,
            callback_url: Some(Words::Plain(&callback)),
        };
        service.submit(NOW, &new).unwrap();
    }

    fn attempt(service: &mut Service<'_>) -> Option<Attempt> {
        match service.poll(NOW, Ready::ATTEMPTS, &mut []).unwrap() {
            Output::Attempt(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// Two hosts and two lanes for callbacks: whichever hosts they are, the one that does not answer costs the other
    /// one nothing; and there is one attempt at a time to a host of which nothing is known.
    #[test]
    fn callbacks_share_a_lane_only_where_there_are_more_hosts_than_lanes() {
        for port in 1..30 {
            let mut memory = Box::new(ServerStorage::<16, 2, 1, 8>::new());
            let memory = memory.lend(Keep::Nothing).service;
            let service = &mut Service::new(memory, Limits::DEVICE, [1; 32]).unwrap();
            for _ in 0..3 {
                submit(service, "silent.test");
            }
            assert!(attempt(service).is_some());
            assert!(attempt(service).is_none());
            submit(service, &format!("good.test:{port}"));
            assert!(attempt(service).is_some(), "{port}");
            submit(service, "another.test");
            assert!(attempt(service).is_none(), "all lanes are taken");
            assert_eq!(service.audit(), Ok(()));
        }
    }
}
