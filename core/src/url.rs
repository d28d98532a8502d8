//! Where a webhook goes: an `http` or `https` URL, read strictly or not at all.
//!
//! Readers of URLs disagree about the odd ones, and a disagreement between the one that checks and
//! the one that connects is a way in. So a [`Url`] has one reading: ASCII, no user name, no fragment,
//! no white space or backslash, and an IPv4 address only as four decimal numbers. What another reader
//! would repair or convert (`127.1`, `0x7f.0.0.1`, `2130706433`, a tab inside) is refused. The rules
//! are those of RFC 3986, narrowed.
//!
//! ```
//! use dubhook_core::out::Out;
//! use dubhook_core::url::{Host, Scheme, Url, UrlError};
//!
//! let url = Url::parse("https://hooks.example.com:8443/done?job=1", 2_048).unwrap();
//! assert_eq!(url.scheme(), Scheme::Https);
//! assert_eq!(url.host(), Host::Name("hooks.example.com"));
//! assert_eq!(url.port(), 8_443);
//!
//! let mut memory = [0u8; 64];
//! let mut out = Out::new(&mut memory);
//! url.write_target(&mut out);
//! out.put(b" ");
//! url.write_host(&mut out);
//! assert_eq!(out.written(), b"/done?job=1 hooks.example.com:8443");
//!
//! assert_eq!(Url::parse("http://127.1/", 2_048), Err(UrlError::Address));
//! ```
//!
//! Which hosts may be called is not decided here but in [`address`](crate::address).

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::digits::canonical;
use crate::ip;
use crate::out::Out;
use crate::split::split_once;

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Through TLS.
    Https,
}

impl Scheme {
    /// The port if the URL names none (RFC 9110 section 4.2).
    #[must_use]
    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Whom a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Host<'a> {
    /// A name of RFC 1123 section 2.1, as written, without the dot at its end.
    Name(&'a str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

/// An `http` or `https` URL with one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Url<'a> {
    scheme: Scheme,
    host: Host<'a>,
    /// As it goes into `Host` and TLS: without the dot at the end, with brackets.
    host_text: &'a str,
    port: u16,
    /// Empty, or starts with `/` or `?`.
    path_and_query: &'a str,
}

/// Why a text is no [`Url`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum UrlError {
    /// Longer than the caller allows.
    TooLong,
    /// Does not start with `http://` or `https://`.
    Scheme,
    /// A user name or password stands before the host.
    UserInfo,
    /// The host is no name: empty, too long, or with characters that no name has.
    Host,
    /// The host is an address, but not in its canonical spelling.
    Address,
    /// The port is not a number from 1 to 65535 without leading zeros.
    Port,
    /// A fragment, which is never sent.
    Fragment,
    /// A character that must be percent-encoded.
    Character,
    /// A `%` without two hexadecimal digits after it.
    PercentEncoding,
}

impl UrlError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "the URL is too long",
            Self::Scheme => "the URL must start with http:// or https://",
            Self::UserInfo => "the URL must not hold a user name or password",
            Self::Host => "the host of the URL is not a host name",
            Self::Address => "the host of the URL is an address that is not written canonically",
            Self::Port => "the port of the URL must be a number from 1 to 65535",
            Self::Fragment => "the URL must not have a fragment",
            Self::Character => "the URL holds a character that must be percent-encoded",
            Self::PercentEncoding => "the URL holds a malformed percent-encoding",
        }
    }
}

impl core::fmt::Display for UrlError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for UrlError {}

impl<'a> Url<'a> {
    /// Reads a URL of at most `bytes_max` bytes.
    ///
    /// # Errors
    ///
    /// [`UrlError`] says what is wrong with `text`.
    pub fn parse(text: &'a str, bytes_max: usize) -> Result<Self, UrlError> {
        if text.len() > bytes_max {
            return Err(UrlError::TooLong);
        }
        let (scheme, rest) = split_scheme(text)?;
        let authority_len = rest
            .bytes()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'))
            .unwrap_or(rest.len());
        let (authority, path_and_query) =
            rest.split_at_checked(authority_len).ok_or(UrlError::Host)?;
        check_path_and_query(path_and_query)?;
        if authority.bytes().any(|byte| byte == b'@') {
            return Err(UrlError::UserInfo);
        }
        let (host_text, port) = split_port(authority)?;
        let port = match port {
            Some(digits) => parse_port(digits)?,
            None => scheme.default_port(),
        };
        let (host, host_text) = parse_host(host_text)?;
        Ok(Self {
            scheme,
            host,
            host_text,
            port,
            path_and_query,
        })
    }

    /// How the request travels.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whom to connect to.
    #[must_use]
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The host as text: a name without the dot at its end, an IPv6 address in its brackets.
    #[must_use]
    pub const fn host_text(&self) -> &'a str {
        self.host_text
    }

    /// The port to connect to, named or by default.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query as they are written, `/` if there are none.
    ///
    /// Starts with `?` if only the path is missing; [`Url::write_target`] adds it then.
    #[must_use]
    pub const fn path_and_query(&self) -> &'a str {
        if self.path_and_query.is_empty() {
            "/"
        } else {
            self.path_and_query
        }
    }

    /// Whether both lead to the same server: scheme, host and port are equal (RFC 6454 section 5).
    #[must_use]
    pub fn same_origin(&self, other: &Url<'_>) -> bool {
        self.scheme == other.scheme
            && self.port == other.port
            && match (self.host, other.host) {
                (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
                (a, b) => a == b,
            }
    }

    /// Writes the target of a request line: path and query (RFC 9112 section 3.2.1).
    pub fn write_target(&self, out: &mut Out<'_>) {
        if !self.path_and_query.starts_with('/') {
            out.put_byte(b'/');
        }
        out.put(self.path_and_query.as_bytes());
    }

    /// Writes the value of `Host`: the port only if it is not the default (RFC 9110 section 7.2).
    pub fn write_host(&self, out: &mut Out<'_>) {
        out.put(self.host_text.as_bytes());
        if self.port != self.scheme.default_port() {
            out.put_byte(b':');
            out.put_u64(u64::from(self.port));
        }
    }

    /// Writes the origin: scheme, host and, if it is not the default, port.
    ///
    /// The host keeps its spelling, so compare with [`Url::same_origin`].
    pub fn write_origin(&self, out: &mut Out<'_>) {
        out.put(self.scheme.as_str().as_bytes());
        out.put(b"://");
        self.write_host(out);
    }
}

/// Whether `text` is a URI with a scheme (RFC 3986 section 3): any scheme, visible ASCII only.
///
/// This is the looser check for a URL that is passed on and never called from here:
/// `file:///videos/a.mp4` and `s3://bucket/key` are fine.
///
/// ```
/// use dubhook_core::url::is_absolute_uri;
///
/// assert!(is_absolute_uri("file:///videos/a.mp4"));
/// assert!(!is_absolute_uri("/videos/a.mp4"));
/// ```
#[must_use]
pub fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = split_once(text, b':') else {
        return false;
    };
    let is_scheme = scheme
        .as_bytes()
        .first()
        .is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let fragments = rest.bytes().filter(|byte| *byte == b'#').count();
    is_scheme
        && !rest.is_empty()
        && fragments <= 1
        && check_percent_encoding(rest).is_ok()
        && rest
            .bytes()
            .all(|byte| is_path_or_query(byte) || matches!(byte, b'[' | b']' | b'#'))
}

fn split_scheme(text: &str) -> Result<(Scheme, &str), UrlError> {
    let (scheme, rest) = split_once(text, b':').ok_or(UrlError::Scheme)?;
    let rest = rest.strip_prefix("//").ok_or(UrlError::Scheme)?;
    if scheme.eq_ignore_ascii_case("http") {
        Ok((Scheme::Http, rest))
    } else if scheme.eq_ignore_ascii_case("https") {
        Ok((Scheme::Https, rest))
    } else {
        Err(UrlError::Scheme)
    }
}

/// Host and port of an authority; brackets keep the colons of an IPv6 address together.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    let host_len = if authority.starts_with('[') {
        match authority.bytes().position(|byte| byte == b']') {
            Some(end) => end.wrapping_add(1),
            None => return Err(UrlError::Address),
        }
    } else {
        authority
            .bytes()
            .position(|byte| byte == b':')
            .unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at_checked(host_len).ok_or(UrlError::Host)?;
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(UrlError::Host),
    }
}

fn parse_port(digits: &str) -> Result<u16, UrlError> {
    match canonical(digits.as_bytes()) {
        Some(port @ 1..=65_535) => Ok(port as u16),
        _ => Err(UrlError::Port),
    }
}

fn parse_host(text: &str) -> Result<(Host<'_>, &str), UrlError> {
    if let Some(inside) = text.strip_prefix('[') {
        let address = inside.strip_suffix(']').ok_or(UrlError::Address)?;
        // Neither a zone nor the `v1.x` of the future.
        let address = ip::v6(address.as_bytes()).ok_or(UrlError::Address)?;
        return Ok((Host::V6(address), text));
    }
    if ends_in_number(text) {
        let address = ip::v4(text.as_bytes()).ok_or(UrlError::Address)?;
        return Ok((Host::V4(address), text));
    }
    // "Absolute" names end in a dot; what is sent on does without.
    let name = text.strip_suffix('.').unwrap_or(text);
    if is_host_name(name) {
        Ok((Host::Name(name), name))
    } else {
        Err(UrlError::Host)
    }
}

/// Whether some reader of URLs would take `host` for an IPv4 address: its last label is a number,
/// decimal or `0x`.
fn ends_in_number(host: &str) -> bool {
    let host = host.as_bytes();
    let host = host.strip_suffix(b".").unwrap_or(host);
    match host.rsplit(|byte| *byte == b'.').next().unwrap_or_default() {
        [] => false,
        [b'0', b'x' | b'X', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

/// RFC 1123 section 2.1: labels of letters, digits and inner hyphens, 63 bytes each, 253 in all. Underscores too, which
/// names on a network of one's own have (those of Docker Compose) and which resolvers take.
fn is_host_name(name: &str) -> bool {
    name.len() <= 253
        && name.as_bytes().split(|byte| *byte == b'.').all(|label| {
            let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=63).contains(&label.len())
                && label.first() != Some(&b'-')
                && label.last() != Some(&b'-')
                && label.iter().all(is_inner)
        })
}

fn check_path_and_query(text: &str) -> Result<(), UrlError> {
    if text.bytes().any(|byte| byte == b'#') {
        return Err(UrlError::Fragment);
    }
    let (path, query) = split_once(text, b'?').unwrap_or((text, ""));
    // Brackets in a query stand there as they are in many a framework's URLs, and no reader takes them for anything else.
    let in_query = |byte| is_path_or_query(byte) || matches!(byte, b'[' | b']');
    if !path.bytes().all(is_path_or_query) || !query.bytes().all(in_query) {
        return Err(UrlError::Character);
    }
    check_percent_encoding(text)
}

/// The characters of `pchar`, with `/`, `?` and `%` (RFC 3986 section 3.3 and 3.4).
fn is_path_or_query(byte: u8) -> bool {
    PATH_OR_QUERY.get(usize::from(byte)) == Some(&true)
}

const PATH_OR_QUERY: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &mut [bool] = &mut table;
    let mut byte = 0u8;
    while let [place, tail @ ..] = rest {
        *place = in_path_or_query(byte);
        byte = byte.wrapping_add(1);
        rest = tail;
    }
    table
};

const fn in_path_or_query(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'/'
                | b'?'
                | b'%'
        )
}

/// `pct-encoded = "%" HEXDIG HEXDIG` (RFC 3986 section 2.1).
fn check_percent_encoding(text: &str) -> Result<(), UrlError> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        rest = match rest.get(at.saturating_add(1)..) {
            Some([a, b, rest @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            _ => return Err(UrlError::PercentEncoding),
        };
    }
    Ok(())
}
