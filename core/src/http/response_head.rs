//! Writing the heads of responses.

use super::date::{Date, render_date};
use super::reason::with_reason;
use super::version::Version;
use super::write::{FieldLine, Head, HeadError};
use crate::out::Out;
use crate::time::Timestamp;

/// The interim response that lets a waiting client send its body (RFC 9110, section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Room for the largest content length that is filled in later, in bytes.
const LATER_DIGITS: usize = 10;

/// Writes the head of a response.
///
/// ```
/// use dubhook_core::{http::ResponseHead, out::Out};
///
/// let mut memory = [0u8; 128];
/// let mut out = Out::new(&mut memory);
/// let length = ResponseHead::new(&mut out, 200)
///     .field("content-type", b"application/json")
///     .finish_with_length_later()
///     .unwrap();
/// out.put(b"{}");
/// length.fill_in(&mut out);
/// assert_eq!(
///     out.written(),
///     b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
/// );
/// ```
#[derive(Debug)]
#[must_use = "a head is whole only once it is finished"]
pub struct ResponseHead<'o, 'm> {
    head: Head<'o, 'm>,
    /// A content length may be sent (RFC 9110, section 8.6).
    has_length: bool,
}

impl<'o, 'm> ResponseHead<'o, 'm> {
    /// Writes the status line after what is in `out`, `status` being 100 to 599. Always HTTP/1.1,
    /// whatever the client speaks (RFC 9110, section 2.5).
    pub fn new(out: &'o mut Out<'m>, status: u16) -> Self {
        let mut head = Head::new(out);
        if !matches!(status, 100..=599) {
            head.error = Some(HeadError::BadStartLine);
        }
        head.out.put(b"HTTP/1.1 ");
        match with_reason(status) {
            Some(text) => head.out.put(text.as_bytes()),
            None => {
                head.out.put_u64(status.into());
                head.out.put(b" ");
            }
        }
        head.out.put(b"\r\n");
        Self {
            head,
            has_length: status >= 200 && status != 204,
        }
    }

    /// Writes one field.
    pub fn field(mut self, name: &str, value: &[u8]) -> Self {
        self.head.field(name, value);
        self
    }

    /// Writes one field that stands in the program.
    pub fn line(mut self, line: FieldLine) -> Self {
        self.head.line(line);
        self
    }

    /// Writes one field whose value is a number.
    pub fn number(mut self, name: &str, value: u64) -> Self {
        self.head.number(name, value);
        self
    }

    /// Writes `Date`, which a server with a clock sends (RFC 9110, section 6.6.1).
    pub fn date(self, now: Timestamp) -> Self {
        self.date_text(&render_date(now))
    }

    /// The same, from a date that was rendered before.
    pub(crate) fn date_as(self, date: &Date) -> Self {
        self.date_text(date.as_bytes())
    }

    fn date_text(self, text: &[u8]) -> Self {
        self.head.out.put(b"date: ");
        self.head.out.put(text);
        self.head.out.put(b"\r\n");
        self
    }

    /// Writes `Connection` where the client's `version` does not imply it (RFC 9112, section 9.3).
    pub fn connection(self, keep_alive: bool, version: Version) -> Self {
        match (keep_alive, version) {
            (false, _) => self.line(const { FieldLine::new("connection: close\r\n") }),
            (true, Version::V10) => {
                self.line(const { FieldLine::new("connection: keep-alive\r\n") })
            }
            (true, Version::V11) => self,
        }
    }

    /// Ends the head of a response whose body has `bytes` bytes. For HEAD it is those that GET
    /// would send.
    ///
    /// 1xx and 204 have no body, and the field is left out (RFC 9110, section 8.6).
    ///
    /// # Errors
    ///
    /// [`HeadError`]; the output is then as it was before the head.
    pub fn finish_with_length(mut self, bytes: usize) -> Result<(), HeadError> {
        if self.has_length {
            self.head.content_length(bytes);
        }
        self.head.finish()
    }

    /// The same, of a body that comes in pieces.
    ///
    /// # Errors
    ///
    /// As [`finish_with_length`](Self::finish_with_length).
    #[cfg(feature = "media")]
    pub(crate) fn finish_with_long_length(self, bytes: u64) -> Result<(), HeadError> {
        self.head.out.put(b"content-length: ");
        self.head.out.put_u64(bytes);
        self.head.out.put(b"\r\n");
        self.head.finish()
    }

    /// Ends the head of a response whose body is written right after it and measured then.
    ///
    /// # Errors
    ///
    /// As [`finish_with_length`](Self::finish_with_length).
    pub fn finish_with_length_later(self) -> Result<LengthLater, HeadError> {
        let digits = self.has_length.then(|| {
            self.head.out.put(b"content-length: ");
            let digits = self.head.out.len();
            self.head.out.put(&[b' '; LATER_DIGITS]);
            self.head.out.put(b"\r\n");
            digits
        });
        let body = self.head.out.len().saturating_add(2);
        self.head.finish()?;
        Ok(LengthLater { digits, body })
    }

    /// Ends the head of a response that comes in chunks, which whoever writes it makes (RFC 9112, section 7.1): only to a client
    /// that speaks HTTP/1.1.
    ///
    /// # Errors
    ///
    /// As [`finish_with_length`](Self::finish_with_length).
    pub fn finish_chunked(self) -> Result<(), HeadError> {
        self.head.out.put(b"transfer-encoding: chunked\r\n");
        self.head.finish()
    }

    /// Ends the head of a response without a length: one without a body, or one that ends with the
    /// connection.
    ///
    /// # Errors
    ///
    /// As [`finish_with_length`](Self::finish_with_length).
    pub fn finish_without_length(self) -> Result<(), HeadError> {
        self.head.finish()
    }
}

/// A content length that is still to be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the content length is empty until it is filled in"]
pub struct LengthLater {
    /// Where its digits go, if the response may have a length.
    digits: Option<usize>,
    /// Where the body starts.
    body: usize,
}

impl LengthLater {
    /// Fills in the length of the body: all that was written after the head. Returns where the body starts then.
    ///
    /// `out` must be the output that the head was written to, with the same bytes before the body.
    pub fn fill_in(self, out: &mut Out<'_>) -> usize {
        let Some(digits) = self.digits else {
            return self.body;
        };
        let mut length = out.len().saturating_sub(self.body);
        let mut unused = LATER_DIGITS;
        let field = out.written_mut(digits);
        for digit in field.iter_mut().take(LATER_DIGITS).rev() {
            *digit = b'0' | (length % 10) as u8;
            length /= 10;
            unused = unused.saturating_sub(1);
            if length == 0 {
                break;
            }
        }
        out.remove(digits, unused);
        self.body.saturating_sub(unused)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::write::checks::check, *};

    #[test]
    fn responses_have_the_fields_that_their_status_allows() {
        check(
            256,
            |out| {
                ResponseHead::new(out, 503)
                    .date(Timestamp::EPOCH)
                    .number("retry-after", 7)
                    .connection(false, Version::V11)
                    .finish_with_length(0)
            },
            Ok(
                "HTTP/1.1 503 Service Unavailable\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
                retry-after: 7\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            ),
        );
        check(
            256,
            |out| ResponseHead::new(out, 204).finish_with_length(0),
            Ok("HTTP/1.1 204 No Content\r\n\r\n"),
        );
        check(
            256,
            |out| {
                ResponseHead::new(out, 299)
                    .connection(true, Version::V10)
                    .finish_without_length()
            },
            Ok("HTTP/1.1 299 \r\nconnection: keep-alive\r\n\r\n"),
        );
    }

    #[test]
    fn what_is_rendered_before_reads_as_what_is_rendered_now() {
        let mut date = Date::NONE;
        for ms in [0, 999, 1_000, 0, u64::from(u32::MAX) * 1_000] {
            let now = Timestamp::from_unix_ms(ms);
            date.set(now);
            let heads = [false, true].map(|before| {
                let mut memory = [0; 128];
                let mut out = Out::new(&mut memory);
                let head = ResponseHead::new(&mut out, 204);
                let head = if before {
                    head.date_as(&date)
                        .line(const { FieldLine::new("x-y: z\r\n") })
                } else {
                    head.date(now).field("x-y", b"z")
                };
                head.finish_without_length().unwrap();
                memory
            });
            assert_eq!(heads[0], heads[1], "{ms}");
        }
    }

    #[test]
    fn a_length_is_filled_in_later_if_there_may_be_one() {
        let write = |status, body: &'static [u8]| {
            move |out: &mut Out<'_>| {
                let length = ResponseHead::new(out, status).finish_with_length_later()?;
                out.put(body);
                length.fill_in(out);
                Ok(())
            }
        };
        check(
            256,
            write(200, b"hello, world"),
            Ok("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world"),
        );
        check(
            256,
            write(200, b""),
            Ok("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        );
        check(256, write(204, b""), Ok("HTTP/1.1 204 No Content\r\n\r\n"));
    }

    #[test]
    fn nothing_can_add_a_line() {
        for (name, value) in [
            ("x", "a\r\nb: c"),
            ("x", "a\nb"),
            ("x", "a\rb"),
            ("x", "a\0"),
            ("x", "a\u{7f}"),
            ("x\r\n", "a"),
            ("x y", "a"),
            ("", "a"),
            ("Content-Length", "7"),
            ("transfer-encoding", "chunked"),
        ] {
            check(
                256,
                |out| {
                    ResponseHead::new(out, 200)
                        .field(name, value.as_bytes())
                        .finish_without_length()
                },
                Err(HeadError::BadField),
            );
        }
        for status in [0, 99, 600, 1200] {
            check(
                256,
                |out| ResponseHead::new(out, status).finish_without_length(),
                Err(HeadError::BadStartLine),
            );
        }
    }

    #[test]
    fn an_overflow_before_the_head_is_not_forgotten() {
        let mut memory = [0u8; 64];
        let mut out = Out::new(&mut memory);
        out.put(&[0; 65]);
        let result = ResponseHead::new(&mut out, 204).finish_without_length();
        assert_eq!(result, Err(HeadError::Full));
        assert!(out.is_full());
    }
}
