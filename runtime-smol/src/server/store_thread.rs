//! A thread of its own for what changes the store.
//!
//! What a store gathers before it makes a file of it is allocated by the thread that writes, and an allocator that keeps
//! a heap for each thread gives such memory to nobody else. Batches written on any thread that happens to be free would
//! leave a heap as large as all that the store gathers on each of them; written on one, they use the same memory again.

use crate::store::Store;
use smol::channel;
use std::{
    fmt, io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

type Work = Box<dyn FnOnce(&dyn Store) + Send>;

/// Does what it is asked on its thread, one after the other. Dropping it waits for what is being done.
pub(super) struct StoreThread {
    work: Option<mpsc::Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for StoreThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it is asked has no words for itself.
        f.debug_struct("StoreThread")
            .field("thread", &self.thread)
            .finish_non_exhaustive()
    }
}

impl StoreThread {
    /// Starts the thread.
    pub(super) fn start(store: Arc<dyn Store>) -> io::Result<Self> {
        let (work, asked) = mpsc::channel::<Work>();
        let thread = thread::Builder::new().name("dubhook-store".to_owned());
        let thread = thread.spawn(move || {
            while let Ok(work) = asked.recv() {
                work(store.as_ref());
            }
        })?;
        Ok(Self {
            work: Some(work),
            thread: Some(thread),
        })
    }

    /// Does this with the store.
    ///
    /// # Panics
    ///
    /// If the store has panicked.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = channel::bounded(1);
        let work = Box::new(move |store: &dyn Store| {
            // Nobody need be there any more to hear of it.
            let _ = answer.try_send(work(store));
        });
        // Where the thread has ended, so has the answer's sender.
        let _ = self.work.as_ref().map(|asked| asked.send(work));
        answered.recv().await.expect("the store has panicked")
    }
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        // The end of the thread: it holds the store, and its owner may open the same one again.
        drop(self.work.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
