//! A server on a thread of its own.

use super::{
    run::{RunError, Server},
    stop::Stopper,
};
use futures_lite::future;
use std::{
    io,
    net::SocketAddr,
    sync::mpsc,
    thread::{self, JoinHandle},
};

/// A server that runs on a thread of its own. Dropping it lets the server run on.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    url: String,
    stopper: Stopper,
    thread: JoinHandle<Result<(), RunError>>,
}

impl Server {
    /// Runs it on a thread of its own. Returns once it answers.
    ///
    /// # Errors
    ///
    /// [`RunError`], where it does not come that far.
    pub fn start(self) -> Result<Handle, RunError> {
        Handle::start(self)
    }
}

impl Handle {
    /// Runs a server on a thread and waits until it answers.
    fn start(server: Server) -> Result<Self, RunError> {
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
                    server.run_here(tell, future::pending())
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
