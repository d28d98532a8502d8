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
use dubhook_core::{id::Id, server::Config, time::Timestamp};
use smol::unblock;
use std::{
    cell::{RefCell, RefMut},
    io,
    sync::Arc,
    time::Duration,
};

/// How often old jobs are looked for.
const PRUNE: Duration = Duration::from_secs(600);
/// How long the store is left alone between two steps of dropping them.
const PRUNE_PAUSE: Duration = Duration::from_millis(20);

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
    /// Raised when the store has failed.
    failed: Signal,
}

impl Storage {
    pub(super) fn new(store: Option<Arc<dyn Store>>, config: &Config<'_>) -> io::Result<Self> {
        Ok(Self {
            thread: store.clone().map(StoreThread::start).transpose()?,
            store,
            batch: RefCell::new(Some(Batch::default())),
            record: RefCell::new(vec![0; config.archive_bytes_max()].into()),
            failure: RefCell::new(None),
            failed: Signal::default(),
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
        self.store.as_ref().is_none_or(|store| store.holds())
    }

    /// Waits until a beat is due, and says that the server lives. Whether there is another one to come.
    pub(super) async fn beat(&self) -> bool {
        let every = self.store.as_ref().and_then(|store| store.beat_every());
        let (Some(every), Some(thread)) = (every, &self.thread) else {
            return false;
        };
        Timer::after(every).await;
        match thread.ask(|store| store.beat()).await {
            Ok(()) => true,
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
        loop {
            let now_ms = clock.now().timestamp.as_unix_ms();
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
