//! Text of any length in a pool of small blocks.
//!
//! A job has some strings (URLs, a reference, an error) whose lengths differ by a factor of a
//! hundred. Room for the longest of each in every job would waste most of the memory, so strings live
//! in chains of 64-byte blocks from one pool that the caller lends. A [`Text`] is the strings of one
//! thing, end to end in one chain; each is read back as the pieces it lies in.
//!
//! What must not fail later can be counted in advance: `Pool::reserve` sets blocks aside that only
//! `Pool::store_reserved` takes.
//!
//! A machine has the pool, and who uses it hands strings in as a [`Source`]: also as they stand in a JSON document, which takes no
//! memory to decode them.
//!
//! ```
//! use dubhook_core::{
//!     json::{self, Str}, model::Translation, out::Out, record::Keep, server::{Config, Server, ServerStorage},
//!     service::NewJob, text::Source, time::{Instant, Now, Timestamp},
//! };
//!
//! let now = Now { instant: Instant::ZERO, timestamp: Timestamp::from_unix_ms(1_795_510_800_000) };
//! let mut storage = ServerStorage::<4, 2, 1, 2>::new();
//! let mut server = Server::new(storage.lend(Keep::Nothing), Config::DEVICE, [7; 32]).unwrap();
//!
//! let reference: Str<'_> = json::from_slice(br#""order \"17\"""#).unwrap();
//! let new = NewJob {
//!     video_url: Source::Plain("https://v.test/1.mp4"), target_language: Source::Plain("es"),
//!     source_language: None, reference: Some(Source::Json(reference)), callback_url: None,
//! };
//! let slot = server.submit(now, &new).unwrap().job;
//!
//! let mut memory = [0; 512];
//! let mut out = Out::new(&mut memory);
//! server.service().write_job(slot, &mut out);
//! let job: Translation<Str<'_>> = json::from_slice(out.written()).unwrap();
//! assert!(job.reference.unwrap() == "order \"17\"");
//! ```

mod source;

pub use source::Source;

use crate::{out::Out, slab::Ix};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// Bytes of text that a block holds.
pub const BLOCK_BYTES: usize = 60;

/// A piece of the pool's memory: 64 bytes. Any bytes are a block, so memory of whatever kind can be lent as blocks.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Block {
    bytes: [u8; BLOCK_BYTES],
    /// The next block of the chain, or of the free list; 0 for none.
    next: u32,
}

impl Block {
    /// A block with nothing in it: all zero.
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; BLOCK_BYTES],
        next: 0,
    };
}

/// `FIELDS` strings that lie end to end in one chain of blocks. All zero is `FIELDS` empty strings.
///
/// It must be given back to its pool with [`Pool::free`]; a copy of it is the same text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
pub struct Text<const FIELDS: usize> {
    head: u32,
    lens: [u16; FIELDS],
}

impl<const FIELDS: usize> Text<FIELDS> {
    /// Empty strings, which take no block.
    pub const EMPTY: Self = Self {
        head: 0,
        lens: [0; FIELDS],
    };

    /// The length of string number `field`, in bytes.
    #[must_use]
    pub fn len(&self, field: usize) -> usize {
        self.lens.get(field).copied().unwrap_or(0).into()
    }

    /// Whether string number `field` is empty.
    #[must_use]
    pub fn is_empty(&self, field: usize) -> bool {
        self.len(field) == 0
    }

    /// How many blocks it takes.
    #[must_use]
    pub fn blocks(&self) -> usize {
        blocks_for(self.bytes_total())
    }

    fn bytes_total(&self) -> usize {
        sum(&self.lens)
    }
}

fn sum(lens: &[u16]) -> usize {
    lens.iter().map(|len| usize::from(*len)).sum()
}

/// How many blocks strings of `bytes` bytes in all take.
#[must_use]
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(crate) const fn blocks_for(bytes: usize) -> usize {
    bytes.div_ceil(BLOCK_BYTES)
}

/// Blocks of lent memory, and which of them are free.
#[derive(Debug)]
pub struct Pool<'a> {
    blocks: &'a mut [Block],
    free: u32,
    fresh: usize,
    used: usize,
    reserved: usize,
}

impl<'a> Pool<'a> {
    /// A pool of which nothing is used.
    #[must_use]
    pub(crate) const fn new(blocks: &'a mut [Block]) -> Self {
        Self {
            blocks,
            free: 0,
            fresh: 0,
            used: 0,
            reserved: 0,
        }
    }

    /// How many blocks hold text.
    #[must_use]
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// How many blocks are set aside.
    #[must_use]
    pub(crate) const fn reserved(&self) -> usize {
        self.reserved
    }

    /// How many blocks are neither used nor set aside.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn room(&self) -> usize {
        self.blocks
            .len()
            .saturating_sub(self.used.saturating_add(self.reserved))
    }

    /// Sets `blocks` aside for [`store_reserved`](Self::store_reserved). `false`, and nothing is
    /// changed, where there are not so many.
    #[must_use]
    pub(crate) const fn reserve(&mut self, blocks: usize) -> bool {
        if blocks > self.room() {
            return false;
        }
        self.reserved = self.reserved.saturating_add(blocks);
        true
    }

    /// Gives back what was set aside.
    pub(crate) const fn release(&mut self, blocks: usize) {
        self.reserved = self.reserved.saturating_sub(blocks);
    }

    /// Stores strings. `None`, and nothing is changed, where they do not fit or one is longer than
    /// 65,535 bytes.
    #[must_use]
    pub fn store<const FIELDS: usize>(
        &mut self,
        fields: [impl IntoIterator<Item = u8> + Clone; FIELDS],
    ) -> Option<Text<FIELDS>> {
        let room = self.room();
        self.fill(fields, room)
    }

    /// Stores strings in blocks that were set aside before: `reserved` of them, which are given back
    /// to the pool whether used or not.
    #[must_use]
    pub(crate) fn store_reserved<const FIELDS: usize>(
        &mut self,
        fields: [impl IntoIterator<Item = u8> + Clone; FIELDS],
        reserved: usize,
    ) -> Option<Text<FIELDS>> {
        let room = self.room();
        self.release(reserved);
        self.fill(fields, room.saturating_add(reserved))
    }

    fn fill<const FIELDS: usize>(
        &mut self,
        fields: [impl IntoIterator<Item = u8> + Clone; FIELDS],
        room: usize,
    ) -> Option<Text<FIELDS>> {
        let mut lens = [0; FIELDS];
        let head = self.chain(&fields, &mut lens, room)?;
        Some(Text { head, lens })
    }

    /// Stores strings in a chain of their own, and their lengths in `lens`. `None`, and nothing is used, where they do
    /// not fit.
    fn chain(
        &mut self,
        fields: &[impl IntoIterator<Item = u8> + Clone],
        lens: &mut [u16],
        room: usize,
    ) -> Option<u32> {
        let mut head = 0;
        if self.fill_chain(fields, lens, &mut head, room) {
            return Some(head);
        }
        self.free_chain(head);
        None
    }

    /// Stores strings in the chain that begins with `head`, and their lengths in `lens`. `false` where they do not fit.
    fn fill_chain(
        &mut self,
        fields: &[impl IntoIterator<Item = u8> + Clone],
        lens: &mut [u16],
        head: &mut u32,
        mut room: usize,
    ) -> bool {
        let mut tail = 0u32;
        let mut at = BLOCK_BYTES;
        for (field, len) in fields.iter().zip(lens) {
            let mut field = field.clone().into_iter();
            let mut next = field.next();
            let mut count = 0usize;
            while next.is_some() {
                if at == BLOCK_BYTES {
                    let Some(block) = self.append(head, tail, room) else {
                        return false;
                    };
                    room -= 1;
                    tail = block;
                    at = 0;
                }
                let Some(rest) = self.get_mut(tail).and_then(|b| b.bytes.get_mut(at..)) else {
                    return false;
                };
                let before = at;
                for place in rest {
                    let Some(byte) = next else {
                        break;
                    };
                    *place = byte;
                    at += 1;
                    next = field.next();
                }
                count = count.saturating_add(at - before);
            }
            let Ok(count) = u16::try_from(count) else {
                return false;
            };
            *len = count;
        }
        true
    }

    /// Hangs a block behind `tail`, the last one of the chain at `head`. `None` where there is no `room`.
    fn append(&mut self, head: &mut u32, tail: u32, room: usize) -> Option<u32> {
        let block = if room == 0 { None } else { self.take() }?;
        match self.get_mut(tail) {
            Some(last) => last.next = block,
            None => *head = block,
        }
        Some(block)
    }

    /// Gives a text's blocks back.
    pub fn free<const FIELDS: usize>(&mut self, text: Text<FIELDS>) {
        self.free_chain(text.head);
    }

    fn free_chain(&mut self, mut block: u32) {
        while block != 0 {
            let next = self.get_mut(block).map_or(0, |b| b.next);
            let free = self.free;
            if let Some(b) = self.get_mut(block) {
                b.next = free;
            }
            self.free = block;
            self.used = self.used.saturating_sub(1);
            block = next;
        }
    }

    /// The pieces of string number `field`, in order. A piece may end inside a UTF-8 character.
    pub fn field<const FIELDS: usize>(
        &self,
        text: &Text<FIELDS>,
        field: usize,
    ) -> impl Iterator<Item = &[u8]> + use<'_, FIELDS> {
        let (before, rest) = text.lens.split_at_checked(field).unwrap_or_default();
        let len = rest.first().copied().unwrap_or_default();
        self.pieces(text.head, sum(before), len.into())
    }

    /// The pieces of all strings, end to end.
    #[must_use]
    pub(crate) fn all<const FIELDS: usize>(&self, text: &Text<FIELDS>) -> Pieces<'_> {
        self.pieces(text.head, 0, text.bytes_total())
    }

    /// Writes string number `field` as it is.
    pub fn write<const FIELDS: usize>(&self, text: &Text<FIELDS>, field: usize, out: &mut Out<'_>) {
        for piece in self.field(text, field) {
            out.put(piece);
        }
    }

    fn pieces(&self, head: u32, skip: usize, len: usize) -> Pieces<'_> {
        let mut block = head;
        for _ in 0..skip / BLOCK_BYTES {
            block = self.get(block).map_or(0, |b| b.next);
        }
        Pieces {
            blocks: self.blocks,
            block,
            at: skip % BLOCK_BYTES,
            left: len,
        }
    }

    fn get(&self, block: u32) -> Option<&Block> {
        self.blocks.get((block as usize).checked_sub(1)?)
    }

    fn get_mut(&mut self, block: u32) -> Option<&mut Block> {
        self.blocks.get_mut((block as usize).checked_sub(1)?)
    }

    /// A free block, cut off from any chain.
    fn take(&mut self) -> Option<u32> {
        let block = match Ix::new(self.free) {
            Some(block) => {
                self.free = self.get(block.get())?.next;
                block.get()
            }
            None => {
                let block = u32::try_from(self.fresh + 1).ok()?;
                self.get(block)?;
                self.fresh += 1;
                block
            }
        };
        self.get_mut(block)?.next = 0;
        self.used += 1;
        Some(block)
    }
}

/// The pieces in which a string lies; see [`Pool::field`].
#[derive(Debug, Clone)]
pub(crate) struct Pieces<'a> {
    blocks: &'a [Block],
    block: u32,
    at: usize,
    left: usize,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.left == 0 {
            return None;
        }
        let block = self.blocks.get((self.block as usize).checked_sub(1)?)?;
        let end = BLOCK_BYTES.min(self.at.saturating_add(self.left));
        let piece = block.bytes.get(self.at..end)?;
        self.left = self.left.saturating_sub(piece.len());
        self.at = 0;
        self.block = block.next;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{string::String, vec::Vec};

    fn read(pool: &Pool<'_>, text: &Text<3>, field: usize) -> String {
        let bytes: Vec<u8> = pool.field(text, field).flatten().copied().collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn strings_of_every_length_come_back() {
        let mut memory = [Block::EMPTY; 8];
        let mut pool = Pool::new(&mut memory);
        for first in 0..130 {
            for second in [0, 1, 59, 60, 61, 120] {
                let a = "a".repeat(first);
                let b = "b".repeat(second);
                let text = pool.store([a.bytes(), b.bytes(), "c".bytes()]).unwrap();
                assert_eq!(read(&pool, &text, 0), a);
                assert_eq!(read(&pool, &text, 1), b);
                assert_eq!(read(&pool, &text, 2), "c");
                assert_eq!(read(&pool, &text, 3), "");
                assert_eq!(pool.room(), 8 - blocks_for(first + second + 1));
                pool.free(text);
                assert_eq!(pool.room(), 8);
            }
        }
    }

    #[test]
    fn a_pool_that_is_full_changes_nothing() {
        let mut memory = [Block::EMPTY; 2];
        let mut pool = Pool::new(&mut memory);
        assert_eq!(pool.store(["a".repeat(121).bytes()]), None);
        assert_eq!(pool.room(), 2);
        let text = pool.store(["a".repeat(120).bytes()]).unwrap();
        assert_eq!(pool.room(), 0);
        assert_eq!(pool.store(["b".bytes()]), None);
        pool.free(text);
        assert_eq!(pool.room(), 2);
    }

    #[test]
    fn what_is_reserved_is_there_when_nothing_else_is() {
        let mut memory = [Block::EMPTY; 3];
        let mut pool = Pool::new(&mut memory);
        assert!(pool.reserve(2));
        assert!(!pool.reserve(2));
        assert!(pool.store(["a".repeat(61).bytes()]).is_none());
        let small = pool.store(["a".bytes()]).unwrap();
        assert!(pool.store(["a".bytes()]).is_none());
        let kept = pool.store_reserved(["b".repeat(61).bytes()], 2).unwrap();
        pool.free(small);
        pool.free(kept);
        assert_eq!(pool.room(), 3);
    }
}
