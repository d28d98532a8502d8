//! The owner of the records, as a machine: moments and answers in, what is to be asked and pauses out.
//!
//! It decides all that a server decides about records that it shares: when they may be taken, how a batch in doubt is found
//! out, until when the server may speak, and when it has lost them. It does no I/O and reads no clock. The
//! driver (`driver.rs`) asks a database what it wants to know; a simulation asks a model of one.
//!
//! ```text
//!   want ──► poll ──► Ask ──► (the database) ──► handle ──► poll ──► … ──► Done
//!                      └──► Pause: poll again after it
//! ```
//!
//! One thing is wanted at a time, and one is asked. The moment of the `poll` that handed something out is the moment before it
//! was sent: from there the lease counts if it succeeds.
//!
//! *Doubt* is that something was asked of which nobody knows whether it was done. Nothing but a beat, which is a write, is asked
//! then; its answer says how many batches there are, and that they will stay.

use super::watch::{self, Watch};
use std::{mem, sync::Arc, time::Duration};

pub use super::{
    lease::{Lease, Moment},
    watch::Shard,
};

/// The shortest pause before the database is asked again.
const AGAIN: Duration = Duration::from_millis(50);

/// What a server wants of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// To have them.
    Take,
    /// To write the next batch.
    Write,
    /// That others hear that it lives.
    Beat,
    /// To read them.
    Read,
    /// To give them back.
    Release,
}

/// What is asked of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// What the row says.
    Look,
    /// To begin an epoch of this server's, if the row still says this.
    Take(Shard),
    /// To write the batch, if the row is in this epoch and the batch is the next one.
    Write {
        /// The epoch.
        epoch: i64,
        /// The batch's number.
        number: i64,
    },
    /// To move the beat, if the row is in this epoch; and how many batches there are.
    Beat {
        /// The epoch.
        epoch: i64,
    },
    /// The next records.
    Read,
    /// To end the session that holds the row for too long.
    EndHolder,
    /// To note that of so many batches the last ones are gone.
    MarkLost {
        /// The epoch in which there were so many.
        epoch: i64,
        /// How many there were.
        written: i64,
        /// How many there are.
        found: i64,
    },
    /// To give the records back, if the row is in this epoch.
    Release {
        /// The epoch.
        epoch: i64,
    },
}

/// What the database has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The row; nothing where there is none.
    Row(Option<Shard>),
    /// The new epoch and how many batches there are; nothing where the row says something else by now.
    Taken(Option<(i64, i64)>),
    /// Whether the batch was written by this.
    Written(bool),
    /// How many batches there are; nothing where another epoch has begun.
    Beaten(Option<i64>),
    /// It was done, and says no more.
    Done,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nobody knows what became of it.
    Unknown,
    /// The row was held by another session for too long.
    Locked,
    /// It would be the same the next time.
    Lasting,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Ask this, and hand over the answer.
    Ask(Operation),
    /// Wait for the answer.
    Wait,
    /// Come again after so long.
    Pause(Duration),
    /// What was wanted is done, or never will be.
    Done(Result<(), End>),
}

/// Why what was wanted will not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Another server has the records.
    TakenOver {
        /// Which one, if it is one.
        by: Option<String>,
    },
    /// What was acknowledged is gone.
    Lost {
        /// How many batches there are.
        found: i64,
        /// How many there were.
        written: i64,
    },
    /// The records are not this server's, or it does not want them any more.
    Closed,
    /// It failed as the last answer says.
    Failed,
}

/// Where it is with what is wanted.
#[derive(Debug, Default)]
enum Stage {
    /// What is asked next is to be found out.
    #[default]
    Free,
    /// This is asked next.
    Next(Operation),
    Asked(Operation, Moment),
    Paused(Moment),
    Ended(Result<(), End>),
}

/// The owner, or who wants to be it.
#[derive(Debug)]
pub struct Owner {
    /// What this server is called in the row: no other one is, nor this one after a restart.
    name: String,
    lease: Arc<Lease>,
    /// Which epoch is ours; none before the records were taken.
    epoch: Option<i64>,
    /// How many batches there are.
    batch: i64,
    /// The number of the batch that is written next.
    next: i64,
    /// Whether something was asked of which nobody knows whether it was done.
    doubt: bool,
    watch: Watch,
    /// The epoch and the owner's URL that were seen last.
    seen: (i64, Option<String>),
    /// How often in a row there was no answer, or what is to be written was not taken.
    failures: u32,
    want: Option<Want>,
    stage: Stage,
    closing: bool,
}

impl Owner {
    /// A server of this name, which has no records yet. Whether it may speak is seen on its lease.
    #[must_use]
    pub fn new(name: String, lease: Arc<Lease>) -> Self {
        Self {
            name,
            lease,
            epoch: None,
            batch: 0,
            next: 0,
            doubt: false,
            watch: Watch::default(),
            seen: (0, None),
            failures: 0,
            want: None,
            stage: Stage::Free,
            closing: false,
        }
    }

    /// Which epoch is its own, while the records are.
    #[must_use]
    pub const fn epoch(&self) -> Option<i64> {
        self.epoch
    }

    /// How many batches there are, as far as it knows.
    #[must_use]
    pub const fn batch(&self) -> i64 {
        self.batch
    }

    /// The epoch that was seen last, and where its owner is reached, unless it is this server.
    #[must_use]
    pub fn seen(&self) -> (i64, Option<&str>) {
        (self.seen.0, self.seen.1.as_deref())
    }

    /// Whether the database did not answer when it was asked last, or does not take what is to be written.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.failures > 0
    }

    /// Wants nothing for now: what is wanted next begins anew, without a pause.
    pub fn put_off(&mut self) {
        self.want = None;
        self.stage = Stage::Free;
    }

    /// Wants this from now on, and nothing else. Where it is wanted already, that goes on.
    pub fn want(&mut self, now: Moment, want: Want) {
        if self.want == Some(want) {
            return;
        }
        self.want = Some(want);
        self.stage = Stage::Free;
        self.next = self.batch + 1;
        let time = self.lease.time();
        match want {
            // A commit is as good, and so is a beat that has just come through.
            Want::Beat => self.doubt |= !self.lease.is_fresh(now, time / 8),
            Want::Read => self.doubt |= !self.lease.is_fresh(now, time / 4),
            Want::Release => self.lease.end(),
            Want::Take | Want::Write => {}
        }
    }

    /// Nothing is wanted any more but to give the records back.
    pub const fn close(&mut self) {
        self.closing = true;
    }

    /// What is to be done next.
    pub fn poll(&mut self, now: Moment) -> Step {
        let given_up = self.closing && self.want != Some(Want::Release);
        match mem::take(&mut self.stage) {
            Stage::Asked(operation, sent) => {
                self.stage = Stage::Asked(operation, sent);
                Step::Wait
            }
            Stage::Ended(end) => self.done(end),
            _ if given_up => self.done(Err(End::Closed)),
            Stage::Paused(until) if now < until => {
                self.stage = Stage::Paused(until);
                Step::Pause(until.since(now))
            }
            Stage::Next(operation) => self.ask(now, operation),
            Stage::Free | Stage::Paused(_) => match self.next() {
                Ok(Some(operation)) => self.ask(now, operation),
                Ok(None) => self.done(Ok(())),
                Err(end) => self.done(Err(end)),
            },
        }
    }

    fn ask(&mut self, now: Moment, operation: Operation) -> Step {
        self.stage = Stage::Asked(operation.clone(), now);
        Step::Ask(operation)
    }

    fn done(&mut self, end: Result<(), End>) -> Step {
        self.want = None;
        Step::Done(end)
    }

    /// What is asked next; nothing where all that was wanted is done.
    fn next(&mut self) -> Result<Option<Operation>, End> {
        let Some(want) = self.want else {
            return Ok(None);
        };
        match want {
            Want::Take => return Ok(self.epoch.is_none().then_some(Operation::Look)),
            Want::Release => {
                let epoch = self.epoch.take();
                return Ok(epoch.map(|epoch| Operation::Release { epoch }));
            }
            Want::Write | Want::Beat | Want::Read => {}
        }
        let epoch = self.epoch.ok_or(End::Closed)?;
        if self.doubt {
            return Ok(Some(Operation::Beat { epoch }));
        }
        match want {
            Want::Write if self.batch < self.next => {
                // Where it is not ours, or there already, the doubt finds out.
                self.doubt = true;
                let number = self.next;
                Ok(Some(Operation::Write { epoch, number }))
            }
            Want::Read => Ok(Some(Operation::Read)),
            _ => Ok(None),
        }
    }

    /// Takes the answer to what was asked last, or why there is none.
    pub fn handle(&mut self, now: Moment, answer: Result<Answer, Failure>) {
        match mem::take(&mut self.stage) {
            Stage::Asked(operation, sent) => match answer {
                Ok(answer) => self.answered(now, sent, operation, answer),
                Err(failure) => self.failed(now, &operation, failure),
            },
            // Nothing was asked.
            other => self.stage = other,
        }
    }

    fn answered(&mut self, now: Moment, sent: Moment, operation: Operation, answer: Answer) {
        // That it takes a beat says nothing of whether it takes the batch: its disk may be full.
        let is_beside =
            self.want == Some(Want::Write) && matches!(operation, Operation::Beat { .. });
        if !is_beside {
            self.failures = 0;
        }
        match (operation, answer) {
            (Operation::Look, Answer::Row(row)) => match (self.want, row) {
                (Some(Want::Take), Some(shard)) => self.looked(now, shard),
                // Somebody has removed it since the tables were looked at.
                (Some(Want::Take), None) => self.failed(now, &Operation::Look, Failure::Unknown),
                (_, row) => self.dispossessed(row),
            },
            (Operation::Take(_), Answer::Taken(Some((epoch, batch)))) => {
                (self.epoch, self.batch, self.doubt) = (Some(epoch), batch, false);
                self.seen = (epoch, None);
                self.lease.renew(sent);
                self.stage = Stage::Ended(Ok(()));
            }
            // Its owner lives, or another one was quicker.
            (Operation::Take(seen), Answer::Taken(None)) => self.look_again(now, seen.lease),
            (Operation::Write { number, .. }, Answer::Written(true)) => {
                (self.batch, self.doubt) = (number, false);
                self.lease.renew(sent);
            }
            (Operation::Write { .. }, Answer::Written(false)) => {}
            (Operation::Beat { epoch }, Answer::Beaten(Some(found))) if found < self.batch => {
                self.mark_lost(epoch, self.batch, found);
            }
            (Operation::Beat { .. }, Answer::Beaten(Some(found))) if found > self.next => {
                // Nobody but the owner of this epoch writes in it.
                self.end(End::TakenOver { by: None });
            }
            (Operation::Beat { .. }, Answer::Beaten(Some(found))) => {
                if found == self.next {
                    self.failures = 0;
                }
                (self.batch, self.doubt) = (found, false);
                self.lease.renew(sent);
            }
            (Operation::Beat { .. }, Answer::Beaten(None)) => {
                self.stage = Stage::Next(Operation::Look);
            }
            (Operation::EndHolder, Answer::Done) => {
                self.watch.heard(now);
                self.pause(now, AGAIN);
            }
            (Operation::MarkLost { written, found, .. }, Answer::Done) => {
                self.end(End::Lost { found, written });
            }
            (Operation::Read | Operation::Release { .. }, Answer::Done) => {
                self.stage = Stage::Ended(Ok(()));
            }
            // What answers something else has not answered.
            (operation, _) => self.failed(now, &operation, Failure::Unknown),
        }
    }

    fn failed(&mut self, now: Moment, operation: &Operation, failure: Failure) {
        match (operation, failure) {
            // A statement that has come in part, or one that waits for a standby of the database that is away.
            (Operation::Take(_) | Operation::Beat { .. }, Failure::Locked) => {
                self.watch.heard(now);
                self.stage = Stage::Next(Operation::EndHolder);
                return;
            }
            (_, Failure::Locked) => {
                self.pause(now, AGAIN);
                return;
            }
            (Operation::Release { .. }, _) => {
                self.stage = Stage::Ended(Err(End::Failed));
                return;
            }
            (_, Failure::Lasting) if self.epoch.is_none() => {
                self.stage = Stage::Ended(Err(End::Failed));
                return;
            }
            // Once it has worked it can be mended: a password that is changed on one side first, a role.
            (_, Failure::Unknown | Failure::Lasting) => {}
        }
        self.doubt |= *operation == Operation::Read;
        let pause = AGAIN * 2_u32.saturating_pow(self.failures.min(8));
        self.failures += 1;
        self.pause(now, pause.min(self.lease.time() / 4).max(AGAIN));
    }

    fn pause(&mut self, now: Moment, time: Duration) {
        self.stage = Stage::Paused(now.after(time));
    }

    fn look_again(&mut self, now: Moment, lease: Duration) {
        self.pause(now, watch::pause(lease.min(self.lease.time())));
    }

    /// They are no longer this server's to speak of, nor to give back.
    fn end(&mut self, end: End) {
        self.lease.end();
        self.epoch = None;
        self.stage = Stage::Ended(Err(end));
    }

    /// What was acknowledged is gone: it is noted, so that nobody goes on before an operator has seen it.
    fn mark_lost(&mut self, epoch: i64, written: i64, found: i64) {
        self.stage = Stage::Next(Operation::MarkLost {
            epoch,
            written,
            found,
        });
    }

    /// Whoever stands by has seen the row.
    fn looked(&mut self, now: Moment, shard: Shard) {
        if let Some(written) = shard.lost {
            let found = shard.batch;
            return self.end(End::Lost { found, written });
        }
        if let Some(written) = self.watch.has_lost(&shard) {
            return self.mark_lost(shard.epoch, written, shard.batch);
        }
        // Nobody is reached where the one who gave it back was.
        let url = shard.url.clone().filter(|_| shard.owner.is_some());
        self.seen = (shard.epoch, url);
        // It was taken by this server, which has not heard so, and has said nothing since.
        let is_own = shard.owner.as_ref() == Some(&self.name);
        if self.watch.look(&shard, now) || is_own {
            self.stage = Stage::Next(Operation::Take(shard));
        } else {
            self.look_again(now, shard.lease);
        }
    }

    /// Another epoch has begun. Who took over, or that it was lost that ours has begun.
    fn dispossessed(&mut self, row: Option<Shard>) {
        let Some(epoch) = self.epoch else {
            return self.end(End::Closed);
        };
        match row {
            Some(shard) if shard.epoch > epoch && shard.batch >= self.batch => {
                self.end(End::TakenOver { by: shard.owner });
            }
            row => self.mark_lost(epoch, self.batch, row.map_or(0, |shard| shard.batch)),
        }
    }
}
