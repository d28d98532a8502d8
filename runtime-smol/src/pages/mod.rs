//! What `dubhook serve` shows besides the API: a page for people, and the API's description for programs.
//!
//! All of it is in the program and comes from nowhere else. The page is a client like any other: it asks the API for what
//! it shows, and where that needs a key, the page asks for the key. Its policy lets it run its own scripts, call its own
//! server, and nothing more.

use dubhook_core::{http::FieldLine, server::Page};

const NOSNIFF: FieldLine = FieldLine::new("x-content-type-options: nosniff\r\n");
const NO_REFERRER: FieldLine = FieldLine::new("referrer-policy: no-referrer\r\n");
/// Videos come from the server itself, or out of memory where a key stands between, which no element can send.
/// Scripts may make no markup out of text, either: what a job says stays text.
const POLICY: FieldLine = FieldLine::new(
    "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'\r\n",
);
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
