//! What `dubhook serve` shows besides the API: a page for people, and the API's description for programs.
//!
//! All of it is in the program and comes from nowhere else. The page is a client like any other: it asks the API for what
//! it shows, and where that needs a key, the page asks for the key. Its policy lets it run its own scripts, call its own
//! server, and nothing more; where videos lie in an object store, [`beside`] lets it send them there and play them from there.

use dubhook_core::{http::FieldLine, server::Page};

const HTML: FieldLine = FieldLine::new("content-type: text/html; charset=utf-8\r\n");
const NOSNIFF: FieldLine = FieldLine::new("x-content-type-options: nosniff\r\n");
const NO_REFERRER: FieldLine = FieldLine::new("referrer-policy: no-referrer\r\n");
/// The policy of the page. Videos come from the server itself, or out of memory where a key stands between, which no element can
/// send; or from a store whose origin follows a space. Scripts may make no markup out of text, either: what a job says stays text.
macro_rules! policy {
    ($store:literal) => {
        concat!(
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'",
            $store,
            "; media-src 'self' blob:",
            $store,
            "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'\r\n"
        )
    };
}

const POLICY: FieldLine = FieldLine::new(policy!(""));
/// The longest host and port of a store.
const ORIGIN_BYTES_MAX: usize = 260;
/// Where the origin of a store goes.
const PLACE: &str = " STORE";
const POLICY_WITH_STORE: &str = policy!(" STORE");
/// Nothing that is not the page itself has anything to load.
const NOTHING: FieldLine =
    FieldLine::new("content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n");

macro_rules! page {
    ($path:literal, $kind:literal, $policy:expr, $file:literal) => {
        Page::new(
            $path,
            &[
                FieldLine::new(concat!("content-type: ", $kind, "\r\n")),
                NOSNIFF,
                NO_REFERRER,
                $policy,
            ],
            include_bytes!($file),
        )
        .tagged()
    };
}

/// All of them: for [`Builder::pages`](crate::server::Builder::pages).
pub const ALL: &[Page<'static>] = &[
    page!("/", "text/html; charset=utf-8", POLICY, "index.html"),
    page!(
        "/page/style.css",
        "text/css; charset=utf-8",
        NOTHING,
        "style.css"
    ),
    page!(
        "/page/main.js",
        "text/javascript; charset=utf-8",
        NOTHING,
        "main.js"
    ),
    page!(
        "/page/api.js",
        "text/javascript; charset=utf-8",
        NOTHING,
        "api.js"
    ),
    page!(
        "/page/tables.js",
        "text/javascript; charset=utf-8",
        NOTHING,
        "tables.js"
    ),
    page!(
        "/page/form.js",
        "text/javascript; charset=utf-8",
        NOTHING,
        "form.js"
    ),
    page!(
        "/page/store.js",
        "text/javascript; charset=utf-8",
        NOTHING,
        "store.js"
    ),
    page!(
        "/page/player.js",
        "text/javascript; charset=utf-8",
        NOTHING,
        "player.js"
    ),
    page!(
        "/page/upload.js",
        "text/javascript; charset=utf-8",
        NOTHING,
        "upload.js"
    ),
    page!(
        "/page/words.js",
        "text/javascript; charset=utf-8",
        NOTHING,
        "words.js"
    ),
    page!("/page/icon.svg", "image/svg+xml", NOTHING, "icon.svg"),
    page!("/openapi.json", "application/json", NOTHING, "openapi.json"),
];

/// [`ALL`] of them, where the page may also send bytes to the object store of that origin and play what lies there, and ask nobody
/// else. None where no policy can name it: an address in brackets, or what is no origin.
///
/// What is made for that is never given back: it is for one call of a program.
#[must_use]
pub fn beside(origin: &str) -> Option<&'static [Page<'static>]> {
    let (scheme, host) = origin.split_once("://")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    let is_host = (1..=ORIGIN_BYTES_MAX).contains(&host.len()) && host.bytes().all(is_plain);
    if !matches!(scheme, "http" | "https") || !is_host {
        return None;
    }
    let policy = POLICY_WITH_STORE.replace(PLACE, &format!(" {origin}"));
    let policy = FieldLine::new(policy.leak());
    let pages = ALL.iter().map(|page| match page.path() {
        "/" => Page::new(
            "/",
            vec![HTML, NOSNIFF, NO_REFERRER, policy].leak(),
            page.body(),
        )
        .tagged(),
        _ => *page,
    });
    Some(pages.collect::<Vec<_>>().leak())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_the_store_and_nothing_that_a_url_smuggles_in() {
        for origin in [
            "https://media.s3.eu-west-1.amazonaws.com",
            "http://127.0.0.1:9000",
        ] {
            let pages = beside(origin).expect(origin);
            assert_eq!(pages.len(), ALL.len());
            assert_eq!(pages[1..], ALL[1..]);
            assert_ne!(pages[0], ALL[0]);
        }
        for origin in [
            "",
            "https://",
            "media.test",
            "ftp://media.test",
            "https://a;script-src",
            "https://a b",
            "https://a'",
            "https://*",
            "https://a,b",
            "httpx://a",
            "http://[::1]:9000",
        ] {
            assert!(beside(origin).is_none(), "{origin}");
        }
    }
}
