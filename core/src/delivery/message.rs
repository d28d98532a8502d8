//! What the outbox must know of that which is told.

use crate::time::Timestamp;
use core::fmt::Debug;
use zerocopy::FromZeros;

/// Something that is told of a subject. The outbox keeps it as it is, and asks it for its place and its weight.
///
/// It is small and plain: what the receiver gets is rendered from it at each attempt, so whatever goes into that and may
/// change later belongs into it. All zero bytes must be a value of it, and so of its filter: that is what `FromZeros` says,
/// which is derived. Its crate, in the right version, is [`dispatch::zerocopy`](crate::dispatch::zerocopy).
///
/// ```
/// use dubhook_core::{dispatch::{Message, zerocopy::FromZeros}, time::Timestamp};
///
/// /// An order was packed, or left the house.
/// #[derive(Debug, Clone, Copy, PartialEq, FromZeros)]
/// #[zerocopy(crate = "dubhook_core::dispatch::zerocopy")]
/// struct Step { at: Timestamp, number: u32, left: bool }
///
/// impl Message for Step {
///     type Filter = bool; // every step, or with `true` the last alone
///     const EMPTY: Self = Self { at: Timestamp::EPOCH, number: 0, left: false };
///     const NO_FILTER: bool = false;
///     fn sequence(&self) -> u32 { self.number }
///     fn at(&self) -> Timestamp { self.at }
///     fn is_last(&self) -> bool { self.left }
///     fn passes(&self, last: bool) -> bool { self.left || !last }
/// }
/// ```
pub trait Message: Copy + PartialEq + Debug + FromZeros {
    /// Which messages a receiver wants.
    type Filter: Copy + Debug + FromZeros;

    /// A filler for empty slots: all zero.
    const EMPTY: Self;

    /// A filter for lanes that nobody has: all zero.
    const NO_FILTER: Self::Filter;

    /// Its number among those of its subject, which only grows.
    fn sequence(&self) -> u32;

    /// When it happened.
    fn at(&self) -> Timestamp;

    /// Its kind, a number of the user's own, by which the log of attempts tells it from others.
    fn kind(&self) -> u8 {
        0
    }

    /// Whether a newer message of its subject makes it needless, as a reading does the one before. Such a message is left
    /// out where it was overtaken before it was sent; every other one is sent. No room is kept for it.
    fn may_be_overtaken(&self) -> bool {
        false
    }

    /// Whether its subject tells nothing after it.
    fn is_last(&self) -> bool {
        false
    }

    /// Whether a receiver with this filter wants it.
    fn passes(&self, _filter: Self::Filter) -> bool {
        true
    }
}
