//! Both machines as tasks of any executor: sockets of `embedded-io-async`, and a clock, a network and a store of the caller's.
//!
//! A machine is shared by tasks of one thread, and no borrow of it lives across an `await`. Each task sleeps until its socket
//! has something, its timer rings, or the machine names what it waits for; nothing is asked over and over. Nothing is allocated
//! and nothing is spawned: who has an executor gives each `async fn` a task, as often as its documentation says.
//!
//! ```text
//!                 serve ×CONNS ──► ┌────────┐ ──► deliver ×ATTEMPTS        ask ──► ┌────────┐ ◄── listen
//!   (connections of callers)       │ Server │      (to receivers)                  │ Client │     (webhooks)
//!             translate ×1 ◄─────► └────────┘ ◄─► run ×1 (timers, records)         └────────┘
//! ```

mod client;
mod server;

pub use client::ClientDriver;
pub use server::ServerDriver;

use core::{future::Future, net::SocketAddr, pin::pin};
use dubhook_core::{
    log::AttemptError,
    record::{Key, Value},
    time::{Instant, Now},
    url::Url,
};
use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};

/// Tells the time, and waits.
pub trait Clock {
    /// The present moment.
    fn now(&self) -> Now;

    /// Ends at `moment`, or soon after.
    fn sleep_until(&self, moment: Instant) -> impl Future<Output = ()>;
}

/// Makes connections. A read that is dropped before it has ended has taken nothing.
pub trait Network {
    /// A connection; dropping it closes it.
    type Socket: Read + Write;

    /// The next connection that somebody makes to this side.
    fn accept(&self) -> impl Future<Output = Option<Self::Socket>>;

    /// A connection to where `url` leads, at an address that `permits` lets pass.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn connect(
        &self,
        url: &Url<'_>,
        permits: impl Fn(SocketAddr) -> bool,
    ) -> impl Future<Output = Result<Self::Socket, AttemptError>>;
}

/// Keeps records.
pub trait Store {
    /// Why records could not be kept.
    type Error: core::error::Error + 'static;

    /// Changes a record, or deletes it, with the next [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// Where there is no room.
    fn save(
        &mut self,
        key: Key,
        value: Option<Value<'_>>,
    ) -> impl Future<Output = Result<(), Self::Error>>;

    /// Makes all that was changed durable at once.
    ///
    /// # Errors
    ///
    /// Where nothing of it is durable.
    fn commit(&mut self) -> impl Future<Output = Result<(), Self::Error>>;
}

/// What comes of `future`, unless it is later than `moment` by then.
async fn before<T>(
    clock: &impl Clock,
    moment: Instant,
    future: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(future), pin!(clock.sleep_until(moment))).await {
        Either::First(done) => Some(done),
        Either::Second(()) => None,
    }
}

/// Ends at `moment`; never where there is none.
async fn until(clock: &impl Clock, moment: Option<Instant>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => core::future::pending().await,
    }
}
