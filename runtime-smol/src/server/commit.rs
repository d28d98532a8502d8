//! Group commit: all changes of a turn in one transaction, while the next turn goes on.
//!
//! One batch is written at a time, on a thread that may block. What changes meanwhile waits in the machine, is gathered
//! into the next batch, and so the slower the disk, the larger the batches. A store that fails once is not asked again:
//! the server ends.

use super::engine::{Engine, Spawner};
use crate::{
    signal::Signal,
    store::{Batch, Store, StoreError},
};
use dubhook_core::{server::Server, service::Limits, time::Now};
use smol::unblock;
use std::cell::RefCell;

/// Takes records to the store, if there is one.
#[derive(Debug)]
pub(crate) struct Committer {
    /// The store and an empty batch, while nothing is being written.
    idle: RefCell<Option<(Box<dyn Store>, Batch)>>,
    has_store: bool,
    /// Room for one record.
    record: RefCell<Box<[u8]>>,
    failure: RefCell<Option<StoreError>>,
    /// Raised when the store has failed.
    failed: Signal,
}

impl Committer {
    pub(crate) fn new(store: Option<Box<dyn Store>>, limits: &Limits) -> Self {
        let record = limits.url_bytes_max
            + limits.callback_bytes_max
            + limits.reference_bytes_max
            + limits.description_bytes_max
            + limits.error_bytes_max
            + 1_024;
        Self {
            has_store: store.is_some(),
            idle: RefCell::new(store.map(|store| (store, Batch::default()))),
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
        if !self.has_store {
            return false;
        }
        self.idle.borrow().is_none() || server.service().is_dirty()
    }

    /// Begins to write what has changed, unless a batch is being written already.
    pub(crate) fn commit<'e>(
        &'e self,
        now: Now,
        server: &mut Server<'_>,
        engine: &'e Engine<'_>,
        spawner: &Spawner<'e>,
    ) {
        let Some((mut store, mut batch)) = self.idle.take() else {
            return;
        };
        batch.clear();
        self.gather(now, server, &mut batch);
        let number = server.service_mut().seal();
        if batch.is_empty() {
            // Nothing to write, and nothing before it is unwritten.
            server.committed(number);
            self.idle.replace(Some((store, batch)));
            return;
        }
        spawner.spawn(async move {
            let write = move || {
                let written = store.write(&batch);
                (store, batch, written)
            };
            let (store, batch, written) = unblock(write).await;
            match written {
                Ok(()) => {
                    self.idle.replace(Some((store, batch)));
                    engine.server.borrow_mut().committed(number);
                    engine.turn.raise();
                }
                Err(error) => {
                    *self.failure.borrow_mut() = Some(error);
                    self.failed.raise();
                }
            }
        });
    }

    fn gather(&self, now: Now, server: &mut Server<'_>, batch: &mut Batch) {
        let mut memory = self.record.borrow_mut();
        loop {
            match server.service_mut().poll_record(now, &mut memory) {
                Ok(Some(record)) => batch.add(record.key, record.len.map(|len| &memory[..len])),
                Ok(None) => return,
                Err(_) => unreachable!("the memory holds the longest strings that the limits allow"),
            }
        }
    }
}
