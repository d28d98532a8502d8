//! Group commit: all changes of a turn in one transaction, while the next turn goes on.
//!
//! One batch is written at a time, on a thread that may block. What changes meanwhile waits in the machine, is gathered
//! into the next batch, and so the slower the disk, the larger the batches. A batch is begun when the thread has nothing
//! else to do, or has had much to do since: what it gains by waiting is a larger batch and fewer syncs, and where it is
//! idle it does not wait. What nobody waits for, such as that a webhook has arrived, goes with the next batch that somebody
//! waits for, or after a moment: a sync for it alone would be in the way of the next one that matters. A store that fails
//! once is not asked again: the server ends.

use super::engine::{Engine, Spawner};
use crate::{
    clock::Clock,
    signal::Signal,
    store::{Batch, Store, StoreError},
};
use dubhook_core::{
    id::Id,
    server::{Config, Server},
    time::{Instant, Now, Timestamp},
};
use smol::{Timer, unblock};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Duration,
};

/// How often old jobs are looked for.
const PRUNE: Duration = Duration::from_secs(600);
/// How long what nobody waits for may stay unwritten, in milliseconds.
const UNAWAITED_MS: u64 = 5;
/// How long the store is left alone between two steps of dropping them.
const PRUNE_PAUSE: Duration = Duration::from_millis(20);

/// Takes records to the store, if there is one.
#[derive(Debug)]
pub(crate) struct Committer {
    store: Option<Arc<dyn Store>>,
    /// An empty batch, while none is being written.
    batch: RefCell<Option<Batch>>,
    /// When what nobody waits for is to be written at the latest, if there is any.
    due: Cell<Option<Instant>>,
    /// Room for one record, or one job as JSON.
    record: RefCell<Box<[u8]>>,
    failure: RefCell<Option<StoreError>>,
    /// Raised when the store has failed.
    failed: Signal,
}

impl Committer {
    pub(crate) fn new(store: Option<Arc<dyn Store>>, config: &Config<'_>) -> Self {
        let record = config.scratch_bytes_max() + config.service.callback_bytes_max + 512;
        Self {
            store,
            batch: RefCell::new(Some(Batch::default())),
            due: Cell::new(None),
            record: RefCell::new(vec![0; record].into()),
            failure: RefCell::new(None),
            failed: Signal::default(),
        }
    }

    /// Waits until the store fails. Never, where all goes well.
    pub(crate) async fn failure(&self) -> StoreError {
        loop {
            self.failed.raised().await;
            self.failed.take();
            if let Some(failure) = self.failure.take() {
                return failure;
            }
        }
    }

    /// Whether something is not durable yet.
    pub(crate) fn is_busy(&self, server: &Server<'_>) -> bool {
        self.store.is_some() && (self.batch.borrow().is_none() || server.service().is_dirty())
    }

    /// What the store has of a job that is no longer in memory.
    pub(crate) async fn find(&self, job: Id) -> Option<Vec<u8>> {
        let store = Arc::clone(self.store.as_ref()?);
        match unblock(move || store.find(job)).await {
            Ok(found) => found,
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// Sees to it that what has changed is written, unless a batch is being written already.
    pub(crate) fn commit<'e>(
        &'e self,
        now: Now,
        server: &mut Server<'_>,
        engine: &'e Engine<'_>,
        spawner: &Spawner<'e>,
    ) {
        let Some(store) = &self.store else {
            return;
        };
        if self.may_wait(now, server, engine) {
            return;
        }
        let Some(batch) = self.batch.take() else {
            return;
        };
        self.due.set(None);
        if server.service().is_dirty() {
            let store = Arc::clone(store);
            spawner.spawn(async move {
                engine.net.idle().await;
                let sealed = self.seal(engine.clock.now(), &mut engine.server.borrow_mut(), batch);
                match sealed {
                    Some((batch, number)) => self.write(store, batch, number, engine).await,
                    None => engine.turn.raise(),
                }
            });
        } else if let Some((batch, number)) = self.seal(now, server, batch) {
            spawner.spawn(self.write(Arc::clone(store), batch, number, engine));
        }
    }

    /// Whether what has changed need not be written yet.
    fn may_wait(&self, now: Now, server: &Server<'_>, engine: &Engine<'_>) -> bool {
        if !server.service().is_dirty() || server.awaits_commit() || engine.stopping.get() {
            return false;
        }
        let due = self.due.get();
        let due = due.unwrap_or_else(|| now.instant.after_ms(UNAWAITED_MS));
        self.due.set(Some(due));
        now.instant < due
    }

    /// When [`commit`](Self::commit) has something to do next, whatever happens. After a batch that is being written it
    /// is called in any case.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due.get().filter(|_| self.batch.borrow().is_some())
    }

    /// Gathers what has changed. Nothing where that is nothing: then nothing before it is unwritten.
    fn seal(&self, now: Now, server: &mut Server<'_>, mut batch: Batch) -> Option<(Batch, u64)> {
        batch.clear();
        self.gather(now, server, &mut batch);
        let number = server.service_mut().seal();
        if batch.is_empty() {
            server.committed(number);
            self.batch.replace(Some(batch));
            return None;
        }
        Some((batch, number))
    }

    async fn write(&self, store: Arc<dyn Store>, batch: Batch, number: u64, engine: &Engine<'_>) {
        let write = move || (store.write(&batch), batch);
        let (written, batch) = unblock(write).await;
        match written {
            Ok(()) => {
                self.batch.replace(Some(batch));
                engine.server.borrow_mut().committed(number);
                engine.turn.raise();
            }
            Err(error) => self.fail(error),
        }
    }

    /// Drops ended jobs from the store when they are old, for ever.
    pub(crate) async fn prune(&self, clock: Clock, retain: Duration) {
        let Some(store) = &self.store else {
            return;
        };
        loop {
            let now_ms = clock.now().timestamp.as_unix_ms();
            let retain_ms = retain.as_millis().try_into().unwrap_or(u64::MAX);
            let before = Timestamp::from_unix_ms(now_ms.saturating_sub(retain_ms));
            let store = Arc::clone(store);
            match unblock(move || store.prune(before)).await {
                Ok(true) => _ = Timer::after(PRUNE_PAUSE).await,
                Ok(false) => _ = Timer::after(PRUNE).await,
                Err(error) => return self.fail(error),
            }
        }
    }

    fn fail(&self, error: StoreError) {
        self.failure.replace(Some(error));
        self.failed.raise();
    }

    fn gather(&self, now: Now, server: &mut Server<'_>, batch: &mut Batch) {
        const FITS: &str = "the memory holds the longest strings that the limits allow";
        let mut memory = self.record.borrow_mut();
        let service = server.service_mut();
        while let Some((job, len)) = service.poll_archive(&mut memory).expect(FITS) {
            batch.add_archived(job, &memory[..len]);
        }
        while let Some(record) = service.poll_record(now, &mut memory).expect(FITS) {
            batch.add(record.key, record.len.map(|len| &memory[..len]));
        }
    }
}
