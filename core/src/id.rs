//! Names that say when and where: TypeIDs of jobs, events and endpoints.
//!
//! An id is a UUID of version 7 (RFC 9562, section 5.7) written as a TypeID: a prefix, `_`, and 26
//! letters of Crockford's base32. Ids sort by the time they were made.
//!
//! Of a UUID's 74 free bits, 12 are a counter that starts at random (RFC 9562, section 6.2, method 1), 28 are random, 24 hold
//! the slot of the table in which the thing lives, and 10, the letters 20 and 21 of the text, are kept for the shard that has
//! the table: 0, since there is one. The counter keeps ids in the order in which they were
//! made, whatever the clock does, so a table that is sorted by id is in that order again after a restart.
//!
//! Finding a job by its id is therefore one look at one slot, whatever the number of jobs: no
//! hash map to size, to fill with chosen keys, or to keep in step. A stale id finds its slot taken by
//! another id and names nothing. An event's id is its job's with the time of the event, and its
//! sequence in place of the slot; it need not be stored and is the same at every attempt.
//!
//! ```
//! use dubhook_core::{id::{Id, Ix, Prefix}, random::Random, time::Timestamp};
//!
//! let mut random = Random::new([1; 32]);
//! let at = Timestamp::from_unix_ms(1_795_510_800_123);
//! let id = Id::new(at, Ix::new(5).unwrap(), &mut random);
//! let text = id.text(Prefix::Job);
//! assert!(text.starts_with("job_01"));
//! assert_eq!(Id::parse(Prefix::Job, &text), Some(id));
//! assert_eq!(id.slot(), Ix::new(5));
//! ```

pub use crate::slab::{Ix, SLOTS_MAX};

use crate::{out::Out, random::Random, time::Timestamp};
use zerocopy::FromZeros;

/// What kind of thing an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Prefix {
    /// `job_`, a translation.
    Job,
    /// `evt_`, an event; also the `webhook-id` of its deliveries.
    Event,
    /// `ep_`, a webhook endpoint.
    Endpoint,
    /// `med_`, an upload.
    #[cfg(feature = "media")]
    Media,
}

impl Prefix {
    /// The prefix as text, with its underscore.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job_",
            Self::Event => "evt_",
            Self::Endpoint => "ep_",
            #[cfg(feature = "media")]
            Self::Media => "med_",
        }
    }
}

/// An id without its prefix: 128 bits. All zero is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Id {
    /// The upper half. Two halves and not one number, which would want rows to begin at a multiple of 16 bytes.
    high: u64,
    low: u64,
}

/// An id as text, at most 30 bytes.
pub(crate) type IdText = heapless::String<30>;

const SLOT_BITS: u32 = 24;
const SLOT_MASK: u128 = (1 << SLOT_BITS) - 1;
const VERSION: u128 = 7 << 76;
const VARIANT: u128 = 2 << 62;
/// One step of the counter, and the bits in which it is.
const COUNT: u128 = 1 << 64;
const COUNT_MASK: u128 = 0xfff << 64;
/// The counter starts below its half, so that there is room to count.
const COUNT_START_MASK: u128 = 0x7ff << 64;
/// Where an id will say which shard has it, once there is more than one: ids are for ever.
const SHARD_MASK: u128 = 0x3ff << 25;
const RANDOM_MASK: u128 = !(u128::MAX << 62) & !SLOT_MASK & !SHARD_MASK;
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

/// What each byte stands for as a letter.
const DIGITS_OF: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut rest: &[u8] = LETTERS;
    let mut digit = 0;
    while let [letter, tail @ ..] = rest {
        let (_, from) = digits.split_at_mut(*letter as usize);
        if let [place, ..] = from {
            *place = digit;
        }
        digit += 1;
        rest = tail;
    }
    digits
};
/// No letter.
const NO_DIGIT: u8 = 0xff;

impl Id {
    /// No id.
    pub const NONE: Self = Self { high: 0, low: 0 };

    /// A new id for what is made at `at` and lives in `slot`.
    #[must_use]
    pub fn new(at: Timestamp, slot: Ix, random: &mut Random) -> Self {
        let bytes = random.bytes();
        let (half, _) = bytes.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        let noise = u128::from_be_bytes(*half) & (RANDOM_MASK | COUNT_START_MASK);
        Self::from_bits(
            (u128::from(at.as_unix_ms()) << 80)
                | VERSION
                | VARIANT
                | noise
                | (u128::from(slot.get()) & SLOT_MASK),
        )
    }

    /// A new id as by [`new`](Self::new) that sorts behind `previous`, the one made before, though it is made in the same
    /// millisecond or the clock was set back.
    #[must_use]
    pub fn after(previous: Option<Self>, at: Timestamp, slot: Ix, random: &mut Random) -> Self {
        let id = Self::new(at, slot, random);
        let Some(previous) = previous else {
            return id;
        };
        let at_ms = (previous.to_bits() >> 80) as u64;
        if at.as_unix_ms() > at_ms {
            return id;
        }
        if previous.to_bits() & COUNT_MASK == COUNT_MASK {
            return Self::new(
                Timestamp::from_unix_ms(at_ms.saturating_add(1)),
                slot,
                random,
            );
        }
        let order = u128::MAX << 80 | COUNT_MASK;
        Self::from_bits((previous.to_bits() & order).wrapping_add(COUNT) | (id.to_bits() & !order))
    }

    /// The id of event number `sequence` that befell the thing with this id at `at`.
    #[must_use]
    pub const fn event(self, sequence: u32, at: Timestamp) -> Self {
        let kept = self.to_bits() & !(u128::MAX << 80) & !SLOT_MASK;
        Self::from_bits(((at.as_unix_ms() as u128) << 80) | kept | (sequence as u128 & SLOT_MASK))
    }

    /// The sequence of the event of `job` that this id names; `None` where it is no event of that job.
    #[cfg(feature = "hub")]
    #[must_use]
    pub(crate) fn sequence_in(self, job: Self) -> Option<u32> {
        let sequence = (self.to_bits() & SLOT_MASK) as u32;
        let at = Timestamp::from_unix_ms((self.to_bits() >> 80) as u64);
        (job.event(sequence, at) == self).then_some(sequence)
    }

    /// When the thing was made.
    #[cfg(feature = "media")]
    #[must_use]
    pub(crate) const fn made_at(self) -> Timestamp {
        Timestamp::from_unix_ms((self.to_bits() >> 80) as u64)
    }

    /// The slot that the id names, if it can name one.
    #[must_use]
    pub const fn slot(self) -> Option<Ix> {
        Ix::new((self.to_bits() & SLOT_MASK) as u32)
    }

    /// The id as a number, for records.
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// The id that a record holds.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self {
            high: (bits >> 64) as u64,
            low: bits as u64,
        }
    }

    /// The id as text.
    #[must_use]
    pub fn text(self, prefix: Prefix) -> heapless::String<30> {
        let mut memory = [0u8; 30];
        let mut out = Out::new(&mut memory);
        self.write(prefix, &mut out);
        let text = core::str::from_utf8(out.written()).unwrap_or_default();
        IdText::try_from(text).unwrap_or_default()
    }

    /// Writes the id as text.
    pub fn write(self, prefix: Prefix, out: &mut Out<'_>) {
        out.put(prefix.as_str().as_bytes());
        let mut letters = [b'0'; DIGITS];
        // 10, 8 and 8 letters of five bits: 64 bits shift faster than 128.
        if let Some((high, rest)) = letters.split_first_chunk_mut::<10>()
            && let Some((middle, low)) = rest.split_first_chunk_mut::<8>()
        {
            write_letters((self.to_bits() >> 80) as u64, high);
            write_letters((self.to_bits() >> 40) as u64, middle);
            write_letters(self.to_bits() as u64, low);
        }
        out.put(&letters);
    }

    /// Reads an id of the given kind; `None` for anything that [`text`](Self::text) would not write.
    #[must_use]
    pub fn parse(prefix: Prefix, text: &str) -> Option<Self> {
        let letters = text.strip_prefix(prefix.as_str())?.as_bytes();
        if letters.len() != DIGITS {
            return None;
        }
        let mut bits = 0u128;
        for (place, letter) in letters.iter().enumerate() {
            let digit = *DIGITS_OF.get(usize::from(*letter))?;
            if digit == NO_DIGIT {
                return None;
            }
            // 26 letters hold 130 bits; the first one may only use three of its five.
            if place == 0 && digit > 7 {
                return None;
            }
            bits = (bits << 5) | u128::from(digit);
        }
        Some(Self::from_bits(bits))
    }
}

/// Writes the lowest bits, five to a letter.
fn write_letters(mut bits: u64, letters: &mut [u8]) {
    for letter in letters.iter_mut().rev() {
        let digit = (bits & 31) as usize;
        *letter = LETTERS.get(digit).copied().unwrap_or(b'0');
        bits >>= 5;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Id {
        let at = Timestamp::from_unix_ms(1_795_510_800_123);
        Id::new(at, Ix::new(0xab_cdef).unwrap(), &mut Random::new([9; 32]))
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7() {
        let bits = sample().to_bits();
        assert_eq!(bits >> 80, 1_795_510_800_123);
        assert_eq!((bits >> 76) & 0xf, 7);
        assert_eq!((bits >> 62) & 3, 2);
        assert_eq!(sample().slot().unwrap().get(), 0xab_cdef);
    }

    #[test]
    fn ids_sort_in_the_order_in_which_they_were_made_whatever_the_clock_does() {
        let mut random = Random::new([9; 32]);
        let mut previous = None;
        for round in 0..20_000u64 {
            // Forward, standing still, and back by an hour.
            let at = Timestamp::from_unix_ms(
                1_795_510_800_000 + (round / 9_000) * 3_600_000 % 7_200_000,
            );
            let slot = Ix::new(20_001 - round as u32).unwrap();
            let id = Id::after(previous, at, slot, &mut random);
            assert!(Some(id) > previous);
            assert_eq!(id.slot(), Some(slot));
            assert_eq!((id.to_bits() >> 76) & 0xf, 7);
            assert_eq!((id.to_bits() >> 62) & 3, 2);
            previous = Some(id);
        }
    }

    /// The letters 20 and 21 are kept for the number of a shard, in the id of a job and in those of its events.
    #[test]
    fn two_letters_are_kept() {
        let mut random = Random::new([9; 32]);
        let mut previous = None;
        for ms in 0..1_000 {
            let at = Timestamp::from_unix_ms(1_795_510_800_000 + ms);
            let id = Id::after(previous, at, Ix::MIN, &mut random);
            for id in [id, id.event(3, at)] {
                assert_eq!(id.text(Prefix::Job).get(23..25), Some("00"));
            }
            previous = Some(id);
        }
    }

    #[test]
    fn text_goes_there_and_back_and_nothing_else_is_read() {
        let id = sample();
        let text = id.text(Prefix::Endpoint);
        assert_eq!(text.len(), 29);
        assert_eq!(Id::parse(Prefix::Endpoint, &text), Some(id));
        assert_eq!(Id::parse(Prefix::Job, &text), None);
        let max = Id::from_bits(u128::MAX);
        assert_eq!(max.text(Prefix::Job), "job_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        for bad in [
            "",
            "job_",
            "job_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "job_7zzzzzzzzzzzzzzzzzzzzzzzz",
            "job_7zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "job_7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "job_7zzzzzzzzzzzzzzzzzzzzzzzzi",
            "JOB_7zzzzzzzzzzzzzzzzzzzzzzzzz",
        ] {
            assert_eq!(Id::parse(Prefix::Job, bad), None, "{bad}");
        }
    }

    #[test]
    fn events_of_one_job_have_different_ids_that_sort_by_time() {
        let job = sample();
        let first = job.event(1, Timestamp::from_unix_ms(1_795_510_800_123));
        let second = job.event(2, Timestamp::from_unix_ms(1_795_510_800_123));
        let third = job.event(3, Timestamp::from_unix_ms(1_795_510_800_124));
        assert!(first < second && second < third);
        assert_eq!(
            first,
            job.event(1, Timestamp::from_unix_ms(1_795_510_800_123))
        );
    }
}
