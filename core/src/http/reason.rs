//! Reason phrases.

/// Those of RFC 9110, section 15, and RFC 6585, as a status line has them.
const STATUSES: [(u16, &str); if cfg!(feature = "media") { 36 } else { 33 }] = [
    (100, "100 Continue"),
    (200, "200 OK"),
    (201, "201 Created"),
    (202, "202 Accepted"),
    (204, "204 No Content"),
    #[cfg(feature = "media")]
    (206, "206 Partial Content"),
    #[cfg(feature = "media")]
    (302, "302 Found"),
    (304, "304 Not Modified"),
    (400, "400 Bad Request"),
    (401, "401 Unauthorized"),
    (403, "403 Forbidden"),
    (404, "404 Not Found"),
    (405, "405 Method Not Allowed"),
    (406, "406 Not Acceptable"),
    (408, "408 Request Timeout"),
    (409, "409 Conflict"),
    (410, "410 Gone"),
    (411, "411 Length Required"),
    (412, "412 Precondition Failed"),
    (413, "413 Content Too Large"),
    (414, "414 URI Too Long"),
    (415, "415 Unsupported Media Type"),
    #[cfg(feature = "media")]
    (416, "416 Range Not Satisfiable"),
    (417, "417 Expectation Failed"),
    (421, "421 Misdirected Request"),
    (422, "422 Unprocessable Content"),
    (428, "428 Precondition Required"),
    (429, "429 Too Many Requests"),
    (431, "431 Request Header Fields Too Large"),
    (500, "500 Internal Server Error"),
    (501, "501 Not Implemented"),
    (502, "502 Bad Gateway"),
    (503, "503 Service Unavailable"),
    (504, "504 Gateway Timeout"),
    (505, "505 HTTP Version Not Supported"),
    (507, "507 Insufficient Storage"),
];

/// The status and its reason phrase as a status line has them; `None` for one that has no phrase here.
pub(super) fn with_reason(status: u16) -> Option<&'static str> {
    let known = STATUSES.iter().find(|(known, _)| *known == status);
    known.map(|(_, text)| *text)
}

/// The reason phrase that belongs to `status`; empty for others, as section 4 of RFC 9112 allows.
#[must_use]
#[cfg(feature = "problem-details")]
pub(crate) fn reason(status: u16) -> &'static str {
    let text = with_reason(status).unwrap_or_default();
    text.get(4..).unwrap_or_default()
}
