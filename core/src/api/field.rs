//! The names in bodies and queries.

/// A member of a body, or a parameter of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Field {
    /// `bytes`.
    #[cfg(feature = "media")]
    Bytes,
    /// `upload`.
    #[cfg(feature = "media")]
    Upload,
    /// `filename`.
    #[cfg(feature = "media")]
    Filename,
    /// `content_type`.
    #[cfg(feature = "media")]
    ContentType,
    /// `sha256`.
    #[cfg(feature = "media")]
    Sha256,
    /// `expires`.
    #[cfg(feature = "media")]
    Expires,
    /// `signature`.
    #[cfg(feature = "media")]
    Signature,
    /// `subtitles`.
    #[cfg(feature = "media")]
    Subtitles,
    /// `progress`.
    #[cfg(feature = "hub")]
    Progress,
    /// `output_url`.
    #[cfg(feature = "hub")]
    OutputUrl,
    /// `error`.
    #[cfg(feature = "hub")]
    Error,
    /// `lease`.
    #[cfg(feature = "hub")]
    Lease,
    /// `video_url`.
    VideoUrl,
    /// `target_language`.
    TargetLanguage,
    /// `source_language`.
    SourceLanguage,
    /// `callback_url`.
    CallbackUrl,
    /// `reference`.
    Reference,
    /// `url`.
    #[cfg(feature = "webhook-api")]
    Url,
    /// `events`.
    #[cfg(feature = "webhook-api")]
    Events,
    /// `description`.
    #[cfg(feature = "webhook-api")]
    Description,
    /// `secret`.
    #[cfg(feature = "webhook-api")]
    Secret,
    /// `job`.
    #[cfg(any(feature = "webhook-api", feature = "hub"))]
    Job,
    /// `enabled`.
    #[cfg(feature = "webhook-api")]
    Enabled,
    /// `since`.
    #[cfg(all(feature = "webhook-api", feature = "redelivery"))]
    Since,
    /// `event`.
    #[cfg(all(feature = "webhook-api", feature = "redelivery"))]
    Event,
    /// `status`.
    #[cfg(feature = "lists")]
    Status,
    /// `limit`.
    #[cfg(feature = "lists")]
    Limit,
    /// `cursor`.
    #[cfg(feature = "lists")]
    Cursor,
    /// `after_sequence`.
    #[cfg(feature = "hub")]
    AfterSequence,
}

impl Field {
    /// Its name.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            #[cfg(feature = "media")]
            Self::Bytes => "bytes",
            #[cfg(feature = "media")]
            Self::Upload => "upload",
            #[cfg(feature = "media")]
            Self::Filename => "filename",
            #[cfg(feature = "media")]
            Self::ContentType => "content_type",
            #[cfg(feature = "media")]
            Self::Sha256 => "sha256",
            #[cfg(feature = "media")]
            Self::Expires => "expires",
            #[cfg(feature = "media")]
            Self::Signature => "signature",
            #[cfg(feature = "media")]
            Self::Subtitles => "subtitles",
            #[cfg(feature = "hub")]
            Self::Progress => "progress",
            #[cfg(feature = "hub")]
            Self::OutputUrl => "output_url",
            #[cfg(feature = "hub")]
            Self::Error => "error",
            #[cfg(feature = "hub")]
            Self::Lease => "lease",
            Self::VideoUrl => "video_url",
            Self::TargetLanguage => "target_language",
            Self::SourceLanguage => "source_language",
            Self::CallbackUrl => "callback_url",
            Self::Reference => "reference",
            #[cfg(feature = "webhook-api")]
            Self::Url => "url",
            #[cfg(feature = "webhook-api")]
            Self::Events => "events",
            #[cfg(feature = "webhook-api")]
            Self::Description => "description",
            #[cfg(feature = "webhook-api")]
            Self::Secret => "secret",
            #[cfg(any(feature = "webhook-api", feature = "hub"))]
            Self::Job => "job",
            #[cfg(feature = "webhook-api")]
            Self::Enabled => "enabled",
            #[cfg(all(feature = "webhook-api", feature = "redelivery"))]
            Self::Since => "since",
            #[cfg(all(feature = "webhook-api", feature = "redelivery"))]
            Self::Event => "event",
            #[cfg(feature = "lists")]
            Self::Status => "status",
            #[cfg(feature = "lists")]
            Self::Limit => "limit",
            #[cfg(feature = "lists")]
            Self::Cursor => "cursor",
            #[cfg(feature = "hub")]
            Self::AfterSequence => "after_sequence",
        }
    }
}
