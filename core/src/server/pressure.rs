//! Room for new connections: who has to go when slots get scarce.
//!
//! A slot is held by whoever connects, for as long as each wait may take; many who do nothing could so keep out the next
//! one who has a request. While fewer than a quarter of all slots are free, each new connection therefore ends the wait of
//! an older one: of one that is idle between requests, which may be closed at any time (RFC 9112, section 9.5), or
//! else of one that has not sent a whole head in the time that an honest client takes. Of several that is the one that
//! has waited longest. Bodies have a pace, and answers that are waited for are owed: those stay.
//!
//! Each connection looks at a few slots only, and the next one goes on behind them.

use super::{
    Server,
    conn::{Conn, Waiting},
};
use crate::{slab::Ix, time::Instant};

/// Slots that one new connection looks at.
const LOOKED_AT: u32 = 16;
/// How long a connection may be idle between requests at least, in milliseconds.
const IDLE_MS_MIN: u64 = 1_000;
/// How long a head may take at least, in milliseconds.
const HEAD_MS_MIN: u64 = 3_000;

impl Server<'_> {
    /// Ends the wait of a connection, where slots are scarce and there is one that can go.
    pub(super) fn make_room(&mut self, now: Instant) {
        let capacity = self.conns.capacity();
        if self.conns.room() >= capacity.div_ceil(4) {
            return;
        }
        let mut longest = None;
        for _ in 0..LOOKED_AT {
            let ix = self.looked_at;
            // Behind the last slot comes the first.
            let next = ix.checked_add(1);
            self.looked_at = next
                .filter(|next| next.get() as usize <= capacity)
                .unwrap_or(Ix::MIN);
            let conn = self.conns.get(ix);
            if let Some(waited) = conn.and_then(|conn| self.expendable(conn, now)) {
                longest = longest.max(Some((waited, ix)));
            }
        }
        let Some((_, ix)) = longest else {
            return;
        };
        if let Some(conn) = self.conns.get_mut(ix) {
            conn.deadline = now;
            self.wake(ix);
        }
    }

    /// Whether a connection can go: if so, whether it is idle, and how long it has waited.
    fn expendable(&self, conn: &Conn, now: Instant) -> Option<(bool, u64)> {
        let (idle, allowed_ms, min_ms) = match conn.waiting {
            Waiting::Idle => (true, self.config.idle_ms, IDLE_MS_MIN),
            Waiting::New | Waiting::Head => (false, self.config.head_ms, HEAD_MS_MIN),
            Waiting::Body | Waiting::Answer => return None,
            #[cfg(feature = "hub")]
            Waiting::Held => return None,
        };
        // Nothing is left where it has been told to go already.
        let left_ms = conn.deadline.ms_since(now);
        let waited_ms = allowed_ms.saturating_sub(left_ms);
        (left_ms > 0 && waited_ms >= min_ms).then_some((idle, waited_ms))
    }
}
