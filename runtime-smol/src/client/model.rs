//! What the client hands out: requests, translations, events, all owned.

use dubhook_core::{
    client::{Change, Source},
    event::Kind,
    http,
    json::Str,
    model,
};
use std::sync::Arc;

/// A translation to ask for.
///
/// ```
/// use dubhook_smol::client::Request;
///
/// let request = Request::new("https://example.com/talk.mp4").to("es").reference("order-17");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    pub(super) video_url: String,
    pub(super) target_language: String,
    pub(super) source_language: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) callback_url: Option<String>,
}

impl Request {
    /// For the video at this URL.
    #[must_use]
    pub fn new(video_url: impl Into<String>) -> Self {
        Self {
            video_url: video_url.into(),
            ..Self::default()
        }
    }

    /// Into this language: a tag of BCP 47, such as `es` or `pt-BR`. The server insists on one.
    #[must_use]
    pub fn to(mut self, language: impl Into<String>) -> Self {
        self.target_language = language.into();
        self
    }

    /// From this language; found out where it is not said.
    #[must_use]
    pub fn from(mut self, language: impl Into<String>) -> Self {
        self.source_language = Some(language.into());
        self
    }

    /// Under a name of the asker's own, which events carry along.
    #[must_use]
    pub fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// With another receiver of this job's events.
    #[must_use]
    pub fn callback(mut self, url: impl Into<String>) -> Self {
        self.callback_url = Some(url.into());
        self
    }
}

/// A translation as it was when something was last heard of it.
pub type Translation = model::Translation<String>;

/// Something that happened to a translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// The translation after it.
    pub translation: Translation,
    /// Whether it came by webhook; otherwise the client had asked.
    pub by_webhook: bool,
    /// The webhook as it came, for whoever hands it on; none where the client had asked.
    pub delivery: Option<Arc<Delivery>>,
}

/// A webhook as it came, byte for byte, so that somebody else can verify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The field `webhook-id`.
    pub id: String,
    /// The field `webhook-timestamp`.
    pub timestamp: String,
    /// The field `webhook-signature`.
    pub signature: String,
    /// The field `content-type`.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl From<&http::Request<'_>> for Delivery {
    fn from(request: &http::Request<'_>) -> Self {
        let field = |name| {
            let value = request.fields.get(name).unwrap_or_default();
            // A verified delivery has nothing else in it.
            String::from_utf8_lossy(value).into_owned()
        };
        Self {
            id: field("webhook-id"),
            timestamp: field("webhook-timestamp"),
            signature: field("webhook-signature"),
            content_type: field("content-type"),
            body: request.body.to_vec(),
        }
    }
}

impl From<&Change<'_>> for Event {
    fn from(change: &Change<'_>) -> Self {
        Self {
            kind: change.kind,
            translation: change.job.map(text),
            by_webhook: change.source == Source::Told,
            delivery: None,
        }
    }
}

/// A string of the server's, decoded.
pub(super) fn text(text: Str<'_>) -> String {
    match text.plain() {
        Some(plain) => plain.to_owned(),
        // What was decoded from checked JSON is UTF-8.
        None => String::from_utf8(text.bytes().collect()).unwrap_or_default(),
    }
}
