//! Reading a body, the chunked one decoded in place.

use super::Limits;
use super::buffer::RecvBuf;
use super::chunk;
use super::fields;
use super::grammar::{LineEnd, find_line_end};
use super::head::Framing;
use super::refusal::Refusal;
use crate::out::move_down;

/// How far a body was read. All zero is before any.
///
/// Between two calls the buffer holds the head, the body as far as it is decoded, and after these
/// what could not be decoded yet: at most one unfinished line of framing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body {
    step: Step,
    /// Body bytes are counted, but not kept in the buffer.
    discard: bool,
    /// Decoded so far, in bytes.
    len: u32,
    /// Still to come of the present chunk or of the whole, in bytes.
    left: u32,
    /// How far the present line of framing was looked at, in bytes.
    scanned: u16,
    /// Chunk extensions so far, in bytes.
    extensions: u16,
    /// Trailers so far, in bytes.
    trailers: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    Done = 0,
    /// A body of known length.
    Plain,
    /// A body that ends with the connection.
    UntilClose,
    ChunkLine,
    ChunkData,
    ChunkDataEnd,
    Trailers,
}

/// What is read and what is kept, as positions in the filled bytes: `write` is never past `read`.
struct Cursor<'f> {
    filled: &'f mut [u8],
    read: usize,
    write: usize,
}

/// Whether one step found all it looked for.
enum Advance {
    Next,
    /// At least so many bytes are missing.
    Need(usize),
}

impl Body {
    pub(super) const fn new() -> Self {
        Self {
            step: Step::Done,
            discard: false,
            len: 0,
            left: 0,
            scanned: 0,
            extensions: 0,
            trailers: 0,
        }
    }

    /// Prepares for a body after a head of `head_len` bytes; refuses at once one that is known to
    /// be too large.
    pub(super) fn begin(
        &mut self,
        framing: Framing,
        discard: bool,
        head_len: usize,
        limits: &Limits,
        capacity: usize,
    ) -> Result<(), Refusal> {
        *self = Self {
            discard,
            ..Self::new()
        };
        match framing {
            Framing::Length(0) => {}
            Framing::Length(length) => {
                self.reserve(u64::from(length), head_len, limits, capacity)?;
                self.step = Step::Plain;
            }
            Framing::Chunked => self.step = Step::ChunkLine,
            Framing::Close => {
                // One byte more than is allowed is never reached without an error.
                let allowed = u32::try_from(limits.body_bytes_max).unwrap_or(u32::MAX);
                self.left = allowed.saturating_add(1);
                self.step = Step::UntilClose;
            }
        }
        Ok(())
    }

    /// Sets `left` to `more` bytes if they are allowed and fit after the `before` bytes that are
    /// kept.
    fn reserve(
        &mut self,
        more: u64,
        before: usize,
        limits: &Limits,
        capacity: usize,
    ) -> Result<(), Refusal> {
        let more = u32::try_from(more).map_err(|_| Refusal::BodyTooLarge)?;
        let total = (self.len as usize).saturating_add(more as usize);
        let fits = self.discard || before.saturating_add(more as usize) <= capacity;
        if total > limits.body_bytes_max || !fits {
            return Err(Refusal::BodyTooLarge);
        }
        self.left = more;
        Ok(())
    }

    /// Whether all of it was read.
    pub(super) fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// The bytes of it that are in the buffer, right after the head.
    pub(super) const fn kept(&self) -> usize {
        if self.discard { 0 } else { self.len as usize }
    }

    /// The connection has ended. Whether that ends this body.
    pub(super) fn close(&mut self) -> bool {
        if self.step == Step::UntilClose {
            self.step = Step::Done;
        }
        self.is_done()
    }

    /// Reads on in what is filled after a head of `head_len` bytes: `None` once the body is whole,
    /// or else at least how many bytes are missing.
    pub(super) fn advance(
        &mut self,
        head_len: usize,
        limits: &Limits,
        buf: &mut RecvBuf<'_>,
    ) -> Result<Option<usize>, Refusal> {
        let start = head_len.saturating_add(self.kept());
        let capacity = buf.capacity();
        let mut cursor = Cursor {
            filled: buf.filled_mut(),
            read: start,
            write: start,
        };
        let result = self.run(&mut cursor, limits, capacity);
        let framing = cursor.write..cursor.read;
        buf.remove(framing);
        match result? {
            Some(_) if buf.is_full() => Err(match self.step {
                Step::Trailers => Refusal::TrailersTooLarge,
                _ => Refusal::BodyTooLarge,
            }),
            needed => Ok(needed),
        }
    }

    fn run(
        &mut self,
        cursor: &mut Cursor<'_>,
        limits: &Limits,
        capacity: usize,
    ) -> Result<Option<usize>, Refusal> {
        loop {
            let advance = match self.step {
                Step::Done => return Ok(None),
                Step::Plain => self.data(cursor, Step::Done),
                Step::ChunkData => self.data(cursor, Step::ChunkDataEnd),
                Step::UntilClose => self.data_until_close(cursor, limits)?,
                Step::ChunkLine => self.chunk_line(cursor, limits, capacity)?,
                Step::ChunkDataEnd => self.chunk_data_end(cursor)?,
                Step::Trailers => self.trailer_line(cursor, limits)?,
            };
            if let Advance::Need(bytes_min) = advance {
                return Ok(Some(bytes_min));
            }
        }
    }

    /// Takes what is there of `left` bytes of the body, then goes on with `next`.
    fn data(&mut self, cursor: &mut Cursor<'_>, next: Step) -> Advance {
        let taken = cursor.take(self.left, self.discard);
        self.left = self.left.saturating_sub(taken);
        self.len = self.len.saturating_add(taken);
        if self.left > 0 {
            return Advance::Need(self.left as usize);
        }
        self.step = next;
        Advance::Next
    }

    fn data_until_close(
        &mut self,
        cursor: &mut Cursor<'_>,
        limits: &Limits,
    ) -> Result<Advance, Refusal> {
        match self.data(cursor, Step::UntilClose) {
            Advance::Need(_) if self.len as usize <= limits.body_bytes_max => Ok(Advance::Need(1)),
            _ => Err(Refusal::BodyTooLarge),
        }
    }

    /// `chunk-size [ chunk-ext ] CRLF` (RFC 9112, section 7.1).
    fn chunk_line(
        &mut self,
        cursor: &mut Cursor<'_>,
        limits: &Limits,
        capacity: usize,
    ) -> Result<Advance, Refusal> {
        let kept = cursor.write;
        let Some(line) = self.line(
            cursor,
            limits.chunk_line_bytes_max,
            Refusal::ChunkLineTooLong,
        )?
        else {
            return Ok(Advance::Need(1));
        };
        let (size, extensions) = chunk::parse_line(line)?;
        self.extensions = self.extensions.saturating_add(extensions as u16);
        if usize::from(self.extensions) > limits.chunk_extension_bytes_max {
            return Err(Refusal::ChunkExtensionsTooLarge);
        }
        self.reserve(size, kept, limits, capacity)?;
        self.step = if size == 0 {
            Step::Trailers
        } else {
            Step::ChunkData
        };
        Ok(Advance::Next)
    }

    fn chunk_data_end(&mut self, cursor: &mut Cursor<'_>) -> Result<Advance, Refusal> {
        match cursor.unread() {
            [b'\r', b'\n', ..] => {
                cursor.read = cursor.read.saturating_add(2);
                self.step = Step::ChunkLine;
                Ok(Advance::Next)
            }
            [] | [b'\r'] => Ok(Advance::Need(2)),
            _ => Err(Refusal::BadChunk),
        }
    }

    /// One trailer, looked at and thrown away: trailers are never merged into the fields (RFC 9110,
    /// section 6.5.1).
    fn trailer_line(
        &mut self,
        cursor: &mut Cursor<'_>,
        limits: &Limits,
    ) -> Result<Advance, Refusal> {
        let max = limits
            .trailer_bytes_max
            .min(usize::from(u16::MAX))
            .saturating_sub(usize::from(self.trailers));
        let Some(line) = self.line(cursor, max, Refusal::TrailersTooLarge)? else {
            return Ok(Advance::Need(1));
        };
        if line.is_empty() {
            self.step = Step::Done;
            return Ok(Advance::Next);
        }
        fields::split(line)?;
        if chunk::is_like_request_line(line) {
            return Err(Refusal::TrailerLikeRequest);
        }
        self.trailers = self.trailers.saturating_add(line.len() as u16);
        Ok(Advance::Next)
    }

    /// The next line of framing without its CRLF, if all of it is there; `too_long` if it is longer
    /// than `bytes_max`, whether or not its end was seen.
    fn line<'c>(
        &mut self,
        cursor: &'c mut Cursor<'_>,
        bytes_max: usize,
        too_long: Refusal,
    ) -> Result<Option<&'c [u8]>, Refusal> {
        let unread = cursor.filled.get(cursor.read..).unwrap_or_default();
        let window = bytes_max.saturating_add(2).min(usize::from(u16::MAX));
        let bytes = unread.get(..window).unwrap_or(unread);
        match find_line_end(bytes, usize::from(self.scanned))? {
            LineEnd::At(end) => {
                self.scanned = 0;
                cursor.read = cursor.read.saturating_add(end).saturating_add(2);
                Ok(Some(bytes.get(..end).unwrap_or_default()))
            }
            LineEnd::Beyond(_) if bytes.len() >= window => Err(too_long),
            LineEnd::Beyond(scanned) => {
                self.scanned = scanned as u16;
                Ok(None)
            }
        }
    }
}

impl Cursor<'_> {
    fn unread(&self) -> &[u8] {
        self.filled.get(self.read..).unwrap_or_default()
    }

    /// Reads up to `max` bytes, and keeps them unless they are to be discarded. How many there
    /// were.
    fn take(&mut self, max: u32, discard: bool) -> u32 {
        let there = self.filled.len().saturating_sub(self.read);
        let taken = u32::try_from(there).unwrap_or(u32::MAX).min(max);
        let len = taken as usize;
        if !discard {
            move_down(self.filled, self.read, self.write, len);
            self.write = self.write.saturating_add(len);
        }
        self.read = self.read.saturating_add(len);
        taken
    }
}
