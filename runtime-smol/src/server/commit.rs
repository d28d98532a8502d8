//! Group commit: all changes of a turn in one transaction, while the next turn goes on.
//!
//! One batch is written at a time, on a thread of its own. What changes meanwhile waits in the machine, is gathered
//! into the next batch, and so the slower the disk, the larger the batches. A batch is begun when the thread has nothing
//! else to do, or has had much to do since: what it gains by waiting is a larger batch and fewer syncs, and where it is
//! idle it does not wait. A store that fails once is not asked again: the server ends.

use super::{
    clerk::Clerk,
    engine::{Engine, Spawner},
};
use crate::{
    clock::Clock,
    signal::Signal,
    store::{Batch, Store, StoreError},
};
use dubhook_core::{
    id::Id,
    record,
    server::{Config, Input, Output, Ready, Server},
    time::Timestamp,
};
use smol::{Timer, unblock};
use std::{cell::RefCell, io, sync::Arc, time::Duration};

/// How often old jobs are looked for.
const PRUNE: Duration = Duration::from_secs(600);
/// How long the store is left alone between two steps of dropping them.
const PRUNE_PAUSE: Duration = Duration::from_millis(20);

/// Takes records to the store, if there is one.
#[derive(Debug)]
pub(crate) struct Committer {
    store: Option<Arc<dyn Store>>,
    /// Who changes it.
    clerk: Option<Clerk>,
    /// An empty batch, while none is being written.
    batch: RefCell<Option<Batch>>,
    /// Room for one record, or one job as JSON.
    record: RefCell<Box<[u8]>>,
    failure: RefCell<Option<StoreError>>,
    /// Raised when the store has failed.
    failed: Signal,
}

impl Committer {
    pub(crate) fn new(store: Option<Arc<dyn Store>>, config: &Config<'_>) -> io::Result<Self> {
        Ok(Self {
            clerk: store.clone().map(Clerk::start).transpose()?,
            store,
            batch: RefCell::new(Some(Batch::default())),
            record: RefCell::new(vec![0; config.archive_bytes_max()].into()),
            failure: RefCell::new(None),
            failed: Signal::default(),
        })
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
        server: &Server<'_>,
        engine: &'e Engine<'_>,
        spawner: &Spawner<'e>,
    ) {
        let Some(clerk) = &self.clerk else {
            return;
        };
        if !server.has_unsaved() {
            return;
        }
        if let Some(batch) = self.batch.take() {
            spawner.spawn(self.write(clerk, batch, engine));
        }
    }

    /// Gathers what has changed by the time that the thread has nothing else to do, and writes it.
    async fn write(&self, clerk: &Clerk, mut batch: Batch, engine: &Engine<'_>) {
        engine.net.idle().await;
        batch.clear();
        let Some(token) = self.gather(engine, &mut batch) else {
            self.batch.replace(Some(batch));
            engine.turn.raise();
            return;
        };
        let write = move |store: &dyn Store| (store.write(&batch), batch);
        let (written, batch) = clerk.ask(write).await;
        match written {
            Ok(()) => {
                self.batch.replace(Some(batch));
                let mut server = engine.server.borrow_mut();
                let taken = server.handle(engine.clock.now(), Input::Durable(token));
                taken.expect("the machine's own batch");
                engine.turn.raise();
            }
            Err(error) => self.fail(error),
        }
    }

    /// Drops ended jobs from the store when they are old, for ever.
    pub(crate) async fn prune(&self, clock: Clock, retain: Duration) {
        let Some(clerk) = &self.clerk else {
            return;
        };
        loop {
            let now_ms = clock.now().timestamp.as_unix_ms();
            let retain_ms = retain.as_millis().try_into().unwrap_or(u64::MAX);
            let before = Timestamp::from_unix_ms(now_ms.saturating_sub(retain_ms));
            match clerk.ask(move |store| store.prune(before)).await {
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

    /// Takes all that has changed. Nothing comes of it where that is nothing.
    fn gather(&self, engine: &Engine<'_>, batch: &mut Batch) -> Option<record::Batch> {
        const FITS: &str = "the memory holds the longest strings that the limits allow";
        let mut memory = self.record.borrow_mut();
        let mut server = engine.server.borrow_mut();
        let now = engine.clock.now();
        loop {
            match server.poll(now, Ready::RECORDS, &mut memory).expect(FITS) {
                Output::Archive { job, json } => batch.add_archived(job, &json),
                Output::Save { key, value } => batch.add(key, value.as_deref()),
                Output::Commit(token) => return Some(token),
                Output::Stop { job, slot } => engine.workers.stop(slot, job),
                _ => return None,
            }
        }
    }
}
