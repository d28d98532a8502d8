//! Group commit: all changes of a turn in one transaction, while the next turn goes on.
//!
//! One batch is written at a time, on a thread of its own. What changes meanwhile waits in the machine, is gathered
//! into the next batch, and so the slower the disk, the larger the batches. A batch is begun when the thread has nothing
//! else to do, or has had much to do since: what it gains by waiting is a larger batch and fewer syncs, and where it is
//! idle it does not wait.

use super::{
    engine::{Engine, Spawner},
    store_thread::StoreThread,
};
use crate::store::{Batch, Store};
use dubhook_core::{
    record,
    server::{Input, Output, Ready, Server},
};
use std::time::Instant;

/// Sees to it that what has changed is written, unless a batch is being written already.
pub(super) fn commit<'e>(engine: &'e Engine<'_>, server: &Server<'_>, spawner: &Spawner<'e>) {
    if !server.has_unsaved() {
        return;
    }
    if let Some((batch, thread)) = engine.storage.begin() {
        spawner.spawn(write(engine, batch, thread));
    }
}

/// Gathers what has changed by the time that the thread has nothing else to do, and writes it.
async fn write(engine: &Engine<'_>, mut batch: Batch, thread: &StoreThread) {
    engine.net.idle().await;
    let Some(token) = gather(engine, &mut batch) else {
        engine.storage.end(batch);
        engine.turn.raise();
        return;
    };
    let write = move |store: &dyn Store| (store.write(&batch), batch);
    let since = Instant::now();
    let (written, batch) = thread.ask(write).await;
    engine.storage.count_commit(since.elapsed());
    match written {
        Ok(()) => {
            engine.storage.end(batch);
            let mut server = engine.server.borrow_mut();
            let taken = server.handle(engine.clock.now(), Input::Durable(token));
            taken.expect("the machine's own batch");
            engine.turn.raise();
        }
        Err(error) => engine.storage.fail(error),
    }
}

/// Takes all that has changed. Nothing comes of it where that is nothing.
fn gather(engine: &Engine<'_>, batch: &mut Batch) -> Option<record::Batch> {
    const FITS: &str = "the memory holds the longest strings that the limits allow";
    let mut memory = engine.storage.record();
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
