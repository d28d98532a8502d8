//! HTTP/1.1 for both roles, as much of it as webhooks and a JSON interface need.
//!
//! # Theory of operation
//!
//! The caller owns the memory. It reads from its socket into [`RecvBuf::room`], and calls `advance`
//! on a parser, which looks at the bytes where they are, keeps its place in 64 bytes of state, and
//! says whether more are needed. Once a message is whole, a view ([`Request`], [`Response`])
//! borrows its parts from the buffer; `finish` takes the message out, and what was pipelined behind
//! it comes next. Heads are written into an [`Out`](crate::out::Out).
//!
//! Every byte is looked at once for the ends of lines, eight at a time, and once as part of its
//! line; a parser never starts again from the first byte, so a peer that sends byte by byte costs
//! no more than one that does not. A chunked body is decoded in place, so a body is always one
//! slice.
//!
//! ```
//! use dubhook_core::http::{Limits, Method, Progress, RecvBuf, RequestParser};
//!
//! let mut memory = [0u8; 256];
//! let mut buf = RecvBuf::new(&mut memory, 0);
//! let mut parser = RequestParser::new();
//!
//! let mut receive = |bytes: &[u8]| {
//!     buf.room()[..bytes.len()].copy_from_slice(bytes);
//!     buf.commit(bytes.len());
//!     let progress = parser.advance(&Limits::SERVER, &mut buf)?;
//!     if let Some(request) = parser.request(buf.filled()) {
//!         assert_eq!(request.method, Method::Post);
//!         assert_eq!((request.path, request.query), ("/hook", Some("id=1")));
//!         assert_eq!(request.fields.get("content-type"), Some(b"text/plain".as_slice()));
//!         assert_eq!(request.body, b"hello");
//!     }
//!     parser.finish(&mut buf);
//!     Ok::<_, dubhook_core::http::Refusal>(progress)
//! };
//!
//! let more = receive(b"POST /hook?id=1 HTTP/1.1\r\nHost: example.test\r\nContent-Ty")?;
//! assert_eq!(more, Progress::NeedMore { bytes_min: 1 });
//! let more = receive(b"pe: text/plain\r\nContent-Length: 5\r\n\r\nhe")?;
//! assert_eq!(more, Progress::NeedMore { bytes_min: 3 });
//! assert_eq!(receive(b"llo")?, Progress::Complete);
//! # Ok::<(), dubhook_core::http::Refusal>(())
//! ```
//!
//! # What is accepted
//!
//! RFC 9112, and where it lets a recipient choose between refusing and repairing: refusing. Two
//! parties that repair differently see different messages on one connection, which is how requests
//! are smuggled. In particular:
//!
//! - only CRLF ends a line; no control characters, no folded lines, no space before a colon;
//! - one `Content-Length` of digits, or one `Transfer-Encoding: chunked` on HTTP/1.1, never both;
//! - exactly one valid `Host` on HTTP/1.1; in targets only bytes that RFC 3986 allows;
//! - every refusal is final, and what was received after it is never read as a message;
//! - everything has a bound ([`Limits`]) that is counted while bytes come in, and not when a line
//!   ends.
//!
//! Not here: HTTP/2, upgrades, content codings, transfer codings other than chunked, sending
//! chunks, trailers (checked, then dropped). What a status means, which methods a path has and how
//! long to wait are for the caller to decide.

mod authority;
mod body;
mod buffer;
mod chunk;
mod date;
mod fields;
mod grammar;
mod head;
mod method;
mod reason;
mod refusal;
mod request;
mod request_head;
mod response;
mod response_head;
mod target;
mod version;
mod write;

pub use buffer::RecvBuf;
pub(crate) use date::Date;
pub use date::{parse_date, render_date, retry_after};
pub use fields::{Fields, Repeated};
pub use method::Method;
#[cfg(feature = "problem-details")]
pub(crate) use reason::reason;
pub use refusal::Refusal;
pub use request::{Progress, Request, RequestParser};
pub use request_head::RequestHead;
pub use response::{BodyUse, Response, ResponseError, ResponseParser, ResponseProgress};
pub use response_head::{CONTINUE, LengthLater, ResponseHead};
pub use version::Version;
pub use write::{FieldLine, HeadError};

/// How large the parts of a message may be.
///
/// A buffer that is smaller than these allow is a limit of its own: what does not fit is refused as
/// too large. A chunked body needs room for one line of its framing besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The whole head, its empty line included, in bytes; more than 65,535 counts as that.
    pub head_bytes_max: usize,
    /// The number of fields in a head.
    pub fields_max: u16,
    /// A request's target, in bytes.
    pub target_bytes_max: usize,
    /// A body as it is decoded, in bytes; at most 4 GiB − 2.
    pub body_bytes_max: usize,
    /// One chunk's line without its CRLF, in bytes: the size and its extensions.
    pub chunk_line_bytes_max: usize,
    /// The extensions of all chunks of a body, in bytes; more than 65,534 counts as that.
    pub chunk_extension_bytes_max: usize,
    /// The trailer section without its CRLFs, in bytes; more than 65,535 counts as that.
    pub trailer_bytes_max: usize,
}

impl Limits {
    /// What a server on the open network takes.
    ///
    /// RFC 9112, section 3, recommends request lines of at least 8,000 bytes, and no field of ours
    /// is long.
    pub const SERVER: Self = Self {
        head_bytes_max: 8_192,
        fields_max: 100,
        target_bytes_max: 8_000,
        body_bytes_max: 65_536,
        chunk_line_bytes_max: 64,
        chunk_extension_bytes_max: 4_096,
        trailer_bytes_max: 4_096,
    };

    /// What a small device takes: a whole message of at most 1.5 KiB.
    pub const SMALL: Self = Self {
        head_bytes_max: 1_024,
        fields_max: 32,
        target_bytes_max: 256,
        body_bytes_max: 512,
        chunk_line_bytes_max: 64,
        chunk_extension_bytes_max: 256,
        trailer_bytes_max: 256,
    };

    /// The most bytes of a message that lie in a buffer at once: with a buffer so large it is these limits that a peer
    /// meets, and not the buffer's.
    ///
    /// ```
    /// use dubhook_core::{http::RecvBuf, server::Config};
    ///
    /// let mut memory = [0; Config::DEVICE.http.message_bytes_max()];
    /// let input = RecvBuf::new(&mut memory, 0);
    /// # let _ = input;
    /// ```
    #[must_use]
    pub const fn message_bytes_max(&self) -> usize {
        // Of a chunked body there is one line, and its end.
        self.head_bytes_max + self.body_bytes_max + self.chunk_line_bytes_max + 2
    }
}

const _: () = {
    let mut all = [Limits::SERVER, Limits::SMALL].as_slice();
    while let [limits, rest @ ..] = all {
        // Else 414 could never be told from 431, and a refusal would name the wrong limit.
        assert!(limits.target_bytes_max < limits.head_bytes_max);
        assert!(limits.head_bytes_max <= u16::MAX as usize);
        assert!(limits.trailer_bytes_max <= u16::MAX as usize);
        assert!(limits.chunk_line_bytes_max < limits.chunk_extension_bytes_max);
        assert!(limits.body_bytes_max < u32::MAX as usize);
        all = rest;
    }
};

impl Default for Limits {
    fn default() -> Self {
        Self::SERVER
    }
}

/// What a parser is reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Phase {
    /// Nothing of a message was seen yet.
    Idle,
    /// Its head.
    Head,
    /// Its body.
    Body,
    /// None: the message is whole and not taken out yet.
    Complete,
    /// None: the message was refused, and the connection is to be closed.
    Refused,
}
