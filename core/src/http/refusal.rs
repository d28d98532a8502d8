//! Why a message is refused.

/// Why a message is refused: one reason for each rule.
///
/// A refusal is final. The parser that returned it returns it for ever, because where the refused
/// message would end, and so where a next one would begin, is not known (RFC 9112, section 6.3):
/// answer with [`status`](Self::status), then close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
#[non_exhaustive]
pub enum Refusal {
    /// The head does not end within `head_bytes_max`, or does not fit into the buffer.
    HeadTooLarge = 1,
    /// More fields than `fields_max`.
    TooManyFields,
    /// A CR without its LF (RFC 9112, section 2.2).
    BareCr,
    /// An LF without its CR; section 2.2 of RFC 9112 would let it end a line.
    BareLf,
    /// NUL, DEL or another control character where none may be (RFC 9110, section 5.5).
    ControlCharacter,

    /// More empty lines before the request line than are ignored (RFC 9112, section 2.2).
    TooManyEmptyLines,
    /// Method, target and version are not there or not separated by one space each (RFC 9112,
    /// section 3).
    BadRequestLine,
    /// The method is no token (RFC 9110, section 9.1).
    BadMethod,
    /// The method is longer than any that is implemented (RFC 9112, section 3).
    MethodTooLong,
    /// CONNECT: what follows it would not be HTTP (RFC 9110, section 9.3.6).
    ConnectNotSupported,
    /// The target is longer than `target_bytes_max` (RFC 9112, section 3).
    TargetTooLong,
    /// The target has none of the four forms of RFC 9112, section 3.2, or has bytes that no URI
    /// has.
    BadTarget,
    /// Not `HTTP/` DIGIT `.` DIGIT (RFC 9112, section 2.3).
    BadVersion,
    /// A major version other than 1 (RFC 9110, section 15.6.6).
    VersionNotSupported,

    /// A line that starts with whitespace (RFC 9112, sections 2.2 and 5.2).
    LineFold,
    /// Whitespace between a field's name and its colon (RFC 9112, section 5.1).
    SpaceBeforeColon,
    /// A field line without a colon, or a name that is no token (RFC 9112, section 5).
    BadFieldName,
    /// No `Host` on HTTP/1.1 (RFC 9112, section 3.2).
    HostMissing,
    /// More than one `Host` (RFC 9112, section 3.2).
    HostRepeated,
    /// `Host` is not a host and perhaps a port (RFC 9112, section 3.2).
    BadHost,
    /// More than one `Content-Type` (RFC 9110, section 5.3).
    ContentTypeRepeated,
    /// An expectation other than `100-continue` (RFC 9110, section 10.1.1).
    ExpectationUnknown,

    /// `Content-Length` is not `1*DIGIT` (RFC 9112, section 6.3).
    BadContentLength,
    /// More than one `Content-Length`, equal ones included; RFC 9110, section 8.6, allows to refuse
    /// these.
    ContentLengthRepeated,
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112, section 6.1).
    LengthAndTransferEncoding,
    /// `Transfer-Encoding` is not exactly `chunked`, once (RFC 9112, section 6.3).
    BadTransferEncoding,
    /// `chunked` on top of a coding that is not implemented (RFC 9112, section 6.1).
    TransferEncodingNotSupported,
    /// The body is larger than `body_bytes_max`, or does not fit into the buffer.
    BodyTooLarge,

    /// A chunk's size, its extensions or the end of its data are malformed (RFC 9112, section 7.1).
    BadChunk,
    /// A chunk's line is longer than `chunk_line_bytes_max`.
    ChunkLineTooLong,
    /// All chunk extensions are longer than `chunk_extension_bytes_max` (RFC 9112, section 7.1.1).
    ChunkExtensionsTooLarge,
    /// A trailer that another parser could take for a request line (RFC 9112, section 11.2).
    TrailerLikeRequest,
    /// The trailer section is longer than `trailer_bytes_max`, or does not fit into the buffer.
    TrailersTooLarge,
}

impl Refusal {
    /// The status that a server answers with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BodyTooLarge | Self::ChunkExtensionsTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::ExpectationUnknown => 417,
            Self::HeadTooLarge | Self::TooManyFields | Self::TrailersTooLarge => 431,
            Self::MethodTooLong
            | Self::ConnectNotSupported
            | Self::TransferEncodingNotSupported => 501,
            Self::VersionNotSupported => 505,
            _ => 400,
        }
    }

    /// A short sentence for people, fit for the `detail` of a problem document (RFC 9457).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeadTooLarge => "The head is too large.",
            Self::TooManyFields => "There are too many fields.",
            Self::BareCr => "A CR stands without its LF.",
            Self::BareLf => "An LF stands without its CR.",
            Self::ControlCharacter => "There is a control character in the head.",
            Self::TooManyEmptyLines => "There are too many empty lines before the request line.",
            Self::BadRequestLine => "The request line is malformed.",
            Self::BadMethod => "The method is not a token.",
            Self::MethodTooLong => "The method is not known.",
            Self::ConnectNotSupported => "CONNECT is not supported.",
            Self::TargetTooLong => "The request target is too long.",
            Self::BadTarget => "The request target is malformed.",
            Self::BadVersion => "The HTTP version is malformed.",
            Self::VersionNotSupported => "Only HTTP/1.0 and HTTP/1.1 are supported.",
            Self::LineFold => "A line starts with whitespace.",
            Self::SpaceBeforeColon => "There is whitespace before a field's colon.",
            Self::BadFieldName => "A field line is malformed.",
            Self::HostMissing => "The Host field is missing.",
            Self::HostRepeated => "There is more than one Host field.",
            Self::BadHost => "The Host field is malformed.",
            Self::ContentTypeRepeated => "There is more than one Content-Type field.",
            Self::ExpectationUnknown => "The expectation is not known.",
            Self::BadContentLength => "The Content-Length field is malformed.",
            Self::ContentLengthRepeated => "There is more than one Content-Length field.",
            Self::LengthAndTransferEncoding => {
                "There are both a Content-Length and a Transfer-Encoding field."
            }
            Self::BadTransferEncoding => "The Transfer-Encoding field is not \"chunked\".",
            Self::TransferEncodingNotSupported => "The transfer coding is not supported.",
            Self::BodyTooLarge => "The body is too large.",
            Self::BadChunk => "A chunk is malformed.",
            Self::ChunkLineTooLong => "A chunk's line is too long.",
            Self::ChunkExtensionsTooLarge => "The chunk extensions are too large.",
            Self::TrailerLikeRequest => "A trailer looks like a request line.",
            Self::TrailersTooLarge => "The trailers are too large.",
        }
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for Refusal {}
