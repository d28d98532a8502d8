//! Stopping a server from outside.

use futures_lite::future;
use smol::channel::{Receiver, Sender, unbounded};
use std::time::Duration;

/// How long what is in flight may take after the server was told to stop.
pub(super) const FINISH_MAX: Duration = Duration::from_secs(10);

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
        future::pending().await
    }
}
