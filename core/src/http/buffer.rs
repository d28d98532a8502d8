//! The receive buffer that a caller lends: bytes, and which of them are filled.

use crate::out::move_down;
use core::ops::Range;

/// A lent slice and the part of it that holds received bytes.
///
/// The view is made for one call or one loop and costs nothing to make again: whoever owns the
/// memory keeps [`filled_range`](Self::filled_range) between the calls, and needs no lifetime for
/// it.
///
/// Bytes leave at the front in O(1). They are moved only when [`room`](Self::room) is asked for, so
/// a burst of pipelined requests costs one move and not one for each request. At most 4 GiB − 1 are
/// used.
///
/// ```
/// use dubhook_core::http::RecvBuf;
///
/// let mut memory = [0u8; 8];
/// let mut buf = RecvBuf::new(&mut memory, 0);
/// buf.room()[..5].copy_from_slice(b"hello"); // a socket's read goes here
/// buf.commit(5);
/// buf.discard_front(4);
/// assert_eq!(buf.filled(), b"o");
/// assert_eq!(buf.room().len(), 7);
/// ```
#[derive(Debug)]
pub struct RecvBuf<'a> {
    bytes: &'a mut [u8],
    /// Never past `end`.
    start: usize,
    /// Never past the slice.
    end: usize,
}

impl<'a> RecvBuf<'a> {
    /// A view of `bytes` of which the first `len` are filled.
    #[must_use]
    pub fn new(bytes: &'a mut [u8], len: usize) -> Self {
        Self::resume(bytes, 0..len)
    }

    /// A view of `bytes` of which `filled` are filled, as an earlier view's
    /// [`filled_range`](Self::filled_range) told. A range outside `bytes` is cut to fit.
    #[must_use]
    pub fn resume(bytes: &'a mut [u8], filled: Range<usize>) -> Self {
        // Parsers keep positions in 32 bits.
        let usable = bytes.len().min(u32::MAX as usize);
        let end = filled.end.min(usable);
        Self {
            bytes: bytes.get_mut(..usable).unwrap_or_default(),
            start: filled.start.min(end),
            end,
        }
    }

    /// Which bytes of the lent slice are filled.
    #[must_use]
    pub const fn filled_range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The number of bytes filled.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether nothing is filled.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether nothing more can be received before something is taken out.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.len() == self.bytes.len()
    }

    /// The number of bytes that can be filled in all.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// What was received and not taken out.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// What was received and not taken out, for decoding in place.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn filled_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Where the next bytes are to be received; follow with [`commit`](Self::commit).
    ///
    /// Moves what is filled to the front first, so this is all the room there is.
    #[must_use]
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            let len = self.len();
            move_down(self.bytes, self.start, 0, len);
            self.start = 0;
            self.end = len;
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Counts the first `n` bytes of [`room`](Self::room) as filled; more than there is room for
    /// counts as all of it.
    pub fn commit(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.bytes.len());
    }

    /// Drops the first `n` filled bytes; more than there are drops all.
    pub fn discard_front(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Takes the bytes of `gap` out of the filled ones and closes the gap. Does nothing if it lies
    /// outside.
    pub(super) fn remove(&mut self, gap: Range<usize>) {
        let filled = self.filled_mut();
        let len = filled.len();
        if gap.start < gap.end && gap.end <= len {
            move_down(filled, gap.end, gap.start, len.saturating_sub(gap.end));
            self.end = self.end.saturating_sub(gap.end.saturating_sub(gap.start));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filled: Range<usize>, change: impl FnOnce(&mut RecvBuf<'_>), expect: &[u8]) {
        let mut memory = *b"0123456789";
        let mut buf = RecvBuf::resume(&mut memory, filled);
        change(&mut buf);
        assert_eq!(buf.filled(), expect);
        assert_eq!(buf.len(), expect.len());
        assert_eq!(buf.room().len(), 10 - expect.len());
        // Making room must not change what is filled.
        assert_eq!(buf.filled(), expect);
    }

    #[test]
    fn bytes_leave_at_the_front() {
        check(0..10, |b| b.discard_front(3), b"3456789");
        check(2..6, |b| b.discard_front(1), b"345");
        check(2..6, |b| b.discard_front(usize::MAX), b"");
    }

    #[test]
    fn a_gap_is_closed() {
        check(0..10, |b| b.remove(2..5), b"0156789");
        check(3..9, |b| b.remove(4..6), b"3456");
        check(3..9, |b| b.remove(5..7), b"345678");
        check(3..9, |b| b.remove(2..2), b"345678");
    }

    #[test]
    fn nonsense_from_the_caller_is_cut_to_fit() {
        check(8..99, |_| {}, b"89");
        check(Range { start: 7, end: 3 }, |_| {}, b"");
        check(0..2, |b| b.commit(usize::MAX), b"0123456789");
    }

    #[test]
    fn it_is_full_only_when_no_move_would_make_room() {
        let mut memory = [0u8; 4];
        let mut buf = RecvBuf::new(&mut memory, 4);
        assert!(buf.is_full());
        buf.discard_front(1);
        assert!(!buf.is_full());
        assert_eq!(buf.room().len(), 1);
    }
}
