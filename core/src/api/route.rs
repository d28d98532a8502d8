//! Which resource a path names, and which methods it has.

use crate::{http::Method, split::split_once};

/// What a path names. Ids are as they stand in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Resource<'p> {
    /// `/status`.
    Status,
    /// `/healthz`.
    Health,
    /// `/readyz`.
    Ready,
    /// `/metrics`.
    #[cfg(feature = "hub")]
    Metrics,
    /// `/v1/translations`.
    Translations,
    /// `/v1/translations/{id}` and what is below it.
    Translation(&'p str, OfTranslation),
    /// `/v1/webhooks`.
    #[cfg(feature = "webhook-api")]
    Webhooks,
    /// `/v1/webhooks/{id}` and what is below it.
    #[cfg(feature = "webhook-api")]
    Webhook(&'p str, super::OfWebhook),
    /// `/v1/uploads`.
    #[cfg(feature = "media")]
    Uploads,
    /// `/v1/uploads/{id}`.
    #[cfg(feature = "media")]
    Upload(&'p str),
    /// `/v1/uploads/{id}/content`.
    #[cfg(feature = "media")]
    Content(&'p str),
    /// `/v1/uploads/{id}/parts/{number}`.
    #[cfg(feature = "media")]
    Part(&'p str, &'p str),
    /// `/v1/events`.
    #[cfg(feature = "hub")]
    Events,
    /// `/v1/work/claim`.
    #[cfg(feature = "hub")]
    Claim,
    /// What a worker says of the job with this id: `/v1/work/{id}/` and what is below it.
    #[cfg(feature = "hub")]
    Work(&'p str, super::OfWork),
}

/// What of a translation a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum OfTranslation {
    /// Itself.
    Itself,
    /// `cancel`.
    Cancel,
    /// `output`.
    #[cfg(feature = "media")]
    Output,
    /// `output/subtitles.vtt`, `output/subtitles.srt`.
    #[cfg(feature = "media")]
    Subtitles(super::Subtitles),
}

/// The methods of what can be made more of, and where there are lists, be listed.
const COLLECTION: Methods = if cfg!(feature = "lists") {
    Methods::ReadAndPost
} else {
    Methods::Post
};

impl Resource<'_> {
    /// Its methods.
    #[must_use]
    pub(crate) const fn methods(&self) -> Methods {
        match self {
            Self::Status
            | Self::Health
            | Self::Ready
            | Self::Translation(_, OfTranslation::Itself) => Methods::Read,
            #[cfg(feature = "hub")]
            Self::Metrics | Self::Events => Methods::Read,
            #[cfg(feature = "media")]
            Self::Translation(_, OfTranslation::Output | OfTranslation::Subtitles(_))
            | Self::Content(_)
            | Self::Part(..) => Methods::Read,
            #[cfg(feature = "media")]
            Self::Uploads => COLLECTION,
            #[cfg(feature = "media")]
            Self::Upload(_) => Methods::ReadAndFill,
            Self::Translations => COLLECTION,
            Self::Translation(_, OfTranslation::Cancel) => Methods::Post,
            #[cfg(feature = "webhook-api")]
            Self::Webhooks => COLLECTION,
            #[cfg(feature = "webhook-api")]
            Self::Webhook(_, what) => what.methods(),
            #[cfg(feature = "hub")]
            Self::Claim | Self::Work(..) => Methods::Post,
        }
    }

    /// Whether it is there only where media are kept.
    #[cfg(feature = "media")]
    #[must_use]
    pub(crate) const fn is_of_media(&self) -> bool {
        matches!(
            self,
            Self::Uploads
                | Self::Upload(_)
                | Self::Content(_)
                | Self::Part(..)
                | Self::Translation(_, OfTranslation::Output | OfTranslation::Subtitles(_))
        )
    }

    /// Whether it is for key holders only, where there are keys.
    #[must_use]
    pub(crate) const fn is_guarded(&self) -> bool {
        match self {
            Self::Status | Self::Health | Self::Ready => false,
            #[cfg(feature = "hub")]
            Self::Metrics => false,
            _ => true,
        }
    }
}

/// The methods that a resource can have. HEAD works wherever GET does, and OPTIONS everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Methods {
    /// GET.
    Read,
    /// GET and POST.
    ReadAndPost,
    /// GET, PATCH and DELETE.
    #[cfg(feature = "webhook-api")]
    ReadAndChange,
    /// GET, PUT, PATCH and DELETE.
    #[cfg(feature = "media")]
    ReadAndFill,
    /// POST.
    Post,
}

impl Methods {
    /// As `Allow` lists them (RFC 9110, section 10.2.1).
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD, OPTIONS",
            Self::ReadAndPost => "GET, HEAD, POST, OPTIONS",
            #[cfg(feature = "webhook-api")]
            Self::ReadAndChange => "GET, HEAD, PATCH, DELETE, OPTIONS",
            #[cfg(feature = "media")]
            Self::ReadAndFill => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
            Self::Post => "POST, OPTIONS",
        }
    }

    /// Whether `method` is one of them.
    #[must_use]
    pub(crate) const fn has(self, method: Method) -> bool {
        match method {
            Method::Get | Method::Head => !matches!(self, Self::Post),
            Method::Post => matches!(self, Self::Post | Self::ReadAndPost),
            Method::Options => true,
            #[cfg(feature = "media")]
            Method::Put => matches!(self, Self::ReadAndFill),
            #[cfg(feature = "media")]
            Method::Patch | Method::Delete if matches!(self, Self::ReadAndFill) => true,
            #[cfg(feature = "webhook-api")]
            Method::Patch | Method::Delete => matches!(self, Self::ReadAndChange),
            _ => false,
        }
    }
}

/// The paths that name one thing.
const PATHS: &[(&str, Resource<'_>)] = &[
    ("/status", Resource::Status),
    ("/healthz", Resource::Health),
    ("/readyz", Resource::Ready),
    ("/v1/translations", Resource::Translations),
    #[cfg(feature = "webhook-api")]
    ("/v1/webhooks", Resource::Webhooks),
    #[cfg(feature = "hub")]
    ("/metrics", Resource::Metrics),
    #[cfg(feature = "hub")]
    ("/v1/events", Resource::Events),
    #[cfg(feature = "media")]
    ("/v1/uploads", Resource::Uploads),
];

/// What there is of a translation, by what stands behind its id.
const OF_TRANSLATION: &[(Option<&str>, OfTranslation)] = &[
    (None, OfTranslation::Itself),
    (Some("cancel"), OfTranslation::Cancel),
    #[cfg(feature = "media")]
    (Some("output"), OfTranslation::Output),
    #[cfg(feature = "media")]
    (
        Some("output/subtitles.vtt"),
        OfTranslation::Subtitles(super::Subtitles::Vtt),
    ),
    #[cfg(feature = "media")]
    (
        Some("output/subtitles.srt"),
        OfTranslation::Subtitles(super::Subtitles::Srt),
    ),
];

/// The resource that `path` names.
#[must_use]
pub(crate) fn route(path: &str) -> Option<Resource<'_>> {
    if let Some((_, resource)) = PATHS.iter().find(|(known, _)| *known == path) {
        return Some(*resource);
    }
    let (collection, rest) = split_once(path.strip_prefix("/v1/")?, b'/')?;
    let (id, below) = match split_once(rest, b'/') {
        Some((id, below)) => (id, Some(below)),
        None => (rest, None),
    };
    match collection {
        "translations" => Some(Resource::Translation(id, find(OF_TRANSLATION, below)?)),
        #[cfg(feature = "webhook-api")]
        "webhooks" => super::webhook::route(id, below),
        #[cfg(feature = "media")]
        "uploads" => match below {
            None => Some(Resource::Upload(id)),
            Some("content") => Some(Resource::Content(id)),
            Some(below) => below
                .strip_prefix("parts/")
                .filter(|number| !number.is_empty())
                .map(|number| Resource::Part(id, number)),
        },
        #[cfg(feature = "hub")]
        "work" => super::work::route(id, below),
        _ => None,
    }
}

pub(super) fn find<T: Copy>(known: &[(Option<&str>, T)], below: Option<&str>) -> Option<T> {
    let found = known.iter().find(|(name, _)| *name == below);
    found.map(|(_, what)| *what)
}

/// Whether a media type is JSON: `application/json`, with parameters or without.
#[must_use]
pub(super) fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expect: Option<Resource<'_>>) {
        assert_eq!(route(path), expect, "{path}");
    }

    #[test]
    fn paths_name_resources() {
        check("/status", Some(Resource::Status));
        #[cfg(feature = "hub")]
        check("/metrics", Some(Resource::Metrics));
        check("/v1/translations", Some(Resource::Translations));
        check(
            "/v1/translations/job_1",
            Some(Resource::Translation("job_1", OfTranslation::Itself)),
        );
        check(
            "/v1/translations/job_1/cancel",
            Some(Resource::Translation("job_1", OfTranslation::Cancel)),
        );
        check(
            "/v1/translations/",
            Some(Resource::Translation("", OfTranslation::Itself)),
        );
        for nothing in [
            "/",
            "",
            "/v1",
            "/v1/",
            "/v2/translations",
            "/status/",
            "//status",
        ] {
            check(nothing, None);
        }
        #[cfg(not(feature = "webhook-api"))]
        for nothing in ["/v1/webhooks", "/v1/webhooks/ep_1/rotate-secret"] {
            check(nothing, None);
        }
        check("/v1/translations/job_1/cancel/", None);
        check("/v1/translations/job_1/explode", None);
    }

    #[test]
    fn every_resource_says_which_methods_it_has() {
        let job = Resource::Translation("x", OfTranslation::Itself);
        assert!(job.methods().has(Method::Get) && job.methods().has(Method::Head));
        assert!(!job.methods().has(Method::Post) && !job.methods().has(Method::Other));
        assert!(job.methods().has(Method::Options));
        let post = Resource::Translations.methods();
        assert!(post.has(Method::Post));
        assert_eq!(post.has(Method::Get), cfg!(feature = "lists"));
    }
}
