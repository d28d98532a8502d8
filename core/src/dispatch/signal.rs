//! A ready-made event: a kind and a number. For whatever needs more, an event of one's own.

use crate::{
    delivery::Message,
    record::{Read, Stored, Write},
    time::Timestamp,
};
use zerocopy::FromZeros;

/// What a signal is beside those that come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub(crate) enum Weight {
    /// A change: each one is told.
    Change = 0,
    /// A reading: of several that wait, the newest is told.
    Reading = 1,
    /// The last of its subject.
    Last = 2,
}

impl Weight {
    const ALL: [Self; 3] = [Self::Change, Self::Reading, Self::Last];
}

/// Something that is a kind and a number: a door was opened, it is 19.5 degrees there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Signal {
    /// When.
    pub at: Timestamp,
    /// Its number inside its subject: 1, 2, 3…
    pub sequence: u32,
    /// The number.
    pub value: i32,
    /// What it is, as its user counts kinds: 0 to 31. Of others only those are told who want [`Kinds::ALL`].
    pub kind: u8,
    /// What it is beside others.
    weight: Weight,
}

impl Signal {
    /// Something has changed.
    #[must_use]
    pub const fn change(at: Timestamp, sequence: u32, kind: u8, value: i32) -> Self {
        Self {
            at,
            sequence,
            value,
            kind,
            weight: Weight::Change,
        }
    }

    /// Something was read, and takes the place of what was read before.
    #[must_use]
    pub const fn reading(at: Timestamp, sequence: u32, kind: u8, value: i32) -> Self {
        Self {
            weight: Weight::Reading,
            ..Self::change(at, sequence, kind, value)
        }
    }

    /// Something has changed for the last time: its subject tells nothing after it.
    #[must_use]
    pub const fn last(at: Timestamp, sequence: u32, kind: u8, value: i32) -> Self {
        Self {
            weight: Weight::Last,
            ..Self::change(at, sequence, kind, value)
        }
    }
}

/// A set of kinds of signal: what an endpoint wants.
///
/// ```
/// use dubhook_core::dispatch::Kinds;
///
/// let kinds = Kinds::of(&[0, 2]);
/// assert!(kinds.has(2) && !kinds.has(1) && Kinds::ALL.has(31));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Kinds(u32);

impl Kinds {
    /// None.
    pub const NONE: Self = Self(0);
    /// Every kind, also one that has no place in a set.
    pub const ALL: Self = Self(u32::MAX);

    /// These kinds.
    #[must_use]
    pub fn of(kinds: &[u8]) -> Self {
        Self(kinds.iter().fold(0, |set, kind| set | bit(*kind)))
    }

    /// Whether a kind is among them.
    #[must_use]
    pub const fn has(self, kind: u8) -> bool {
        self.0 == u32::MAX || self.0 & bit(kind) != 0
    }
}

/// The bit of a kind; none where it is no kind.
const fn bit(kind: u8) -> u32 {
    if kind < 32 { 1 << kind } else { 0 }
}

impl Message for Signal {
    type Filter = Kinds;

    const EMPTY: Self = Self {
        at: Timestamp::EPOCH,
        sequence: 0,
        value: 0,
        kind: 0,
        weight: Weight::Change,
    };
    const NO_FILTER: Kinds = Kinds::NONE;

    fn sequence(&self) -> u32 {
        self.sequence
    }

    fn at(&self) -> Timestamp {
        self.at
    }

    fn kind(&self) -> u8 {
        self.kind
    }

    fn may_be_overtaken(&self) -> bool {
        self.weight == Weight::Reading
    }

    fn is_last(&self) -> bool {
        self.weight == Weight::Last
    }

    fn passes(&self, kinds: Kinds) -> bool {
        kinds.has(self.kind)
    }
}

impl Stored for Signal {
    const BYTES_MAX: usize = 8 + 4 + 4 + 1 + 1;

    fn write(&self, record: &mut Write<'_>) {
        record.timestamp(self.at);
        record.u32(self.sequence);
        record.u32(self.value.cast_unsigned());
        record.u8(self.kind);
        record.u8(self.weight as u8);
    }

    fn read(record: &mut Read<'_>) -> Option<Self> {
        Some(Self {
            at: record.timestamp(),
            sequence: record.u32(),
            value: record.u32().cast_signed(),
            kind: record.u8(),
            weight: *Weight::ALL.get(usize::from(record.u8()))?,
        })
    }
}

impl Stored for Kinds {
    const BYTES_MAX: usize = 4;

    fn write(&self, record: &mut Write<'_>) {
        record.u32(self.0);
    }

    fn read(record: &mut Read<'_>) -> Option<Self> {
        Some(Self(record.u32()))
    }
}
