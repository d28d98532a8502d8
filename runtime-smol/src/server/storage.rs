//! The store as a server has it: the thread that changes it, the memory for what goes there, and how it failed.
//!
//! A store that fails once is not asked again: the server ends.

use super::store_thread::StoreThread;
use crate::{
    clock::Clock,
    signal::Signal,
    store::{Batch, Store, StoreError},
};
use async_io::Timer;
use dubhook_core::{
    id::Id,
    server::{Config, StoreFigures},
    time::{Now, Timestamp},
};
use event_listener::Event;
use futures_lite::FutureExt;
use smol::unblock;
use std::{
    cell::{Cell, RefCell, RefMut},
    io,
    sync::Arc,
    time::Duration,
};

/// How often old jobs are looked for.
const PRUNE: Duration = Duration::from_secs(600);
/// How long after the start they are looked for first: long enough to see that the calendar goes on as time does.
const FIRST_PRUNE: Duration = Duration::from_secs(10);
/// How long the store is left alone between two steps of dropping them.
const PRUNE_PAUSE: Duration = Duration::from_millis(20);

/// How long what has come waits for a lease that has ended to be renewed.
const RENEWAL: Duration = Duration::from_millis(500);

/// How far a calendar may go astray in one round and be believed, in milliseconds.
const ASTRAY_MS: u64 = 60_000;

/// Whether the calendar goes on as time does: one that has just been set says nothing of how old a job is.
#[derive(Debug)]
struct Steady(Now);

impl Steady {
    const fn since(now: Now) -> Self {
        Self(now)
    }

    /// Whether the calendar has gone on since it was asked last as much as time did.
    fn is_so(&mut self, now: Now) -> bool {
        let before = std::mem::replace(&mut self.0, now);
        let passed_ms = now.instant.ms_since(before.instant);
        let shown = now.timestamp.as_unix_ms();
        shown.abs_diff(before.timestamp.as_unix_ms() + passed_ms) < ASTRAY_MS
    }
}

/// The store, if there is one.
#[derive(Debug)]
pub(super) struct Storage {
    store: Option<Arc<dyn Store>>,
    /// Who changes it.
    thread: Option<StoreThread>,
    /// An empty batch, while none is being written.
    batch: RefCell<Option<Batch>>,
    /// Room for one record, or one job as JSON.
    record: RefCell<Box<[u8]>>,
    failure: RefCell<Option<StoreError>>,
    /// Batches written, and how long that took in all.
    commits: Cell<(u64, Duration)>,
    /// Raised when the store has failed.
    failed: Signal,
    /// Notified when a lease that may have ended was renewed.
    renewed: Event,
    /// Whether somebody wanted the server to speak, and it might not.
    silent: Cell<bool>,
}

impl Storage {
    pub(super) fn new(store: Option<Arc<dyn Store>>, config: &Config<'_>) -> io::Result<Self> {
        Ok(Self {
            thread: store.clone().map(StoreThread::start).transpose()?,
            store,
            batch: RefCell::new(Some(Batch::default())),
            record: RefCell::new(vec![0; config.archive_bytes_max()].into()),
            failure: RefCell::new(None),
            commits: Cell::default(),
            failed: Signal::default(),
            renewed: Event::new(),
            silent: Cell::new(false),
        })
    }

    /// Waits until the store fails. Never, where all goes well.
    pub(super) async fn failure(&self) -> StoreError {
        loop {
            self.failed.raised().await;
            self.failed.take();
            if let Some(failure) = self.failure.take() {
                return failure;
            }
        }
    }

    /// Whether the server may speak of what it knows at this moment.
    pub(super) fn holds(&self) -> bool {
        let holds = self.store.as_ref().is_none_or(|store| store.holds());
        if !holds {
            self.silent.set(true);
        }
        holds
    }

    /// Whether the server might not speak when somebody wanted it to, since this was asked last.
    pub(super) fn was_silent(&self) -> bool {
        let _ = self.holds();
        self.silent.replace(false)
    }

    /// Waits for a lease that has ended to be renewed, unless the store is known to be silent. Whether the server may speak.
    ///
    /// Whoever was stopped for longer than its lease lasts finds out at once whether the records are still its own, and then
    /// what has come meanwhile counts.
    pub(super) async fn held_again(&self) -> bool {
        let ownership = self.store.as_ref().and_then(|store| store.ownership());
        if self.holds() || ownership.is_some_and(|ownership| !ownership.answers) {
            return self.holds();
        }
        let renewed = async {
            loop {
                let renewed = self.renewed.listen();
                if self.holds() {
                    return true;
                }
                renewed.await;
            }
        };
        let late = async {
            Timer::after(RENEWAL).await;
            false
        };
        renewed.or(late).await
    }

    /// A batch was written, and it took so long.
    pub(super) fn count_commit(&self, took: Duration) {
        let (count, all) = self.commits.get();
        self.commits.set((count + 1, all + took));
        self.renewed.notify(usize::MAX);
    }

    /// What the store has to say of itself, where servers share it.
    pub(super) fn figures(&self) -> Option<StoreFigures> {
        let (commits, took) = self.commits.get();
        let store = self.store.as_ref()?.as_ref();
        let figures = figures(store)?;
        // Its lease, most likely: it was asked more than once.
        let patience = store.beat_every().map_or(Duration::MAX, |every| 4 * every);
        let silent_for = store.ownership()?.silent_for;
        let stuck_ms = if silent_for >= patience {
            ms(silent_for)
        } else {
            0
        };
        Some(StoreFigures {
            stuck_ms,
            // There is one owner in a process's life.
            taken: 1,
            commits,
            commit_ms: ms(took),
            ..figures
        })
    }

    /// Waits until a beat is due, and says that the server lives. Whether there is another one to come.
    pub(super) async fn beat(&self) -> bool {
        let every = self.store.as_ref().and_then(|store| store.beat_every());
        let (Some(every), Some(thread)) = (every, &self.thread) else {
            return false;
        };
        Timer::after(every).await;
        match thread.ask(|store| store.beat()).await {
            Ok(()) => {
                self.renewed.notify(usize::MAX);
                true
            }
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    /// What the store has of a job that is no longer in memory.
    ///
    /// # Errors
    ///
    /// Where it cannot be said for now.
    pub(super) async fn find(&self, job: Id) -> io::Result<Option<Vec<u8>>> {
        let Some(store) = self.store.clone() else {
            return Ok(None);
        };
        match unblock(move || store.find(job)).await {
            Ok(found) => Ok(found),
            Err(error @ StoreError::Unanswered(_)) => Err(io::Error::other(error)),
            Err(error) => {
                self.fail(error);
                Ok(None)
            }
        }
    }

    /// Whether the store has a job that is no longer in memory, or cannot say that it has not.
    pub(super) async fn may_have(&self, job: Id) -> bool {
        let Some(store) = self.store.clone() else {
            return false;
        };
        unblock(move || store.find(job))
            .await
            .map_or(true, |found| found.is_some())
    }

    /// An empty batch and who writes it, while none is being written.
    pub(super) fn begin(&self) -> Option<(Batch, &StoreThread)> {
        let thread = self.thread.as_ref()?;
        Some((self.batch.take()?, thread))
    }

    /// Takes the batch back that was written, or not needed.
    pub(super) fn end(&self, mut batch: Batch) {
        batch.clear();
        self.batch.replace(Some(batch));
    }

    /// Room for one record, or one job as JSON.
    pub(super) fn record(&self) -> RefMut<'_, Box<[u8]>> {
        self.record.borrow_mut()
    }

    /// Drops ended jobs from the store when they are old, for ever.
    pub(super) async fn prune(&self, clock: Clock, retain: Duration) {
        let Some(thread) = &self.thread else {
            return;
        };
        let mut steady = Steady::since(clock.now());
        Timer::after(FIRST_PRUNE).await;
        loop {
            let now = clock.now();
            if !steady.is_so(now) {
                Timer::after(PRUNE).await;
                continue;
            }
            let now_ms = now.timestamp.as_unix_ms();
            let retain_ms = retain.as_millis().try_into().unwrap_or(u64::MAX);
            let before = Timestamp::from_unix_ms(now_ms.saturating_sub(retain_ms));
            match thread.ask(move |store| store.prune(before)).await {
                Ok(true) => _ = Timer::after(PRUNE_PAUSE).await,
                Ok(false) | Err(StoreError::Unanswered(_)) => _ = Timer::after(PRUNE).await,
                Err(error) => return self.fail(error),
            }
        }
    }

    /// Ends the server: nothing is asked of the store any more.
    pub(super) fn fail(&self, error: StoreError) {
        // What comes after the first one only says that there was one.
        self.failure.borrow_mut().get_or_insert(error);
        self.failed.raise();
    }
}

/// What a store has to say of itself, where servers share it.
pub(super) fn figures(store: &dyn Store) -> Option<StoreFigures> {
    let ownership = store.ownership()?;
    Some(StoreFigures {
        is_owner: ownership.is_own,
        answers: ownership.answers,
        epoch: ownership.epoch,
        lease_left_ms: ms(ownership.lease_left),
        ..StoreFigures::default()
    })
}

fn ms(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dubhook_core::time::Instant;

    #[test]
    fn a_calendar_that_was_set_is_not_believed_at_once() {
        let now = |instant_s: u64, unix_s: u64| Now {
            instant: Instant::from_ms(instant_s * 1_000),
            timestamp: Timestamp::from_unix_ms(unix_s * 1_000),
        };
        let mut steady = Steady::since(now(0, 1_795_510_800));
        for (instant_s, unix_s, is_steady) in [
            (600, 1_795_511_400, true),
            // Summer time is no matter of this calendar; a leap second is nothing.
            (1_200, 1_795_511_999, true),
            (1_800, 4_100_000_000, false),
            (2_400, 1_795_513_199, false),
            (3_000, 1_795_513_799, true),
            (3_600, 0, false),
        ] {
            assert_eq!(
                steady.is_so(now(instant_s, unix_s)),
                is_steady,
                "{instant_s}"
            );
        }
    }
}
