//! What is known of where an origin is.

use dubhook_core::time::Instant;
use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    rc::Rc,
};

/// How long a kept connection is used without looking its name up anew, in milliseconds.
const FRESH_MS: u64 = 60_000;

/// Where an origin is, as far as is known. All its connections share it.
#[derive(Debug)]
pub(crate) struct Known {
    /// The origin, as [`write_origin`](super::write_origin) has it.
    pub(crate) origin: Rc<str>,
    addresses: RefCell<Vec<IpAddr>>,
    /// When it is to be looked up anew; never, where it is an address.
    until: Cell<Option<Instant>>,
}

impl Known {
    pub(super) fn new(origin: &str) -> Self {
        Self {
            origin: origin.into(),
            addresses: RefCell::default(),
            until: Cell::default(),
        }
    }

    /// Whether it is to be looked up before a connection that is kept is used.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        self.until.get().is_some_and(|until| until <= now)
    }

    /// It is being looked up, and what is kept is used meanwhile.
    pub(crate) fn put_off(&self, now: Instant) {
        self.until.set(Some(now.after_ms(FRESH_MS)));
    }

    /// It may be elsewhere by now.
    pub(crate) fn doubt(&self) {
        if self.until.get().is_some() {
            self.until.set(Some(Instant::ZERO));
        }
    }

    pub(super) fn looked_up(&self, now: Instant, addresses: Vec<IpAddr>, again: bool) {
        self.addresses.replace(addresses);
        self.until.set(again.then(|| now.after_ms(FRESH_MS)));
    }

    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.addresses.borrow().contains(&address)
    }
}
