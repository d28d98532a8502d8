//! What somebody wants of endpoints: a new one, or a change of one; and why nothing came of it.

use super::NOT_STARTED;
use crate::{
    signature::Secret,
    slab::Link,
    text::Source,
    url::{Url, UrlError},
};

/// An endpoint that somebody registers.
#[derive(Debug)]
pub struct NewEndpoint<'a, F> {
    /// Where deliveries go: what [`Url::parse`](crate::url::Url::parse) takes.
    pub url: Source<'a>,
    /// Which events it wants.
    pub filter: F,
    /// What somebody wrote to tell it from others.
    pub description: Source<'a>,
    /// What to sign with; made up where not given.
    pub secret: Option<Secret>,
    /// The only subject whose events it gets, which must be admitted; none for every one's.
    pub subject: Link,
}

impl<'a, F> NewEndpoint<'a, F> {
    /// An endpoint for every subject's events that pass `filter`, with a secret that is made up.
    ///
    /// # Errors
    ///
    /// [`UrlError`] says what is wrong with the URL.
    pub fn new(url: &'a str, filter: F) -> Result<Self, UrlError> {
        Url::parse(url, usize::MAX)?;
        Ok(Self {
            url: Source::Plain(url),
            filter,
            description: Source::EMPTY,
            secret: None,
            subject: None,
        })
    }
}

/// What of an endpoint to change. What is `None` stays.
#[derive(Debug, Clone, Copy)]
pub struct EndpointChange<'a, F> {
    /// Where deliveries go.
    pub url: Option<Source<'a>>,
    /// Which events it wants.
    pub filter: Option<F>,
    /// What somebody wrote to tell it from others.
    pub description: Option<Source<'a>>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
}

impl<F> Default for EndpointChange<'_, F> {
    /// Nothing.
    fn default() -> Self {
        Self {
            url: None,
            filter: None,
            description: None,
            enabled: None,
        }
    }
}

/// Why nothing was done to an endpoint. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EndpointError {
    /// The driver: records were put back, and work was not begun.
    NotStarted,
    /// There is no such endpoint.
    Unknown,
    /// There is no room. Try again later.
    Full,
    /// Whoever wants it: the URL or the description is longer than allowed.
    TooLong,
    /// Whoever wants it: the URL is none that can be called.
    Url,
    /// The driver: the subject is not admitted, or has told its last.
    Subject,
    /// As many replaced secrets as there is room for still sign.
    Secrets,
}

impl EndpointError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => NOT_STARTED,
            Self::Unknown => "there is no such endpoint",
            Self::Full => "there is no room",
            Self::TooLong => "the URL or the description is too long",
            Self::Url => "the URL cannot be called",
            Self::Subject => "the subject is not admitted",
            Self::Secrets => "as many replaced secrets as there is room for still sign",
        }
    }
}

impl core::fmt::Display for EndpointError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for EndpointError {}
