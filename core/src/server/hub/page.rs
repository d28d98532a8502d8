//! Pages: bytes that the caller lends, each at a path of its own.
//!
//! A page may be larger than any output. Its answer is therefore written a part at a time: the head and as much of the
//! body as there is room for, and after each [`Drive::Flush`] as much again. How far it has come stands in the
//! connection's reply.

use super::{metrics::METRICS_BYTES_MAX, tag::Tag};
use crate::{
    api::{Methods, Problem},
    http::{FieldLine, Method, Request, ResponseHead},
    out::Out,
    server::{
        Drive, Server,
        reply::{NO_STORE, Reply},
    },
    slab::Ix,
    time::Now,
};

/// The most bytes that the fields of one page may have together.
const FIELDS_BYTES_MAX: usize = 1_024;
// An output that holds any answer holds the head of any page, which cannot be parted.
const _: () = assert!(FIELDS_BYTES_MAX <= METRICS_BYTES_MAX);

/// What has a tag may be kept and asked for again: with the next version it may be another.
const ASK_AGAIN: FieldLine = FieldLine::new("cache-control: no-cache\r\n");

/// Bytes that a server shows to whoever asks for their path. No key is asked for.
///
/// ```
/// use dubhook_core::{http::FieldLine, server::{Config, Page}};
///
/// const PAGES: &[Page<'_>] = &[Page::new(
///     "/about",
///     &[FieldLine::new("content-type: text/plain; charset=utf-8\r\n")],
///     b"A server of translations.\n",
/// )];
/// let config = Config { pages: PAGES, ..Config::SERVER };
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Page<'a> {
    path: &'a str,
    fields: &'a [FieldLine],
    body: &'a [u8],
    tag: Option<Tag>,
}

impl core::fmt::Debug for Page<'_> {
    /// Says where it is and how long, and not all that it says.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Page")
            .field("path", &self.path)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Page<'a> {
    /// For constants. `path` is where it is, not below `/v1`; `fields` are those of its head that others do not have,
    /// `content-type` among them.
    ///
    /// # Panics
    ///
    /// Where `path` is none of its own, or `fields` have more than a kilobyte: in a constant, that is an error of the
    /// compiler.
    #[must_use]
    pub const fn new(path: &'a str, fields: &'a [FieldLine], body: &'a [u8]) -> Self {
        assert!(is_page_path(path.as_bytes()), "no page can be there");
        let (mut bytes, mut rest) = (0, fields);
        while let [field, after @ ..] = rest {
            (bytes, rest) = (bytes + field.len(), after);
        }
        assert!(bytes <= FIELDS_BYTES_MAX, "these are too many fields");
        Self {
            path,
            fields,
            body,
            tag: None,
        }
    }

    /// Gives it a tag (`ETag`) that is made of its bytes and its fields: who has them already is told so and no more. It is for
    /// constants, too, as long as a page has no more than some hundred kilobytes, at which the compiler loses its patience.
    #[must_use]
    pub const fn tagged(self) -> Self {
        let (mut tag, mut rest) = (Tag::of(self.body), self.fields);
        while let [field, after @ ..] = rest {
            (tag, rest) = (tag.and(field.as_bytes()), after);
        }
        Self {
            tag: Some(tag),
            ..self
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// What it says.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// What is below `/v1` is for key holders, and found before any page is.
const fn is_page_path(path: &[u8]) -> bool {
    !matches!(path, [b'/', b'v', b'1', b'/', ..]) && matches!(path, [b'/', ..])
}

/// What a request gets that was not admitted: where there is nothing at its path, the page that is there.
pub(in crate::server) fn page_instead(
    problem: Problem,
    head: &Request<'_>,
    pages: &[Page<'_>],
) -> Result<Reply, Problem> {
    if problem != Problem::NoSuchPath {
        return Err(problem);
    }
    let at = pages.iter().position(|page| page.path == head.path);
    let at = at.ok_or(problem)?;
    if !Methods::Read.has(head.method) {
        return Err(Problem::Method(Methods::Read));
    }
    if head.method == Method::Options {
        return Ok(Reply::Options(Some(Methods::Read)));
    }
    let tag = pages.get(at).and_then(|page| page.tag);
    let known = tag.is_some_and(|tag| tag.is_known(&head.fields));
    Ok(Reply::Page {
        at,
        known,
        sent: None,
    })
}

impl Server<'_> {
    /// Writes as much of page number `at` as there is room for; `sent` is how many bytes of its body are out, none
    /// before its head is. Returns what the connection waits for, if it does.
    pub(in crate::server) fn write_page(
        &mut self,
        now: Now,
        ix: Ix,
        at: usize,
        known: bool,
        sent: Option<usize>,
        out: &mut Out<'_>,
    ) -> Option<Drive> {
        let page = *self.config.pages.get(at)?;
        let conn = self.conns.get(ix)?;
        let (was_empty, head_only) = (out.is_empty(), conn.head_only);
        if sent.is_none() {
            self.date.set(now.timestamp);
            let start = out.len();
            let head = ResponseHead::new(out, if known { 304 } else { 200 })
                .date_as(&self.date)
                .connection(conn.keep_alive && !self.stopping, conn.version);
            let head = match page.tag {
                Some(tag) => head.line(ASK_AGAIN).field("etag", &tag.text()),
                None => head.line(NO_STORE),
            };
            let finished = if known {
                head.finish_without_length()
            } else {
                let head = page.fields.iter().fold(head, |head, line| head.line(*line));
                head.finish_with_length(page.body.len())
            };
            if finished.is_err() {
                return Some(no_room(was_empty));
            }
            self.traffic.count_answer(out.written(), start);
        }
        let sent = if head_only || known {
            page.body.len()
        } else {
            sent.unwrap_or(0)
        };
        let left = page.body.get(sent..).unwrap_or_default();
        let part = left.get(..out.room()).unwrap_or(left);
        out.put(part);
        if part.len() == left.len() {
            return self.answered(ix);
        }
        if let Some(conn) = self.conns.get_mut(ix) {
            let sent = Some(sent.saturating_add(part.len()));
            conn.reply = Reply::Page { at, known, sent };
        }
        Some(no_room(out.is_empty()))
    }
}

/// What an output that is too small means: one that was empty is never going to do.
const fn no_room(is_empty: bool) -> Drive {
    if is_empty { Drive::Close } else { Drive::Flush }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn a_page_lies_outside_of_what_is_guarded() {
        for (path, expect) in [
            ("/", true),
            ("/openapi.json", true),
            ("/v1", true),
            ("/v1/", false),
            ("/v1/x", false),
            ("x", false),
            ("", false),
        ] {
            assert_eq!(is_page_path(path.as_bytes()), expect, "{path}");
        }
    }

    #[test]
    fn who_has_a_page_with_other_fields_is_sent_it_anew() {
        let one = FieldLine::new("content-security-policy: default-src 'none'\r\n");
        let other = FieldLine::new("content-security-policy: default-src 'self'\r\n");
        let tag = |fields: &[FieldLine]| Page::new("/x", fields, b"the same").tagged().tag;
        let all = [&[][..], &[one], &[other], &[one, other], &[other, one]].map(tag);
        for (at, tag) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|later| later != tag), "{at}");
        }
    }

    #[test]
    fn what_a_page_says_is_not_in_debug() {
        let shown = std::format!("{:?}", Page::new("/x", &[], b"secret"));
        assert_eq!(shown, r#"Page { path: "/x", bytes: 6, .. }"#);
    }
}
