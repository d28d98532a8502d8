//! The durable form of what a service knows: small records, last value wins.
//!
//! A record is one slot of one table. Its [`Key`] says which; its value is bytes that begin with nothing
//! but the fields, in a fixed order, numbers little-endian, text with its length before it. A slot that
//! is free has no record. Whoever stores records needs to know no more than that.
//!
//! [`Write`] and [`Read`] are the two directions; a field that is read in another order than it was
//! written is a bug that the round-trip tests find.
//!
//! ```
//! use dubhook_core::record::{Key, Read, Table, Write};
//!
//! let mut memory = [0; 32];
//! let mut record = Write::new(&mut memory);
//! record.u16(7);
//! record.bytes(b"es");
//! let len = record.finish().unwrap();
//! let mut read = Read::new(&memory[..len]);
//! assert_eq!((read.u16(), read.bytes(), read.is_done()), (7, &b"es"[..], true));
//!
//! let key = Key { table: Table::Event, slot: 258 };
//! assert_eq!(key.to_bytes(), [4, 0, 0, 1, 2]);
//! assert_eq!(Key::from_bytes([4, 0, 0, 1, 2]), Some(key));
//! ```

#[cfg(feature = "records")]
use crate::time::Ran;
use crate::{
    out::{Out, Overflow},
    slab::{Ix, Link},
    time::Timestamp,
};

/// The version of the records' form. A newer one is refused, not guessed at; of older ones all are read.
///
/// - 1: the first.
/// - 2: ages are told in time that the machine ran, no longer by the calendar. Some records have fields more at their end;
///   one that has not is of format 1.
pub const FORMAT_VERSION: u8 = 2;

/// The tables that have records. Restoring goes in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Table {
    /// The format's version and the service's own secret. One record, slot 0.
    Meta = 0,
    /// What was asked for.
    Job = 1,
    /// What became of it.
    State = 2,
    /// Endpoints.
    Endpoint = 3,
    /// Events that somebody is owed.
    Event = 4,
    /// What is owed to whom.
    Stream = 5,
    /// Idempotency keys.
    Key = 6,
}

impl Table {
    /// Every table, in the order of restoring, which is that of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Meta,
        Self::Job,
        Self::State,
        Self::Endpoint,
        Self::Event,
        Self::Stream,
        Self::Key,
    ];
}

/// Which record: a table and a slot of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Key {
    /// The table.
    pub table: Table,
    /// The slot, from 1; 0 for [`Table::Meta`].
    pub slot: u32,
}

impl Key {
    /// The key as bytes that sort as keys do.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 5] {
        let [a, b, c, d] = self.slot.to_be_bytes();
        [self.table as u8, a, b, c, d]
    }

    /// The key that bytes stand for.
    #[must_use]
    pub fn from_bytes([table, a, b, c, d]: [u8; 5]) -> Option<Self> {
        let table = *Table::ALL.get(usize::from(table))?;
        let slot = u32::from_be_bytes([a, b, c, d]);
        Some(Self { table, slot })
    }
}

/// Records that are written in one transaction.
///
/// It comes out of the machine whose records they are and goes back into it once all of them are durable. Nobody else can
/// make one, and there is one at a time.
#[derive(PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "without it the machine never hears that its records are durable"]
pub struct Batch {
    #[cfg(feature = "records")]
    machine: u32,
    #[cfg(feature = "records")]
    number: u64,
    /// Without records there is none.
    #[cfg(not(feature = "records"))]
    pub(crate) never: core::convert::Infallible,
}

impl core::fmt::Debug for Batch {
    #[cfg(feature = "records")]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Batch").field(&self.number).finish()
    }

    #[cfg(not(feature = "records"))]
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.never {}
    }
}

#[cfg(feature = "records")]
impl Batch {
    /// Batch `number` of a machine.
    pub(crate) const fn new(machine: u32, number: u64) -> Self {
        Self { machine, number }
    }
}

/// What is to be stored, as it lies in lent memory. There may be secrets in it, so it is not shown in logs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'m>(&'m [u8]);

impl<'m> Value<'m> {
    /// These bytes.
    #[cfg(feature = "records")]
    pub(crate) const fn new(bytes: &'m [u8]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> &'m [u8] {
        self.0
    }
}

impl core::ops::Deref for Value<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl core::fmt::Debug for Value<'_> {
    /// How long it is, and nothing of what it says.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Value").field(&self.0.len()).finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Value<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Value({})", self.0.len());
    }
}

/// What of a machine outlives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Keep {
    /// Nothing: there are no records, and everything is as good as durable at once.
    Nothing,
    /// Records of what is in memory. With the feature `records`.
    #[cfg(feature = "records")]
    Records,
    /// Records, and an archive: every job as it ended, for longer than memory has it. With the feature `records`.
    #[cfg(feature = "records")]
    Archive,
}

impl Keep {
    /// Whether there are records.
    #[must_use]
    pub const fn records(self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Whether there is an archive.
    #[must_use]
    pub const fn archive(self) -> bool {
        match self {
            Self::Nothing => false,
            #[cfg(feature = "records")]
            Self::Records => false,
            #[cfg(feature = "records")]
            Self::Archive => true,
        }
    }
}

/// Writes the fields of a record.
#[derive(Debug)]
pub struct Write<'a>(Out<'a>);

impl<'a> Write<'a> {
    /// Starts at the beginning of `memory`.
    #[must_use]
    pub const fn new(memory: &'a mut [u8]) -> Self {
        Self(Out::new(memory))
    }

    /// A byte.
    pub fn u8(&mut self, value: u8) {
        self.0.put_byte(value);
    }

    /// A flag.
    pub fn bool(&mut self, value: bool) {
        self.u8(value.into());
    }

    /// A number of 16 bits.
    pub fn u16(&mut self, value: u16) {
        self.0.put(&value.to_le_bytes());
    }

    /// A number of 32 bits.
    pub fn u32(&mut self, value: u32) {
        self.0.put(&value.to_le_bytes());
    }

    /// A number of 64 bits.
    pub fn u64(&mut self, value: u64) {
        self.0.put(&value.to_le_bytes());
    }

    /// A number of 128 bits.
    pub fn u128(&mut self, value: u128) {
        self.0.put(&value.to_le_bytes());
    }

    /// A point in time.
    pub fn timestamp(&mut self, value: Timestamp) {
        self.u64(value.as_unix_ms());
    }

    /// How long the machine had run.
    #[cfg(feature = "records")]
    pub(crate) fn ran(&mut self, value: Ran) {
        self.u64(value.as_ms());
    }

    /// A slot, or none.
    pub fn link(&mut self, value: Link) {
        self.u32(value.map_or(0, Ix::get));
    }

    /// Bytes, at most 65,535 of them, with their length before them. More do not fit into any record.
    pub fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.0.put(value);
    }

    fn length(&mut self, len: usize) {
        match u16::try_from(len) {
            Ok(len) => self.u16(len),
            Err(_) => self.0.overflow(),
        }
    }

    /// Bytes that come in pieces, `len` of them in all, with their length before them.
    pub fn pieces<'p>(&mut self, len: usize, pieces: impl Iterator<Item = &'p [u8]>) {
        self.length(len);
        for piece in pieces {
            self.0.put(piece);
        }
    }

    /// Bytes of a length that the reader knows.
    pub fn raw(&mut self, value: &[u8]) {
        self.0.put(value);
    }

    /// The record's length.
    ///
    /// # Errors
    ///
    /// [`Overflow`] where the memory was too short for it, or what it should hold too long.
    pub const fn finish(self) -> Result<usize, Overflow> {
        self.0.finish()
    }
}

/// Reads the fields of a record.
///
/// It remembers whether a field was missing or held what was never written; that one and all after it read as zeros. So
/// fields are read without checking each, and the reader looks once, at the end: [`is_done`](Self::is_done).
#[derive(Debug)]
pub struct Read<'a> {
    /// `None` once something was wrong.
    rest: Option<&'a [u8]>,
}

impl<'a> Read<'a> {
    /// Starts at the beginning of `record`.
    #[must_use]
    pub const fn new(record: &'a [u8]) -> Self {
        Self { rest: Some(record) }
    }

    /// Whether everything was read, and nothing was wrong with it.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.rest, Some([]))
    }

    /// How long the machine had run.
    #[cfg(feature = "records")]
    pub(crate) fn ran(&mut self) -> Ran {
        Ran::from_ms(self.u64())
    }

    /// A byte.
    pub fn u8(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// A flag.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn bool(&mut self) -> bool {
        let byte = self.u8();
        if byte > 1 {
            self.rest = None;
        }
        byte == 1
    }

    /// A number of 16 bits.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    /// A number of 32 bits.
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// A number of 64 bits.
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// A number of 128 bits.
    pub fn u128(&mut self) -> u128 {
        u128::from_le_bytes(self.array())
    }

    /// A point in time.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn timestamp(&mut self) -> Timestamp {
        Timestamp::from_unix_ms(self.u64())
    }

    /// A slot, or none.
    pub fn link(&mut self) -> Link {
        Ix::new(self.u32())
    }

    /// Bytes with their length before them.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = self.u16();
        self.take(len.into()).unwrap_or_default()
    }

    /// Text with its length before it.
    pub fn text(&mut self) -> &'a str {
        let text = core::str::from_utf8(self.bytes());
        if text.is_err() {
            self.rest = None;
        }
        text.unwrap_or_default()
    }

    /// Bytes of a known length.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Takes the next bytes into all of `room`.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn fill(&mut self, room: &mut [u8]) {
        if let Some(bytes) = self.take(room.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// The next `len` bytes, if there are so many and nothing was wrong before.
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.take()?.split_at_checked(len)?;
        self.rest = Some(rest);
        Some(bytes)
    }
}

/// What a record can hold: it is written, and read back, field by field.
///
/// ```
/// use dubhook_core::record::{Read, Stored, Write};
///
/// #[derive(Debug, PartialEq)]
/// struct Door { open: bool, moves: u32 }
///
/// impl Stored for Door {
///     const BYTES_MAX: usize = 5;
///     fn write(&self, record: &mut Write<'_>) {
///         record.bool(self.open);
///         record.u32(self.moves);
///     }
///     fn read(record: &mut Read<'_>) -> Option<Self> {
///         Some(Self { open: record.bool(), moves: record.u32() })
///     }
/// }
///
/// let mut memory = [0; 8];
/// let mut record = Write::new(&mut memory);
/// Door { open: true, moves: 9 }.write(&mut record);
/// let len = record.finish().unwrap();
/// assert_eq!(Door::read(&mut Read::new(&memory[..len])), Some(Door { open: true, moves: 9 }));
/// ```
pub trait Stored: Sized {
    /// The most bytes that [`write`](Self::write) writes: how much memory is lent for a record hangs on it.
    const BYTES_MAX: usize;

    /// Writes it.
    fn write(&self, record: &mut Write<'_>);

    /// Reads it back. `None` where no such thing was written; whether there were enough bytes the reader's owner sees.
    fn read(record: &mut Read<'_>) -> Option<Self>;
}

impl Stored for bool {
    const BYTES_MAX: usize = 1;

    fn write(&self, record: &mut Write<'_>) {
        record.bool(*self);
    }

    fn read(record: &mut Read<'_>) -> Option<Self> {
        Some(record.bool())
    }
}

impl Stored for u8 {
    const BYTES_MAX: usize = 1;

    fn write(&self, record: &mut Write<'_>) {
        record.u8(*self);
    }

    fn read(record: &mut Read<'_>) -> Option<Self> {
        Some(record.u8())
    }
}

impl Stored for u32 {
    const BYTES_MAX: usize = 4;

    fn write(&self, record: &mut Write<'_>) {
        record.u32(*self);
    }

    fn read(record: &mut Read<'_>) -> Option<Self> {
        Some(record.u32())
    }
}
