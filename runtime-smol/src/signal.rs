//! A flag that one task waits for and others of the same thread raise.

use std::{
    cell::{Cell, RefCell},
    task::{Context, Poll, Waker},
};

/// A flag. Raising it twice before it is seen is raising it once.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Signal {
    /// Raises the flag and wakes the task that waits for it.
    pub(crate) fn raise(&self) {
        self.raised.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Lowers the flag. Whether it was up.
    pub(crate) fn take(&self) -> bool {
        self.raised.take()
    }

    /// Waits until the flag is up. It stays up.
    pub(crate) fn poll_raised(&self, cx: &Context<'_>) -> Poll<()> {
        if self.raised.get() {
            return Poll::Ready(());
        }
        wait(&self.waker, cx);
        Poll::Pending
    }

    /// Waits until the flag is up. It stays up.
    pub(crate) async fn raised(&self) {
        std::future::poll_fn(|cx| self.poll_raised(cx)).await;
    }
}

/// Keeps the waker of the task that is polled, without making a new one where it is the same task as before.
pub(crate) fn wait(waker: &RefCell<Option<Waker>>, cx: &Context<'_>) {
    match &mut *waker.borrow_mut() {
        Some(waker) => waker.clone_from(cx.waker()),
        none => *none = Some(cx.waker().clone()),
    }
}
