//! Writing the heads of responses and requests.
//!
//! Nothing that comes from outside can add a line: a name that is no token and a value with a control character are
//! refused, and the whole head with them.

use super::authority::is_authority;
use super::date::write_date;
use super::grammar::{is_field_value, is_token};
use super::request::Method;
use super::target::is_origin_form;
use super::version::Version;
use crate::out::Out;
use crate::time::Timestamp;

/// The interim response that lets a waiting client send its body (RFC 9110, section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Room for the largest content length that is filled in later, in bytes.
const LATER_DIGITS: usize = 10;

/// Why a head was not written; nothing of it is left in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadError {
    /// It does not fit.
    Full,
    /// The status is not in 100 to 599, or the method, target or host cannot stand in a request.
    BadStartLine,
    /// A field's name is no token, or its value has a control character.
    BadField,
}

/// The part of a head that responses and requests have in common.
#[derive(Debug)]
struct Head<'o, 'm> {
    out: &'o mut Out<'m>,
    /// Where the head starts in the output.
    start: usize,
    /// The output had overflowed before, and must stay marked as such.
    was_full: bool,
    error: Option<HeadError>,
}

impl<'o, 'm> Head<'o, 'm> {
    fn new(out: &'o mut Out<'m>) -> Self {
        Self {
            start: out.len(),
            was_full: out.is_full(),
            out,
            error: None,
        }
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        if !is_field_value(value) {
            self.error = self.error.or(Some(HeadError::BadField));
        }
        self.begin_field(name);
        self.out.put(value);
        self.out.put(b"\r\n");
    }

    fn number(&mut self, name: &str, value: u64) {
        self.begin_field(name);
        self.out.put_u64(value);
        self.out.put(b"\r\n");
    }

    fn begin_field(&mut self, name: &str) {
        if !is_token(name.as_bytes()) {
            self.error = self.error.or(Some(HeadError::BadField));
        }
        self.out.put(name.as_bytes());
        self.out.put(b": ");
    }

    fn content_length(&mut self, bytes: usize) {
        self.number("content-length", bytes as u64);
    }

    fn content_length_later(&mut self) -> usize {
        self.begin_field("content-length");
        let digits = self.out.len();
        self.out.put(&[b' '; LATER_DIGITS]);
        self.out.put(b"\r\n");
        digits
    }

    fn finish(self) -> Result<(), HeadError> {
        self.out.put(b"\r\n");
        let full = self.out.is_full().then_some(HeadError::Full);
        match self.error.or(full) {
            None => Ok(()),
            Some(error) => {
                if !self.was_full {
                    self.out.rewind(self.start);
                }
                Err(error)
            }
        }
    }
}

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
///     b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:          2\r\n\r\n{}"
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
    /// Writes the status line after what is in `out`, `status` being 100 to 599. Always HTTP/1.1, whatever the client
    /// speaks (RFC 9110, section 2.5).
    pub fn new(out: &'o mut Out<'m>, status: u16) -> Self {
        let mut head = Head::new(out);
        if !matches!(status, 100..=599) {
            head.error = Some(HeadError::BadStartLine);
        }
        head.out.put(b"HTTP/1.1 ");
        head.out.put_padded(u64::from(status), 3);
        head.out.put(b" ");
        head.out.put(reason(status).as_bytes());
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

    /// Writes one field whose value is a number.
    pub fn number(mut self, name: &str, value: u64) -> Self {
        self.head.number(name, value);
        self
    }

    /// Writes `Date`, which a server with a clock sends (RFC 9110, section 6.6.1).
    pub fn date(mut self, now: Timestamp) -> Self {
        self.head.begin_field("date");
        write_date(now, self.head.out);
        self.head.out.put(b"\r\n");
        self
    }

    /// Writes `Connection` where the client's `version` does not imply it (RFC 9112, section 9.3).
    pub fn connection(self, keep_alive: bool, version: Version) -> Self {
        match (keep_alive, version) {
            (false, _) => self.field("connection", b"close"),
            (true, Version::V10) => self.field("connection", b"keep-alive"),
            (true, Version::V11) => self,
        }
    }

    /// Ends the head of a response whose body has `bytes` bytes. For HEAD it is those that GET would send.
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

    /// Ends the head of a response whose body is written right after it and measured then.
    ///
    /// # Errors
    ///
    /// As [`finish_with_length`](Self::finish_with_length).
    pub fn finish_with_length_later(mut self) -> Result<LengthLater, HeadError> {
        let digits = if self.has_length {
            Some(self.head.content_length_later())
        } else {
            None
        };
        let body = self.head.out.len().saturating_add(2);
        self.head.finish()?;
        Ok(LengthLater { digits, body })
    }

    /// Ends the head of a response without a length: one without a body, or one that ends with the connection.
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
    /// Where the body starts in the output.
    #[must_use]
    pub const fn body_start(self) -> usize {
        self.body
    }

    /// Fills in the length of the body: all that was written after the head.
    ///
    /// `out` must be the output that the head was written to, with the same bytes before the body.
    pub fn fill_in(self, out: &mut Out<'_>) {
        let Some(digits) = self.digits else {
            return;
        };
        let mut length = out.len().saturating_sub(self.body) as u64;
        let field = out.written_mut(digits);
        // From the right; the spaces that stay on the left are the field's optional whitespace.
        for digit in field.iter_mut().take(LATER_DIGITS).rev() {
            *digit = b'0' | (length % 10) as u8;
            length /= 10;
            if length == 0 {
                break;
            }
        }
    }
}

/// Writes the head of a request.
///
/// ```
/// use dubhook_core::{http::{Method, RequestHead}, out::Out};
///
/// let mut memory = [0u8; 128];
/// let mut out = Out::new(&mut memory);
/// RequestHead::new(&mut out, Method::Post, "/hook?id=1", "example.test:8080")
///     .field("content-type", b"application/json")
///     .finish_with_length(2)
///     .unwrap();
/// out.put(b"{}");
/// assert_eq!(
///     out.written(),
///     b"POST /hook?id=1 HTTP/1.1\r\nhost: example.test:8080\r\n\
///       content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
/// );
/// ```
#[derive(Debug)]
#[must_use = "a head is whole only once it is finished"]
pub struct RequestHead<'o, 'm> {
    head: Head<'o, 'm>,
}

impl<'o, 'm> RequestHead<'o, 'm> {
    /// Writes the request line and `Host` after what is in `out`.
    ///
    /// `target` is in origin form (`/path?query`, percent-encoded); `host` is a host and perhaps a port, IPv6 in brackets.
    pub fn new(out: &'o mut Out<'m>, method: Method, target: &str, host: &str) -> Self {
        let mut head = Head::new(out);
        let is_good = method != Method::Other
            && is_origin_form(target.as_bytes())
            && is_authority(host.as_bytes());
        if !is_good {
            head.error = Some(HeadError::BadStartLine);
        }
        head.out.put(method.as_str().as_bytes());
        head.out.put(b" ");
        head.out.put(target.as_bytes());
        head.out.put(b" HTTP/1.1\r\n");
        head.begin_field("host");
        head.out.put(host.as_bytes());
        head.out.put(b"\r\n");
        Self { head }
    }

    /// Writes one field.
    pub fn field(mut self, name: &str, value: &[u8]) -> Self {
        self.head.field(name, value);
        self
    }

    /// Ends the head of a request whose body has `bytes` bytes.
    ///
    /// # Errors
    ///
    /// [`HeadError`]; the output is then as it was before the head.
    pub fn finish_with_length(mut self, bytes: usize) -> Result<(), HeadError> {
        self.head.content_length(bytes);
        self.head.finish()
    }

    /// Ends the head of a request without a body.
    ///
    /// # Errors
    ///
    /// As [`finish_with_length`](Self::finish_with_length).
    pub fn finish(self) -> Result<(), HeadError> {
        self.head.finish()
    }
}

/// The reason phrase that belongs to `status` (RFC 9110, section 15, and RFC 6585); empty for others, as section 4 of
/// RFC 9112 allows.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        room: usize,
        write: impl FnOnce(&mut Out<'_>) -> Result<(), HeadError>,
        expect: Result<&str, HeadError>,
    ) {
        let mut memory = [0u8; 256];
        let mut out = Out::new(&mut memory[..room]);
        out.put(b"before");
        let result = write(&mut out);
        let (expect, written) = match expect {
            Ok(text) => (Ok(()), text),
            Err(error) => (Err(error), ""),
        };
        assert_eq!(result, expect);
        assert!(!out.is_full());
        let found = out.written().strip_prefix(b"before");
        assert_eq!(found, Some(written.as_bytes()));
    }

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
            Ok("HTTP/1.1 200 OK\r\ncontent-length:         12\r\n\r\nhello, world"),
        );
        check(
            256,
            write(200, b""),
            Ok("HTTP/1.1 200 OK\r\ncontent-length:          0\r\n\r\n"),
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
        for (method, target, host) in [
            (Method::Other, "/", "a.test"),
            (Method::Get, "/ HTTP/1.1\r\nx: y", "a.test"),
            (Method::Get, "", "a.test"),
            (Method::Get, "http://a.test/", "a.test"),
            (Method::Get, "/", "a.test\r\nx: y"),
            (Method::Get, "/", ""),
        ] {
            check(
                256,
                |out| RequestHead::new(out, method, target, host).finish(),
                Err(HeadError::BadStartLine),
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
    fn a_head_is_all_there_or_not_at_all() {
        let head = "GET / HTTP/1.1\r\nhost: a.test\r\nx: y\r\n\r\n";
        let write = |out: &mut Out<'_>| {
            RequestHead::new(out, Method::Get, "/", "a.test")
                .field("x", b"y")
                .finish()
        };
        let whole = 6 + head.len();
        check(whole, write, Ok(head));
        for room in 6..whole {
            check(room, write, Err(HeadError::Full));
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
