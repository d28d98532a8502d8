//! Answers that are held until something happens.
//!
//! # Theory of operation
//!
//! A connection that waits for something to happen is *held*: it owes an answer, and hangs in the list of what it waits
//! for. Events are told in the service's [feed](crate::feed); once they are durable, the hub walks over those that it has
//! not seen and [names](Server::poll) the connections that wait for their jobs, which then look for themselves. Jobs
//! share lists by the number of their slot, so a connection may be named for nothing, and looks in vain.
//!
//! Workers that wait for a job hang in one list, and are called one at a time: see `work`.
//!
//! While it is held, [`drive`](Server::drive) asks for input, so that the driver notices when a client is gone. What a client
//! sends meanwhile stays in the buffer, and once that is full nothing more is received until the answer is out.
//!
//! A job is not forgotten before those are told who are held for it, though its room be wanted.
//!
//! Half of all connections may be held, so that others always get through.

use crate::{
    api::Problem,
    id::Id,
    out::Out,
    server::{
        ConnId, Drive, Server,
        conn::{HELD, Waiting},
        reply::{Reply, full},
    },
    slab::{Ix, Link, List},
    time::{Instant, Now},
};

/// The start of one list of held connections: what the caller lends a slice of. All zero is an empty list.
#[derive(Debug, Clone, Copy, zerocopy::FromZeros)]
pub(crate) struct Watch(List<HELD>);

impl Watch {
    /// A list with nothing in it: all zero.
    pub(crate) const EMPTY: Self = Self(List::EMPTY);
}

/// Who is held, and for what.
#[derive(Debug)]
pub(in crate::server) struct Held<'a> {
    /// Those who wait for one job, by its slot.
    watches: &'a mut [Watch],
    /// Streams of the events of all jobs.
    streams: List<HELD>,
    /// How many connections are held.
    count: usize,
    /// How many of them have a client that sends no more.
    half_closed: usize,
    /// How far in the feed those who wait have been told.
    pub(super) seen: u64,
    /// The batch that makes all durable that left the feed before they were told.
    missed: Option<u64>,
    /// Those who wait for work, first come first.
    pub(super) claims: List<HELD>,
    /// The one of them that was called because there is work, until it has looked.
    pub(super) called: Link,
}

impl<'a> Held<'a> {
    pub(in crate::server) const fn new(watches: &'a mut [Watch]) -> Self {
        Self {
            watches,
            streams: List::EMPTY,
            count: 0,
            half_closed: 0,
            seen: 0,
            missed: None,
            claims: List::EMPTY,
            called: None,
        }
    }

    /// The list of those who wait for a job.
    fn watch(&mut self, job: Id) -> Option<&mut List<HELD>> {
        let slot = job.slot()?.get() as usize;
        let at = slot.checked_rem(self.watches.len())?;
        Some(&mut self.watches.get_mut(at)?.0)
    }

    /// The list in which a connection hangs while it owes this answer.
    fn list(&mut self, reply: &Reply) -> Option<&mut List<HELD>> {
        match (followed(reply), reply) {
            (Some(job), _) => self.watch(job),
            (None, Reply::Events(_)) => Some(&mut self.streams),
            (None, Reply::Claim { .. }) => Some(&mut self.claims),
            (None, _) => None,
        }
    }
}

/// The one job that an answer waits for.
fn followed(reply: &Reply) -> Option<Id> {
    match reply {
        Reply::Wait { job, .. } => Some(*job),
        Reply::Events(stream) => stream.job(),
        _ => None,
    }
}

impl Server<'_> {
    /// Goes on with an answer that may have to wait for something to happen. `None` where it need not, or no longer: what
    /// is owed is then an answer like others.
    pub(in crate::server) fn go_on(
        &mut self,
        now: Now,
        ix: Ix,
        out: &mut Out<'_>,
    ) -> Option<Drive> {
        match self.conns.get(ix)?.reply {
            Reply::Wait { job, after, until } => self.wait(now, ix, job, after, until),
            Reply::Events(stream) => self.stream(now, ix, stream, out),
            Reply::Claim { until } => self.claim(now, ix, until),
            _ => None,
        }
    }

    /// Names the connections that wait for what has happened, as far as it is durable.
    pub(in crate::server) fn tell_held(&mut self) {
        let seen = self.held.seen;
        while let Some(told) = self.service.feed().get(self.held.seen) {
            if !self.service.is_durable(told.batch) {
                break;
            }
            let job = told.job;
            self.held.seen += 1;
            let first = self.held.watch(job).and_then(|watch| watch.head());
            self.wake_all(first);
        }
        if self.held.seen != seen {
            self.wake_all(self.held.streams.head());
        }
        // More was told in one batch than the feed holds: everybody looks for themselves.
        let start = self.service.feed().start();
        if self.held.seen < start {
            self.held.seen = start;
            self.held.missed = Some(self.service.barrier());
        }
        if self
            .held
            .missed
            .is_some_and(|batch| self.service.is_durable(batch))
        {
            self.held.missed = None;
            self.wake_held();
        }
        self.call_worker();
    }

    fn wake_held(&mut self) {
        let mut at = self.conns.next_used(None);
        while let Some(ix) = at {
            if self.conns.get(ix).is_some_and(|conn| conn.held) {
                self.wake(ix);
            }
            at = self.conns.next_used(Some(ix));
        }
    }

    /// Names a connection and all that hang behind it.
    fn wake_all(&mut self, first: Link) {
        let mut at = first;
        while let Some(ix) = at {
            at = List::<HELD>::next(&self.conns, ix);
            self.wake(ix);
        }
    }

    /// Holds a connection until what it waits for happens, or until `deadline`. Refuses where too many are held.
    pub(super) fn hold(&mut self, ix: Ix, deadline: Instant) -> Result<Drive, Problem> {
        let held_max = self.conns.capacity() / 2;
        let Some(conn) = self.conns.get_mut(ix) else {
            return Err(Problem::Internal);
        };
        if !conn.held {
            if self.held.count >= held_max {
                return Err(full(&mut self.service));
            }
            let reply = conn.reply;
            conn.held = true;
            self.held.count += 1;
            if let Some(list) = self.held.list(&reply) {
                list.push_back(&mut self.conns, ix);
            }
            if let Some(job) = followed(&reply) {
                self.service.follow(job);
            }
        }
        if let Some(conn) = self.conns.get_mut(ix) {
            conn.waiting = Waiting::Held;
            conn.deadline = deadline;
            if conn.timer.get().is_none_or(|timer| timer > deadline) {
                self.timers.set(&mut self.conns, ix, deadline);
            }
        }
        Ok(Drive::Input { bytes_min: 1 })
    }

    /// Takes a connection off the list of what it waits for, before it owes another answer.
    pub(in crate::server) fn let_go(&mut self, ix: Ix) {
        let Some(conn) = self.conns.get_mut(ix) else {
            return;
        };
        if !core::mem::take(&mut conn.held) {
            return;
        }
        let reply = conn.reply;
        let half_closed = core::mem::take(&mut conn.half_closed);
        self.held.count = self.held.count.saturating_sub(1);
        self.held.half_closed = self.held.half_closed.saturating_sub(half_closed.into());
        if self.held.called == Some(ix) {
            self.held.called = None;
        }
        if let Some(list) = self.held.list(&reply) {
            list.remove(&mut self.conns, ix);
        }
        if let Some(job) = followed(&reply) {
            self.service.unfollow(job);
        }
    }

    /// Lets a connection owe another answer than the one that it was held for.
    pub(super) fn settle(&mut self, ix: Ix, reply: Reply) {
        self.let_go(ix);
        if let Some(conn) = self.conns.get_mut(ix) {
            conn.reply = reply;
            conn.waiting = Waiting::Answer;
        }
    }

    /// The client sends no more, which the driver sees while [`Drive::Input`] is wanted. Whether it is to have an answer
    /// all the same: [`poll`](Server::poll) then names the connection when there is one. Otherwise the connection has ended.
    ///
    /// Whoever has ended one direction alone still reads, and cannot be told from who is gone before something is sent.
    /// So an eighth of all connections at most are held so, and who waits for work is told at once that there is none: a
    /// job must not go to who is gone.
    #[must_use]
    pub fn end_input(&mut self, id: ConnId) -> bool {
        let most = (self.conns.capacity() / 8).max(1);
        let Some(conn) = self.conn(id).filter(|conn| conn.held) else {
            return false;
        };
        let (was_known, is_claim) = (conn.half_closed, matches!(conn.reply, Reply::Claim { .. }));
        if is_claim {
            self.settle(id.ix, Reply::NoContent);
            self.wake(id.ix);
        } else if !was_known {
            if self.held.half_closed >= most {
                return false;
            }
            self.held.half_closed += 1;
            if let Some(conn) = self.conns.get_mut(id.ix) {
                conn.half_closed = true;
            }
        }
        true
    }

    /// How many connections are held until something happens.
    #[must_use]
    pub const fn conns_held(&self) -> usize {
        self.held.count
    }
}
