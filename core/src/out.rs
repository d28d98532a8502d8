//! Output into memory that the caller lends.
//!
//! Everything this crate renders (a response head, a JSON body, a signature) goes through [`Out`]:
//! a cursor over a lent slice that remembers whether something did not fit. Rendering code writes
//! without checking each step, and the caller looks once, at the end: either all of it is there or
//! none of it counts.
//!
//! ```
//! use dubhook_core::out::Out;
//!
//! let mut memory = [0u8; 16];
//! let mut out = Out::new(&mut memory);
//! out.put(b"length ");
//! out.put_u64(42);
//! assert_eq!(out.finish(), Ok(9));
//! assert_eq!(&memory[..9], b"length 42");
//! ```

/// The lent slice was too short for what should be written into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

impl core::fmt::Display for Overflow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the lent memory is too short")
    }
}

impl core::error::Error for Overflow {}

/// A cursor that writes into a lent slice and remembers whether anything was cut off.
///
/// Everything is written through it, so that on small processors its functions are calls and not copies at each use.
#[derive(Debug)]
pub struct Out<'a> {
    bytes: &'a mut [u8],
    len: usize,
    full: bool,
}

impl<'a> Out<'a> {
    /// Starts at the beginning of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self {
            bytes,
            len: 0,
            full: false,
        }
    }

    /// The number of bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes can still be written.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.bytes.len().saturating_sub(self.len)
    }

    /// Whether something did not fit; what was written since is incomplete and must not be used.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.full
    }

    /// What was written so far.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// What was written from byte `start` on, for filling in a field whose value was not known yet.
    ///
    /// Empty if `start` lies past what was written.
    #[must_use]
    pub fn written_mut(&mut self, start: usize) -> &mut [u8] {
        self.bytes.get_mut(start..self.len).unwrap_or(&mut [])
    }

    /// Writes all of `bytes`, or nothing and marks the output as full.
    #[cfg_attr(not(target_pointer_width = "32"), inline)]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.len.wrapping_add(bytes.len());
        match self.bytes.get_mut(self.len..end) {
            Some(room) if !self.full => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            _ => self.full = true,
        }
    }

    /// Marks the output as full: what should come next is too long for anything.
    pub(crate) const fn overflow(&mut self) {
        self.full = true;
    }

    /// Writes one byte.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn put_byte(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(room) if !self.full => {
                *room = byte;
                self.len = self.len.wrapping_add(1);
            }
            _ => self.full = true,
        }
    }

    /// Writes `value` in decimal, without leading zeros.
    pub fn put_u64(&mut self, mut value: u64) {
        let mut digits = [0u8; 20];
        let mut used = 0usize;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' | (value % 10) as u8;
            value /= 10;
            used += 1;
            if value == 0 {
                break;
            }
        }
        let start = digits.len().saturating_sub(used);
        self.put(digits.get(start..).unwrap_or(&[]));
    }

    /// Writes `value` in decimal, filled up with zeros on the left to `width` digits (at most 20).
    ///
    /// Digits beyond `width` are cut off on the left, so the width is always exact.
    pub fn put_padded(&mut self, mut value: u64, width: usize) {
        let mut digits = [b'0'; 20];
        for digit in digits.iter_mut().rev().take(width) {
            *digit = b'0' | (value % 10) as u8;
            value /= 10;
        }
        let start = digits.len().saturating_sub(width);
        self.put(digits.get(start..).unwrap_or(&[]));
    }

    /// Takes `count` bytes out of what was written, from byte `at` on, and closes the gap. Does nothing if there are
    /// not so many.
    pub fn remove(&mut self, at: usize, count: usize) {
        let from = at.saturating_add(count);
        if let Some(after) = self.len.checked_sub(from) {
            move_down(self.bytes, from, at, after);
            self.len = self.len.saturating_sub(count);
        }
    }

    /// Takes back everything written past `len`, and with it the mark of having been full.
    ///
    /// This is how a list stops at the last item that fits whole.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn rewind(&mut self, len: usize) {
        if len <= self.len {
            self.len = len;
            self.full = false;
        }
    }

    /// The number of bytes written, if all of them fitted.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if anything was cut off.
    pub const fn finish(self) -> Result<usize, Overflow> {
        if self.full {
            Err(Overflow)
        } else {
            Ok(self.len)
        }
    }
}

/// Copies `len` bytes from `from` to `to`, which lies before it. Does nothing if that leaves the
/// slice.
pub(crate) fn move_down(bytes: &mut [u8], from: usize, to: usize, len: usize) {
    let end = from.saturating_add(len);
    // Down to 0 of a region that starts there, `copy_within` cannot panic, and the compiler sees
    // it.
    if let Some(region) = bytes.get_mut(to..end)
        && let Some(distance) = from.checked_sub(to)
        && distance <= region.len()
    {
        region.copy_within(distance.., 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(room: usize, write: impl FnOnce(&mut Out<'_>), expect: Result<&[u8], Overflow>) {
        let mut memory = [0u8; 64];
        let mut out = Out::new(&mut memory[..room]);
        write(&mut out);
        let result = out.finish();
        assert_eq!(result.map(|len| &memory[..len]), expect);
    }

    #[test]
    fn numbers_are_decimal_without_leading_zeros() {
        check(64, |o| o.put_u64(0), Ok(b"0"));
        check(64, |o| o.put_u64(9_070), Ok(b"9070"));
        check(64, |o| o.put_u64(u64::MAX), Ok(b"18446744073709551615"));
        check(64, |o| o.put_padded(7, 3), Ok(b"007"));
        check(64, |o| o.put_padded(1_234, 3), Ok(b"234"));
    }

    #[test]
    fn output_is_all_or_nothing() {
        check(4, |o| o.put(b"abcd"), Ok(b"abcd"));
        check(3, |o| o.put(b"abcd"), Err(Overflow));
        // A short write after one that did not fit must not make a hole look whole.
        check(
            3,
            |o| {
                o.put(b"abcd");
                o.put_byte(b'x');
            },
            Err(Overflow),
        );
    }

    #[test]
    fn what_is_removed_leaves_no_gap() {
        check(
            8,
            |o| {
                o.put(b"abcdef");
                o.remove(1, 2);
                o.remove(4, 1);
                o.put(b"x");
            },
            Ok(b"adefx"),
        );
    }

    #[test]
    fn rewind_takes_back_what_did_not_fit() {
        check(
            4,
            |o| {
                o.put(b"ab");
                let whole = o.len();
                o.put(b"cde");
                o.rewind(whole);
                o.put(b"xy");
            },
            Ok(b"abxy"),
        );
    }
}
