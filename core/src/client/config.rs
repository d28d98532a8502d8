//! How a client is set up: whom it asks, where it is told, how patient it is.

use crate::{
    event::Filter,
    http::Limits,
    id::{Id, Prefix},
    json,
    model::{NewWebhook, Sensitive},
    out::Out,
    random::Random,
    signature::{SECRET_TEXT_BYTES_MAX, Secret},
    url::{Scheme, Url, UrlError},
};
use zeroize::Zeroize;

/// The longest API key, in bytes.
pub const API_KEY_BYTES_MAX: usize = 128;
/// The longest URL of a server, in bytes: a host name of 253 with a scheme and a port.
const SERVER_BYTES_MAX: usize = 272;

/// The server that a client talks to.
///
/// ```
/// use dubhook_core::client::{Server, ServerError};
///
/// let server = Server::parse("http://127.0.0.1:8000").unwrap().with_key("secret").unwrap();
/// assert_eq!((server.authority(), server.url().port()), ("127.0.0.1:8000", 8_000));
/// assert_eq!(Server::parse("http://example.test/v1").err(), Some(ServerError::Path));
/// ```
#[derive(Clone, Copy)]
pub struct Server<'a> {
    url: Url<'a>,
    authority: &'a str,
    key: Option<&'a str>,
}

impl core::fmt::Debug for Server<'_> {
    /// Shows which server it is, and not the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Checks that a client can send this API key.
///
/// # Errors
///
/// [`ServerError::Key`].
pub fn check_api_key(key: &str) -> Result<(), ServerError> {
    let is_key = (1..=API_KEY_BYTES_MAX).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key {
        Ok(())
    } else {
        Err(ServerError::Key)
    }
}

/// Why a text names no server, or is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ServerError {
    /// It is no URL.
    Url(UrlError),
    /// It has a path or a query, which the API brings itself.
    Path,
    /// The key is empty, longer than [`API_KEY_BYTES_MAX`], or not of visible ASCII characters.
    Key,
}

impl ServerError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Url(error) => error.as_str(),
            Self::Path => "the URL of the server must end after host and port",
            Self::Key => "an API key must be 1 to 128 visible ASCII characters",
        }
    }
}

impl core::fmt::Display for ServerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for ServerError {}

impl<'a> Server<'a> {
    /// Reads a server's URL: `http://127.0.0.1:8000`.
    ///
    /// # Errors
    ///
    /// [`ServerError::Url`] and [`ServerError::Path`].
    pub fn parse(text: &'a str) -> Result<Self, ServerError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let url = Url::parse(text, SERVER_BYTES_MAX).map_err(ServerError::Url)?;
        if url.path_and_query() != "/" || text.ends_with('/') {
            return Err(ServerError::Path);
        }
        // What a URL without a path has after its scheme.
        let scheme_len = url.scheme().as_str().len().saturating_add(3);
        Ok(Self {
            url,
            authority: text.get(scheme_len..).unwrap_or_default(),
            key: None,
        })
    }

    /// The same server, asked with an API key (RFC 6750, section 2.1).
    ///
    /// # Errors
    ///
    /// [`ServerError::Key`].
    pub fn with_key(self, key: &'a str) -> Result<Self, ServerError> {
        check_api_key(key)?;
        Ok(Self {
            key: Some(key),
            ..self
        })
    }

    /// Whom to connect to.
    #[must_use]
    pub const fn url(&self) -> &Url<'a> {
        &self.url
    }

    /// Whether the connection goes through TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == Scheme::Https
    }

    /// Host and port, as `Host` carries them.
    #[must_use]
    pub const fn authority(&self) -> &'a str {
        self.authority
    }

    /// The key, if there is one.
    #[must_use]
    pub const fn key(&self) -> Option<&'a str> {
        self.key
    }
}

/// The longest URL of a webhook, in bytes: that of the longest host name with a short path.
pub const WEBHOOK_URL_BYTES_MAX: usize = 300;

/// Where a client is told.
#[derive(Debug, Clone)]
pub struct Webhook<'a> {
    url: Url<'a>,
    /// Which events to be told.
    pub events: Filter,
    /// The only job to be told of; every job where `None`.
    pub job: Option<Id>,
    /// What people see in the server's list of webhooks.
    pub description: &'a str,
    /// What the server shall sign with; made from the seed where `None`.
    pub secret: Option<Secret>,
    /// Not to be registered: each translation that is submitted names it as its `callback_url`, and is the only one that
    /// tells here. The last two of them are verified, with the secrets that came with their acceptance.
    pub as_callback: bool,
}

impl<'a> Webhook<'a> {
    /// A webhook that is told everything about every translation. `url` is where the server shall call: the address of the
    /// client's own receiver.
    ///
    /// # Errors
    ///
    /// [`UrlError`], [`UrlError::TooLong`] past [`WEBHOOK_URL_BYTES_MAX`].
    pub fn new(url: &'a str) -> Result<Self, UrlError> {
        Ok(Self {
            url: Url::parse(url, WEBHOOK_URL_BYTES_MAX)?,
            events: Filter::TRANSLATION,
            job: None,
            description: "dubhook client",
            secret: None,
            as_callback: false,
        })
    }

    /// Where the server shall call.
    #[must_use]
    pub const fn url(&self) -> &Url<'a> {
        &self.url
    }

    /// Lends the URL as text to `then`.
    pub(super) fn with_url<T>(&self, then: impl FnOnce(&str) -> T) -> T {
        // What is written for a path or a port that is not there is shorter than what was.
        let mut memory = [0; WEBHOOK_URL_BYTES_MAX + 1];
        let mut out = Out::new(&mut memory);
        self.url.write_origin(&mut out);
        self.url.write_target(&mut out);
        then(core::str::from_utf8(out.written()).unwrap_or_default())
    }

    /// Writes what the server is asked to register.
    pub(super) fn write_json(&self, secret: &Secret, out: &mut Out<'_>) {
        let mut memory = [0; SECRET_TEXT_BYTES_MAX];
        let mut text = Out::new(&mut memory);
        secret.write_text(&mut text);
        let secret = core::str::from_utf8(text.written()).unwrap_or_default();
        let job = self.job.map(|job| job.text(Prefix::Job));
        self.with_url(|url| {
            let new = NewWebhook {
                events: Some(self.events),
                description: Some(self.description),
                secret: Some(Sensitive::new(secret)),
                job: job.as_deref(),
                ..NewWebhook::new(url)
            };
            // All of it has JSON.
            let _ = json::write(&new, out);
        });
        memory.zeroize();
    }

    /// The most bytes that this can be.
    pub(super) fn json_bytes_max(&self) -> usize {
        // Every name of an event with its marks, the names of the members, the secret and the job.
        const REST: usize = 512;
        // Each byte of the description may be written as `\u001f`.
        let description = self.description.len().saturating_mul(6);
        self.with_url(str::len)
            .saturating_add(description)
            .saturating_add(REST)
    }
}

/// How a client is set up.
#[derive(Debug, Clone)]
pub struct Config<'a> {
    /// Whom to ask.
    pub server: Server<'a>,
    /// Where to be told; where `None`, the client only asks.
    pub webhook: Option<Webhook<'a>>,
    /// Whether to hand on events of jobs that were not followed, too.
    pub everything: bool,
    /// How large a delivery may be.
    pub http: Limits,
    /// How long to wait for what.
    pub timings: Timings,
}

impl<'a> Config<'a> {
    /// A client that is told by webhook of the jobs it follows.
    #[must_use]
    pub const fn new(server: Server<'a>, webhook: Option<Webhook<'a>>) -> Self {
        Self {
            server,
            webhook,
            everything: false,
            http: Limits::SMALL,
            timings: Timings::STANDARD,
        }
    }
}

/// Pauses that double from `first_ms` to `max_ms`, each give or take ten percent, so that a crowd of
/// clients does not stay a crowd.
///
/// ```
/// use dubhook_core::{client::Pauses, random::Random};
///
/// let pauses = Pauses { first_ms: 5_000, max_ms: 300_000 };
/// let mut random = Random::new([1; 32]);
/// assert!((4_500..=5_500).contains(&pauses.pause_ms(0, &mut random)));
/// assert!((36_000..=44_000).contains(&pauses.pause_ms(3, &mut random)));
/// assert!((270_000..=330_000).contains(&pauses.pause_ms(200, &mut random)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// The first pause, in milliseconds.
    pub first_ms: u32,
    /// The longest pause, in milliseconds.
    pub max_ms: u32,
}

impl Pauses {
    /// The pause after `pauses_before` others, in milliseconds.
    #[must_use]
    pub fn pause_ms(&self, pauses_before: u8, random: &mut Random) -> u64 {
        let doubled = u64::from(self.first_ms) << pauses_before.min(31);
        let pause = doubled.min(self.max_ms.into());
        let jitter = pause / 10;
        pause
            .saturating_sub(jitter)
            .saturating_add(random.below(jitter.saturating_mul(2).saturating_add(1)))
    }
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// How long the whole answer to a request may take, in milliseconds.
    pub answer_ms: u32,
    /// Pauses before a request that has failed is sent again.
    pub retry: Pauses,
    /// How long a followed job may be silent before the client asks, while it is registered.
    pub ask: Pauses,
    /// The same while there is no webhook: asking is then the only way to know.
    pub ask_alone: Pauses,
    /// How often to make sure that the server still knows the registration, in milliseconds.
    pub check_ms: u32,
}

impl Timings {
    /// An answer within 15 s; again after 0.5 s, doubling to 30 s; asking after 5 s of silence,
    /// doubling to 5 min, or without a webhook after 1 s, doubling to 10 s; the registration each
    /// minute.
    pub const STANDARD: Self = Self {
        answer_ms: 15_000,
        retry: Pauses {
            first_ms: 500,
            max_ms: 30_000,
        },
        ask: Pauses {
            first_ms: 5_000,
            max_ms: 300_000,
        },
        ask_alone: Pauses {
            first_ms: 1_000,
            max_ms: 10_000,
        },
        check_ms: 60_000,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_url_without_a_path() {
        #[track_caller]
        fn check(text: &str, expect: Result<(&str, u16), ServerError>) {
            let found = Server::parse(text).map(|server| (server.authority(), server.url().port()));
            assert_eq!(found, expect, "{text}");
        }
        check("http://localhost:8000", Ok(("localhost:8000", 8_000)));
        check("http://localhost:8000/", Ok(("localhost:8000", 8_000)));
        check("HTTPS://example.test", Ok(("example.test", 443)));
        check("http://[::1]:8000", Ok(("[::1]:8000", 8_000)));
        check("http://a.test//", Err(ServerError::Path));
        check("http://a.test/?", Err(ServerError::Path));
        check("http://a.test?a", Err(ServerError::Path));
        check("a.test:8000", Err(ServerError::Url(UrlError::Scheme)));
        check("http://:8000", Err(ServerError::Url(UrlError::Host)));
    }

    #[test]
    fn a_key_stands_in_one_header_field() {
        let server = Server::parse("http://a.test").unwrap();
        for bad in ["", "a b", "a\r\nb", "\u{e9}", &"k".repeat(129)] {
            assert_eq!(server.with_key(bad).err(), Some(ServerError::Key), "{bad}");
        }
        let longest = "k".repeat(128);
        assert_eq!(
            server.with_key(&longest).unwrap().key(),
            Some(longest.as_str())
        );
    }

    #[test]
    fn pauses_never_overflow() {
        let pauses = Pauses {
            first_ms: u32::MAX,
            max_ms: u32::MAX,
        };
        let mut random = Random::new([2; 32]);
        for before in 0..=u8::MAX {
            let pause = pauses.pause_ms(before, &mut random);
            assert!(pause >= u64::from(u32::MAX) / 10 * 9);
            assert!(pause <= u64::from(u32::MAX) / 10 * 11 + 11);
        }
    }
}
