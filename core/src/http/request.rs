//! Reading requests: the server's side.

use super::authority::is_authority;
use super::body::Body;
use super::buffer::RecvBuf;
use super::fields::{self, Fields, Known};
use super::grammar::{TOKEN, run_len};
use super::head::{Framing, Head};
use super::method::Method;
use super::refusal::Refusal;
use super::{Limits, Phase, Version, target, version};

/// The longest method that is looked at; every method of IANA's registry is shorter.
const METHOD_BYTES_MAX: usize = 32;

/// How many bytes the empty lines before a request line may have together: 32 of them, where clients send one.
const EMPTY_LINES_BYTES_MAX: u16 = 64;

/// What [`RequestParser::advance`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Progress {
    /// The request is not all there. The buffer has room for more: it is never full here.
    NeedMore {
        /// At least so many bytes are missing.
        bytes_min: usize,
    },
    /// The head is whole, and the client waits for `100 Continue` before it sends the body.
    ///
    /// Said once, and not at all if some of the body is there already (RFC 9110, section 10.1.1).
    /// Look at [`RequestParser::head`], then either send [`CONTINUE`](super::CONTINUE) and go on,
    /// or answer at once and close the connection.
    ExpectContinue,
    /// The request is whole: [`RequestParser::request`] shows it.
    Complete,
}

/// A request, as a view of the bytes that carried it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'b> {
    /// What is asked for.
    pub method: Method,
    /// The absolute path, percent-encoding untouched; `*` for an OPTIONS request about the server
    /// itself.
    ///
    /// Dot segments are not resolved: no route has any, so such a path is not found.
    pub path: &'b str,
    /// What follows the first `?` of the target, if there is one.
    pub query: Option<&'b str>,
    /// The host, and perhaps the port, that the request is meant for; empty if an HTTP/1.0 request
    /// names none.
    ///
    /// That of the target if it has one, else that of `Host` (RFC 9112, section 3.2.2).
    pub host: &'b [u8],
    /// The version that the client speaks.
    pub version: Version,
    /// Whether the connection may serve another request after this one (RFC 9112, section 9.3).
    pub keep_alive: bool,
    /// The fields of the head.
    pub fields: Fields<'b>,
    /// The content, decoded.
    pub body: &'b [u8],
}

/// Reads one request after another from a connection's buffer.
///
/// All zero is the start. It holds no bytes, only where it stands among those of the buffer, so
/// that it resumes there; the bytes it has seen must stay in the buffer until
/// [`finish`](Self::finish).
#[derive(Debug, Clone, Copy)]
pub struct RequestParser {
    head: Head,
    body: Body,
    /// Where the host that the request is meant for starts and ends.
    host: (u16, u16),
    path: u16,
    query: u16,
    target_end: u16,
    method: Method,
    version: Version,
    step: Step,
    has_host: bool,
    has_content_type: bool,
    expects_continue: bool,
    expects_other: bool,
    refused: Option<Refusal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    StartLine = 0,
    Fields,
    /// The head is whole, and nothing was decided about its body.
    #[cfg(feature = "media")]
    Head,
    Body,
    Complete,
}

// One of these per connection: small enough for 10,000 of them, or for a device with two.
const _: () = assert!(size_of::<RequestParser>() <= if cfg!(feature = "media") { 72 } else { 64 });

impl Default for RequestParser {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestParser {
    /// At the start of a connection.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            head: Head::new(),
            body: Body::new(),
            host: (0, 0),
            path: 0,
            query: 0,
            target_end: 0,
            method: Method::Get,
            version: Version::V10,
            step: Step::StartLine,
            has_host: false,
            has_content_type: false,
            expects_continue: false,
            expects_other: false,
            refused: None,
        }
    }

    /// Reads on in `buf` from where it stopped the time before.
    ///
    /// A chunked body is decoded in place: its framing is taken out of the buffer, so that head and
    /// body end up next to each other. Pipelined bytes after the request stay in the buffer. The
    /// work is proportional to the bytes that are new.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if this is no request that a server should take, or one over a limit. It is
    /// final.
    pub fn advance(&mut self, limits: &Limits, buf: &mut RecvBuf<'_>) -> Result<Progress, Refusal> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let result = self.read(limits, buf);
        self.refused = result.err();
        result
    }

    /// The request, after [`Progress::Complete`]; `filled` is what the buffer holds.
    #[must_use]
    pub fn request<'b>(&self, filled: &'b [u8]) -> Option<Request<'b>> {
        if self.phase() == Phase::Complete {
            self.view(filled)
        } else {
            None
        }
    }

    /// The request without its body, as soon as the head is whole: for a decision that need not
    /// wait for the rest.
    #[must_use]
    pub fn head<'b>(&self, filled: &'b [u8]) -> Option<Request<'b>> {
        match self.phase() {
            Phase::Body | Phase::Complete => Some(Request {
                body: &[],
                ..self.view(filled)?
            }),
            Phase::Idle | Phase::Head | Phase::Refused => None,
        }
    }

    /// The method, as soon as the request line is whole: also of a request that is refused later, whose answer must
    /// still have no content if it is HEAD (RFC 9110, section 9.3.2).
    #[must_use]
    pub const fn method(&self) -> Option<Method> {
        match self.step {
            Step::StartLine => None,
            Step::Fields | Step::Body | Step::Complete => Some(self.method),
            #[cfg(feature = "media")]
            Step::Head => Some(self.method),
        }
    }

    /// Takes the finished request out of `buf` and is ready for the next one. Does nothing before
    /// [`Progress::Complete`].
    pub fn finish(&mut self, buf: &mut RecvBuf<'_>) {
        if self.phase() == Phase::Complete {
            buf.discard_front(self.head.len().saturating_add(self.body.kept()));
            *self = Self::new();
        }
    }

    /// Whether nothing of a request was seen yet, empty lines aside.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase() == Phase::Idle
    }

    /// What it is reading: each phase deserves a time limit of its own.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match (self.refused, self.step) {
            (Some(_), _) => Phase::Refused,
            (None, Step::StartLine) if self.head.is_untouched() => Phase::Idle,
            (None, Step::StartLine | Step::Fields) => Phase::Head,
            (None, Step::Body) => Phase::Body,
            #[cfg(feature = "media")]
            (None, Step::Head) => Phase::Body,
            (None, Step::Complete) => Phase::Complete,
        }
    }

    fn read(&mut self, limits: &Limits, buf: &mut RecvBuf<'_>) -> Result<Progress, Refusal> {
        #[cfg(feature = "media")]
        let has_head = self.step == Step::Head;
        #[cfg(not(feature = "media"))]
        let has_head = false;
        if has_head || matches!(self.step, Step::StartLine | Step::Fields) {
            if !has_head && !self.read_head(limits, buf.filled(), buf.capacity())? {
                return Ok(Progress::NeedMore { bytes_min: 1 });
            }
            self.begin_body(limits, buf.capacity())?;
            self.step = Step::Body;
            let client_waits = self.expects_continue
                && self.version == Version::V11
                && !self.body.is_done()
                && buf.len() == self.head.len();
            if client_waits {
                return Ok(Progress::ExpectContinue);
            }
        }
        match self.body.advance(self.head.len(), limits, buf)? {
            Some(bytes_min) => Ok(Progress::NeedMore { bytes_min }),
            None => {
                self.step = Step::Complete;
                Ok(Progress::Complete)
            }
        }
    }

    /// Reads on as far as the head goes, and decides nothing about its body: whether the head is whole.
    /// [`advance`](Self::advance) goes on from there.
    ///
    /// # Errors
    ///
    /// [`Refusal`] as for `advance`.
    #[cfg(feature = "media")]
    pub fn advance_head(&mut self, limits: &Limits, buf: &RecvBuf<'_>) -> Result<bool, Refusal> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        match self.step {
            Step::StartLine | Step::Fields => {
                let read = self.read_head(limits, buf.filled(), buf.capacity());
                self.refused = read.err();
                if read? {
                    self.step = Step::Head;
                }
                Ok(self.step == Step::Head)
            }
            Step::Head => Ok(true),
            Step::Body | Step::Complete => Ok(false),
        }
    }

    /// How long the body is that follows a head that was just read, if it is to be taken in pieces; none where it comes in
    /// chunks. What the whole head can tell is checked as for all.
    ///
    /// # Errors
    ///
    /// [`Refusal`] as for `advance`.
    #[cfg(feature = "media")]
    pub fn stream_length(&mut self) -> Result<Option<u64>, Refusal> {
        let framing = self.check_head();
        self.refused = framing.err();
        Ok(match framing? {
            Framing::Length(_) => Some(self.head.length()),
            Framing::Chunked | Framing::Close => None,
        })
    }

    /// How long the body is of a head that was just read; 0 where no field says so.
    #[cfg(feature = "media")]
    pub(crate) const fn length(&self) -> u64 {
        self.head.length()
    }

    /// Whether the client waits for `100 Continue` before it sends what follows the head in `buf`.
    #[cfg(feature = "media")]
    pub(crate) fn is_waited_for(&self, buf: &RecvBuf<'_>) -> bool {
        self.expects_continue && self.version == Version::V11 && buf.len() == self.head.len()
    }

    /// Takes the head out of `buf`, whose body then comes in pieces, and is ready for the next request.
    #[cfg(feature = "media")]
    pub fn take_head(&mut self, buf: &mut RecvBuf<'_>) {
        buf.discard_front(self.head.len());
        *self = Self::new();
    }

    /// Reads lines up to the empty one; false if it is not there yet.
    fn read_head(
        &mut self,
        limits: &Limits,
        filled: &[u8],
        capacity: usize,
    ) -> Result<bool, Refusal> {
        let window = Head::window(limits, capacity);
        let bytes = filled.get(..window).unwrap_or(filled);
        loop {
            let line_start = self.head.line_start();
            let Some(line) = self.head.next_line(bytes)? else {
                return if bytes.len() < window {
                    Ok(false)
                } else {
                    Err(self.too_large(bytes.get(usize::from(line_start)..).unwrap_or_default()))
                };
            };
            match (self.step, line) {
                // RFC 9112, section 2.2: ignore empty lines before the request line; "at least one" of them.
                (Step::StartLine, []) if line_start < EMPTY_LINES_BYTES_MAX => {}
                (Step::StartLine, []) => return Err(Refusal::TooManyEmptyLines),
                (Step::StartLine, line) => {
                    self.request_line(line, line_start, limits)?;
                    self.head.begin_fields();
                    self.step = Step::Fields;
                }
                (_, []) => {
                    self.head.end_fields();
                    return Ok(true);
                }
                (_, line) => {
                    self.head.count_field(limits)?;
                    self.field(line, line_start)?;
                }
            }
        }
    }

    /// Why a head whose unfinished line is `line` is too large. RFC 9112, section 3, wants 501 for
    /// a method and 414 for a target that is longer than any it would take.
    fn too_large(&self, line: &[u8]) -> Refusal {
        let method = run_len(line, TOKEN);
        match self.step {
            Step::StartLine if method > METHOD_BYTES_MAX => Refusal::MethodTooLong,
            Step::StartLine if method > 0 => Refusal::TargetTooLong,
            _ => Refusal::HeadTooLarge,
        }
    }

    /// `method SP request-target SP HTTP-version` (RFC 9112, section 3).
    #[inline(never)]
    fn request_line(&mut self, line: &[u8], at: u16, limits: &Limits) -> Result<(), Refusal> {
        let method_len = run_len(line, TOKEN);
        let (method, rest) = line.split_at_checked(method_len).unwrap_or_default();
        let rest = match rest {
            [b' ', rest @ ..] if method_len > 0 => rest,
            [] => return Err(Refusal::BadRequestLine),
            _ => return Err(Refusal::BadMethod),
        };
        if method_len > METHOD_BYTES_MAX {
            return Err(Refusal::MethodTooLong);
        }
        let space = rest
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or(Refusal::BadRequestLine)?;
        let (target, version) = rest.split_at_checked(space).unwrap_or_default();
        if target.len() > limits.target_bytes_max {
            return Err(Refusal::TargetTooLong);
        }
        self.version = version::parse(version.get(1..).unwrap_or_default())?;
        if method == b"CONNECT" {
            return Err(Refusal::ConnectNotSupported);
        }
        self.method = Method::from_token(method);
        let found = target::parse(target, self.method == Method::Options)?;
        // Positions in the head, which fit into 16 bits.
        let start = usize::from(at).saturating_add(method_len).saturating_add(1);
        let position = |offset: usize| start.saturating_add(offset) as u16;
        if found.authority.1 > 0 {
            self.host = (position(found.authority.0), position(found.authority.1));
        }
        self.path = position(found.path);
        self.query = position(found.query);
        self.target_end = position(target.len());
        Ok(())
    }

    /// Takes in the field line that starts `at`.
    fn field(&mut self, line: &[u8], at: u16) -> Result<(), Refusal> {
        let (name, value) = fields::split(line)?;
        self.head.note(name);
        match Known::from_name(name) {
            None => Ok(()),
            Some(Known::Host) => {
                let value_at = fields::value_at(line, name);
                self.take_host(value, usize::from(at).saturating_add(value_at))
            }
            Some(Known::ContentType) => {
                if self.has_content_type {
                    return Err(Refusal::ContentTypeRepeated);
                }
                self.has_content_type = true;
                Ok(())
            }
            Some(Known::Expect) => {
                if value.eq_ignore_ascii_case(b"100-continue") {
                    self.expects_continue = true;
                } else {
                    self.expects_other = true;
                }
                Ok(())
            }
            Some(known) => self.head.field(known, value),
        }
    }

    /// Takes in the value of `Host`, which starts `at`.
    fn take_host(&mut self, value: &[u8], at: usize) -> Result<(), Refusal> {
        if self.has_host {
            return Err(Refusal::HostRepeated);
        }
        if !is_authority(value) {
            return Err(Refusal::BadHost);
        }
        self.has_host = true;
        // RFC 9112, section 3.2.2: the host of an absolute target counts, and `Host` does not.
        if self.host == (0, 0) {
            self.host = (at as u16, at.saturating_add(value.len()) as u16);
        }
        Ok(())
    }

    /// Checks what only the whole head can tell, syntax before policy.
    fn begin_body(&mut self, limits: &Limits, capacity: usize) -> Result<(), Refusal> {
        let framing = self.check_head()?;
        self.body
            .begin(framing, false, self.head.len(), limits, capacity)
    }

    /// What only the whole head can tell: where the body ends.
    #[cfg_attr(not(target_pointer_width = "32"), inline(always))]
    fn check_head(&self) -> Result<Framing, Refusal> {
        let is_v11 = self.version == Version::V11;
        if is_v11 && !self.has_host {
            return Err(Refusal::HostMissing);
        }
        let framing = self.head.framing(self.version, Framing::Length(0))?;
        // RFC 9110, section 10.1.1: expectations of an HTTP/1.0 client are ignored.
        if is_v11 && self.expects_other {
            return Err(Refusal::ExpectationUnknown);
        }
        Ok(framing)
    }

    fn view<'b>(&self, filled: &'b [u8]) -> Option<Request<'b>> {
        let between = |start: u16, end: u16| filled.get(usize::from(start)..usize::from(end));
        let query = match between(self.query, self.target_end)? {
            [b'?', query @ ..] => Some(core::str::from_utf8(query).ok()?),
            _ => None,
        };
        let path = match between(self.path, self.query)? {
            // RFC 9112, sections 3.2.1 and 3.2.4.
            [] if self.method == Method::Options && query.is_none() => "*",
            [] => "/",
            path => core::str::from_utf8(path).ok()?,
        };
        let (_, rest) = filled.split_at_checked(self.head.len())?;
        Some(Request {
            method: self.method,
            path,
            query,
            host: between(self.host.0, self.host.1)?,
            version: self.version,
            keep_alive: self.head.keep_alive(self.version),
            fields: self.head.fields(filled),
            body: rest.get(..self.body.kept())?,
        })
    }
}
