//! Stopping a server from outside.

use super::{RunError, Server};
use smol::channel::{Receiver, Sender, unbounded};
use std::{
    io,
    net::SocketAddr,
    sync::mpsc,
    thread::{self, JoinHandle},
};

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Finish,
    Now,
}

/// Stops a server, from any thread.
#[derive(Debug, Clone)]
pub struct Stopper(Sender<Stop>);

/// Where a server hears that it must stop.
#[derive(Debug)]
pub(super) struct StopSignal(Receiver<Stop>);

pub(super) fn stop() -> (Stopper, StopSignal) {
    let (sender, receiver) = unbounded();
    (Stopper(sender), StopSignal(receiver))
}

impl Stopper {
    /// Lets it finish what is in flight, for 10 s at most, and then end.
    pub fn finish(&self) {
        self.say(Stop::Finish);
    }

    /// Ends it now.
    pub fn now(&self) {
        self.say(Stop::Finish);
        self.say(Stop::Now);
    }

    fn say(&self, stop: Stop) {
        // One that has ended already need not be told.
        let _ = self.0.try_send(stop);
    }
}

impl StopSignal {
    /// Waits until `wanted`, or something more urgent, is said. Never, where nobody is left to say it.
    pub(super) async fn wait_for(&self, wanted: Stop) {
        while let Ok(said) = self.0.recv().await {
            if said == wanted {
                return;
            }
        }
        smol::future::pending().await
    }
}

/// A server that runs on a thread of its own. Dropping it lets the server run on.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    url: String,
    stopper: Stopper,
    thread: JoinHandle<Result<(), RunError>>,
}

impl Handle {
    /// Runs a server on a thread and waits until it answers.
    pub(super) fn start(server: Server) -> Result<Self, RunError> {
        let (ready, answers) = mpsc::channel();
        let handle = Self {
            address: server.address(),
            url: server.url(),
            stopper: server.stopper(),
            thread: thread::Builder::new()
                .name("dubhook-server".to_owned())
                .spawn(move || {
                    let tell = move || {
                        // Nobody waits only where the waiting thread is gone.
                        let _ = ready.send(());
                    };
                    server.run_here(tell, smol::future::pending())
                })?,
        };
        match answers.recv() {
            Ok(()) => Ok(handle),
            // It ended before it answered.
            Err(_) => {
                handle.join()?;
                Err(io::Error::from(io::ErrorKind::Interrupted).into())
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What stops it, from any thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Lets it finish what is in flight and waits for its end.
    ///
    /// # Errors
    ///
    /// [`RunError`], where it had ended for another reason.
    ///
    /// # Panics
    ///
    /// If the server panicked.
    pub fn stop(self) -> Result<(), RunError> {
        self.stopper.finish();
        self.join()
    }

    fn join(self) -> Result<(), RunError> {
        match self.thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
