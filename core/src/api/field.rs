//! The names in bodies and queries.

/// A member of a body, or a parameter of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Field {
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
    Url,
    /// `events`.
    Events,
    /// `description`.
    Description,
    /// `secret`.
    Secret,
    /// `job`.
    Job,
    /// `enabled`.
    Enabled,
    /// `since`.
    Since,
    /// `event`.
    Event,
    /// `status`.
    Status,
    /// `limit`.
    Limit,
    /// `cursor`.
    Cursor,
    /// `after_sequence`.
    #[cfg(feature = "hub")]
    AfterSequence,
}

impl Field {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
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
            Self::Url => "url",
            Self::Events => "events",
            Self::Description => "description",
            Self::Secret => "secret",
            Self::Job => "job",
            Self::Enabled => "enabled",
            Self::Since => "since",
            Self::Event => "event",
            Self::Status => "status",
            Self::Limit => "limit",
            Self::Cursor => "cursor",
            #[cfg(feature = "hub")]
            Self::AfterSequence => "after_sequence",
        }
    }
}
