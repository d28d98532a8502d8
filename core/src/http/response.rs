//! Reading responses: the client's side, and the server's when it delivers a webhook.

use super::body::Body;
use super::buffer::RecvBuf;
use super::fields::{self, Fields, Known};
use super::head::{Framing, Head};
use super::method::Method;
use super::refusal::Refusal;
use super::{Limits, Phase, Version, version};

/// How many interim responses may precede the final one. RFC 9110, section 15.2, sets no bound; a
/// sender without one would keep the attempt busy for ever.
const INTERIM_MAX: u8 = 16;

/// Whether a response's body is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum BodyUse {
    /// It is kept in the buffer, which must be large enough.
    #[default]
    Keep = 0,
    /// It is read and counted against its limit, but dropped as it comes: a small buffer will do.
    Discard,
}

/// Why a response is no use. The connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResponseError {
    /// It breaks a rule that requests obey too, or is over a limit.
    Refused(Refusal),
    /// No status line (RFC 9112, section 4), or a status outside 100 to 599 (RFC 9110, section 15).
    BadStatusLine,
    /// 101, which nobody asked for (RFC 9110, section 7.8).
    UpgradeNotAsked,
    /// More than 16 interim responses.
    TooManyInterim,
    /// The connection ended before the response did (RFC 9112, section 8).
    Truncated,
}

impl ResponseError {
    /// A short sentence for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.as_str(),
            Self::BadStatusLine => "The status line is malformed.",
            Self::UpgradeNotAsked => "The server switched protocols without being asked.",
            Self::TooManyInterim => "There are too many interim responses.",
            Self::Truncated => "The connection ended before the response did.",
        }
    }
}

impl core::fmt::Display for ResponseError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for ResponseError {}

impl From<Refusal> for ResponseError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What [`ResponseParser::advance`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum ResponseProgress {
    /// The response is not all there. The buffer has room for more: it is never full here.
    NeedMore {
        /// At least so many bytes are missing.
        bytes_min: usize,
    },
    /// The response is whole: [`ResponseParser::response`] shows it.
    Complete,
}

/// A final response, as a view of the bytes that carried it.
#[derive(Debug, Clone, Copy)]
pub struct Response<'b> {
    /// The status, 200 to 599.
    pub status: u16,
    /// The version that the server speaks.
    pub version: Version,
    /// Whether the connection may carry another request (RFC 9112, section 9.3).
    ///
    /// Not if the server sent bytes after this response: what answers no request is not to be
    /// trusted.
    pub reuse: bool,
    /// The fields of the head.
    pub fields: Fields<'b>,
    /// The content, decoded; empty if it is discarded.
    pub body: &'b [u8],
}

#[cfg(feature = "defmt")]
impl defmt::Format for Response<'_> {
    /// Says how it went and how long it is: fields and body may hold secrets.
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Response {{ status: {}, body: {} B }}",
            self.status,
            self.body.len()
        );
    }
}

/// Reads the answer to one request. All zero is the start of the answer to a GET whose body is
/// kept.
///
/// Interim responses are skipped. Like [`RequestParser`](super::RequestParser) it holds no bytes.
#[derive(Debug, Clone, Copy)]
pub struct ResponseParser {
    head: Head,
    body: Body,
    status: u16,
    version: Version,
    step: Step,
    /// The request was HEAD.
    to_head: bool,
    body_use: BodyUse,
    interim_count: u8,
    /// Something about the framing is odd enough to close the connection.
    no_reuse: bool,
    failed: Option<ResponseError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    StartLine = 0,
    Fields,
    Body,
    Complete,
}

const _: () = assert!(size_of::<ResponseParser>() <= 64);

impl Default for ResponseParser {
    fn default() -> Self {
        Self::new(Method::Get, BodyUse::Keep)
    }
}

impl ResponseParser {
    /// For the answer to a request with `method`, which decides whether it has a body (RFC 9112,
    /// section 6.3).
    #[must_use]
    pub const fn new(method: Method, body_use: BodyUse) -> Self {
        Self {
            head: Head::new(),
            body: Body::new(),
            status: 0,
            version: Version::V10,
            step: Step::StartLine,
            to_head: matches!(method, Method::Head),
            body_use,
            interim_count: 0,
            no_reuse: false,
            failed: None,
        }
    }

    /// Reads on in `buf` from where it stopped the time before; a chunked body is decoded in place.
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if this is no response to believe, or one over a limit. It is final.
    pub fn advance(
        &mut self,
        limits: &Limits,
        buf: &mut RecvBuf<'_>,
    ) -> Result<ResponseProgress, ResponseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.read(limits, buf);
        self.failed = result.err();
        result
    }

    /// The connection has ended, and [`advance`](Self::advance) has seen all of its bytes. This
    /// completes a response whose body ends with the connection.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Truncated`] if the response is not whole, or the error that there was
    /// before.
    pub fn eof(&mut self) -> Result<(), ResponseError> {
        match (self.failed, self.step) {
            (Some(error), _) => Err(error),
            (None, Step::Complete) => Ok(()),
            (None, Step::Body) if self.body.close() => {
                self.step = Step::Complete;
                Ok(())
            }
            (None, _) => {
                self.failed = Some(ResponseError::Truncated);
                Err(ResponseError::Truncated)
            }
        }
    }

    /// The response, once it is whole; `filled` is what the buffer holds.
    #[must_use]
    pub fn response<'b>(&self, filled: &'b [u8]) -> Option<Response<'b>> {
        if self.phase() != Phase::Complete {
            return None;
        }
        let (_, rest) = filled.split_at_checked(self.head.len())?;
        let (body, after) = rest.split_at_checked(self.body.kept())?;
        Some(Response {
            status: self.status,
            version: self.version,
            reuse: !self.no_reuse && self.head.keep_alive(self.version) && after.is_empty(),
            fields: self.head.fields(filled),
            body,
        })
    }

    /// Takes the finished response out of `buf` and is ready for the answer to a request with
    /// `method`. Does nothing before the response is whole.
    pub fn finish(&mut self, method: Method, buf: &mut RecvBuf<'_>) {
        if self.phase() == Phase::Complete {
            buf.discard_front(self.head.len().saturating_add(self.body.kept()));
            *self = Self::new(method, self.body_use);
        }
    }

    /// What it is reading.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match (self.failed, self.step) {
            (Some(_), _) => Phase::Refused,
            (None, Step::StartLine) if self.head.is_untouched() => Phase::Idle,
            (None, Step::StartLine | Step::Fields) => Phase::Head,
            (None, Step::Body) => Phase::Body,
            (None, Step::Complete) => Phase::Complete,
        }
    }

    fn read(
        &mut self,
        limits: &Limits,
        buf: &mut RecvBuf<'_>,
    ) -> Result<ResponseProgress, ResponseError> {
        while matches!(self.step, Step::StartLine | Step::Fields) {
            if !self.read_head(limits, buf.filled(), buf.capacity())? {
                return Ok(ResponseProgress::NeedMore { bytes_min: 1 });
            }
            if self.status < 200 {
                self.skip_interim(buf)?;
            } else {
                self.begin_body(limits, buf.capacity())?;
                self.step = Step::Body;
            }
        }
        match self.body.advance(self.head.len(), limits, buf)? {
            Some(bytes_min) => Ok(ResponseProgress::NeedMore { bytes_min }),
            None => {
                self.step = Step::Complete;
                Ok(ResponseProgress::Complete)
            }
        }
    }

    /// Reads lines up to the empty one; false if it is not there yet.
    fn read_head(
        &mut self,
        limits: &Limits,
        filled: &[u8],
        capacity: usize,
    ) -> Result<bool, ResponseError> {
        let window = Head::window(limits, capacity);
        let bytes = filled.get(..window).unwrap_or(filled);
        loop {
            let Some(line) = self.head.next_line(bytes)? else {
                return if bytes.len() < window {
                    Ok(false)
                } else {
                    Err(Refusal::HeadTooLarge.into())
                };
            };
            match (self.step, line) {
                (Step::StartLine, line) => {
                    (self.version, self.status) =
                        status_line(line).ok_or(ResponseError::BadStatusLine)?;
                    self.head.begin_fields();
                    self.step = Step::Fields;
                }
                (_, []) => {
                    self.head.end_fields();
                    return Ok(true);
                }
                (_, line) => {
                    self.head.count_field(limits)?;
                    let (name, value) = fields::split(line)?;
                    self.head.note(name);
                    if let Some(known) = Known::from_name(name) {
                        self.head.field(known, value)?;
                    }
                }
            }
        }
    }

    /// Takes an interim response out of `buf` (RFC 9110, section 15.2). It has no body, whatever
    /// its fields say.
    fn skip_interim(&mut self, buf: &mut RecvBuf<'_>) -> Result<(), ResponseError> {
        if self.status == 101 {
            return Err(ResponseError::UpgradeNotAsked);
        }
        if self.interim_count >= INTERIM_MAX {
            return Err(ResponseError::TooManyInterim);
        }
        self.interim_count = self.interim_count.saturating_add(1);
        self.no_reuse |= self.head.has_framing();
        buf.discard_front(self.head.len());
        self.head = Head::new();
        self.step = Step::StartLine;
        Ok(())
    }

    fn begin_body(&mut self, limits: &Limits, capacity: usize) -> Result<(), ResponseError> {
        let framing = self.head.framing(self.version, Framing::Close)?;
        // RFC 9112, section 6.3, rule 1: these end with their heads, and 204 must not even announce
        // a body.
        let framing = match self.status {
            _ if self.to_head => Framing::Length(0),
            204 => {
                self.no_reuse |= self.head.announces_body();
                Framing::Length(0)
            }
            304 => Framing::Length(0),
            _ => framing,
        };
        self.no_reuse |= framing == Framing::Close;
        let discard = self.body_use == BodyUse::Discard;
        self.body
            .begin(framing, discard, self.head.len(), limits, capacity)?;
        Ok(())
    }
}

/// `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112, section 4). The space after the
/// code may be missing, as it often is in the wild; nothing depends on it.
fn status_line(line: &[u8]) -> Option<(Version, u16)> {
    let (version, rest) = line.split_at_checked(8)?;
    let version = version::parse(version).ok()?;
    let [b' ', hundreds @ b'1'..=b'5', tens, ones, rest @ ..] = rest else {
        return None;
    };
    let is_code = tens.is_ascii_digit() && ones.is_ascii_digit();
    if !is_code || !matches!(rest, [] | [b' ', ..]) {
        return None;
    }
    let digit = |byte: &u8| u16::from(byte & 0x0F);
    let code = digit(hundreds)
        .wrapping_mul(100)
        .wrapping_add(digit(tens).wrapping_mul(10))
        .wrapping_add(digit(ones));
    Some((version, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines_are_those_of_the_grammar() {
        #[track_caller]
        fn check(line: &str, expect: Option<(Version, u16)>) {
            assert_eq!(status_line(line.as_bytes()), expect, "{line}");
        }
        check("HTTP/1.1 200 OK", Some((Version::V11, 200)));
        check("HTTP/1.0 599 ", Some((Version::V10, 599)));
        check("HTTP/1.1 100", Some((Version::V11, 100)));
        check("HTTP/1.1 404 \u{d6}\t", Some((Version::V11, 404)));
        for bad in [
            "",
            "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1 20",
            "HTTP/1.1 2000",
            "HTTP/1.1 2x0",
            "HTTP/1.1 099",
            "HTTP/1.1 600",
            "HTTP/1.1  200",
            "HTTP/2.0 200",
            "HTP/1.1 200 OK",
            "HTTP/1.1 200OK",
            "HTTP/1.1\t200 OK",
            "http/1.1 200 OK",
            "HTTP/1.01 200 OK",
        ] {
            check(bad, None);
        }
    }
}
