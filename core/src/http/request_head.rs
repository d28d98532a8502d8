//! Writing the heads of requests.

use super::authority::is_authority;
use super::method::Method;
use super::target::is_origin_form;
use super::write::{Head, HeadError};
use crate::{out::Out, url::Url};

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
    /// `target` is in origin form (`/path?query`, percent-encoded); `host` is a host and perhaps a
    /// port, IPv6 in brackets.
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

    /// Writes the request line and `Host` of a request to where `url` leads, after what is in `out`.
    ///
    /// ```
    /// use dubhook_core::{http::{Method, RequestHead}, out::Out, url::Url};
    ///
    /// let url = Url::parse("http://example.test:8080?id=1", 2_048).unwrap();
    /// let mut memory = [0u8; 128];
    /// let mut out = Out::new(&mut memory);
    /// RequestHead::to(&mut out, Method::Get, &url).finish().unwrap();
    /// assert_eq!(out.written(), b"GET /?id=1 HTTP/1.1\r\nhost: example.test:8080\r\n\r\n");
    /// ```
    pub fn to(out: &'o mut Out<'m>, method: Method, url: &Url<'_>) -> Self {
        let mut head = Head::new(out);
        if method == Method::Other {
            head.error = Some(HeadError::BadStartLine);
        }
        head.out.put(method.as_str().as_bytes());
        head.out.put(b" ");
        // A URL has but one reading: nothing in it ends a line.
        url.write_target(head.out);
        head.out.put(b" HTTP/1.1\r\n");
        head.begin_field("host");
        url.write_host(head.out);
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

#[cfg(test)]
mod tests {
    use super::{super::write::checks::check, *};

    #[test]
    fn nothing_can_add_a_line() {
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
}
