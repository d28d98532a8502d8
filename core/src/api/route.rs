//! Which resource a path names, and which methods it has.

use super::{Field, Problem};
use crate::{cut::split_once, digits::canonical, http::Method, job::Status};

/// What a path names. Ids are as they stand in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Resource<'p> {
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
    Webhooks,
    /// `/v1/webhooks/{id}` and what is below it.
    Webhook(&'p str, OfWebhook),
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
pub enum OfTranslation {
    /// Itself.
    Itself,
    /// `cancel`.
    Cancel,
}

/// What of a webhook a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OfWebhook {
    /// Itself.
    Itself,
    /// `test`.
    Test,
    /// `rotate-secret`.
    RotateSecret,
    /// `redeliver`.
    Redeliver,
    /// `attempts`.
    Attempts,
}

impl Resource<'_> {
    /// Its methods.
    #[must_use]
    pub const fn methods(&self) -> Methods {
        match self {
            Self::Status
            | Self::Health
            | Self::Ready
            | Self::Translation(_, OfTranslation::Itself)
            | Self::Webhook(_, OfWebhook::Attempts) => Methods::Read,
            #[cfg(feature = "hub")]
            Self::Metrics | Self::Events => Methods::Read,
            Self::Translations | Self::Webhooks => Methods::ReadAndPost,
            Self::Webhook(_, OfWebhook::Itself) => Methods::ReadAndChange,
            Self::Translation(_, OfTranslation::Cancel)
            | Self::Webhook(_, OfWebhook::Test | OfWebhook::RotateSecret | OfWebhook::Redeliver) => {
                Methods::Post
            }
            #[cfg(feature = "hub")]
            Self::Claim | Self::Work(..) => Methods::Post,
        }
    }

    /// Whether it is for key holders only, where there are keys.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        match self {
            Self::Status | Self::Health | Self::Ready => false,
            #[cfg(feature = "hub")]
            Self::Metrics => false,
            _ => true,
        }
    }
}

/// The methods that a resource can have. HEAD works wherever GET does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Methods {
    /// GET.
    Read,
    /// GET and POST.
    ReadAndPost,
    /// GET, PATCH and DELETE.
    ReadAndChange,
    /// POST.
    Post,
}

impl Methods {
    /// As `Allow` lists them (RFC 9110, section 10.2.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD",
            Self::ReadAndPost => "GET, HEAD, POST",
            Self::ReadAndChange => "GET, HEAD, PATCH, DELETE",
            Self::Post => "POST",
        }
    }

    /// Whether `method` is one of them.
    #[must_use]
    pub const fn has(self, method: Method) -> bool {
        match method {
            Method::Get | Method::Head => !matches!(self, Self::Post),
            Method::Post => matches!(self, Self::Post | Self::ReadAndPost),
            Method::Patch | Method::Delete => matches!(self, Self::ReadAndChange),
            _ => false,
        }
    }
}

/// The paths that name one thing.
const PATHS: [(&str, Resource<'_>); 5 + 2 * cfg!(feature = "hub") as usize] = [
    ("/status", Resource::Status),
    ("/healthz", Resource::Health),
    ("/readyz", Resource::Ready),
    ("/v1/translations", Resource::Translations),
    ("/v1/webhooks", Resource::Webhooks),
    #[cfg(feature = "hub")]
    ("/metrics", Resource::Metrics),
    #[cfg(feature = "hub")]
    ("/v1/events", Resource::Events),
];

/// What there is of a translation, by what stands behind its id.
const OF_TRANSLATION: [(Option<&str>, OfTranslation); 2] = [
    (None, OfTranslation::Itself),
    (Some("cancel"), OfTranslation::Cancel),
];

/// What there is of a webhook, by what stands behind its id.
const OF_WEBHOOK: [(Option<&str>, OfWebhook); 5] = [
    (None, OfWebhook::Itself),
    (Some("test"), OfWebhook::Test),
    (Some("rotate-secret"), OfWebhook::RotateSecret),
    (Some("redeliver"), OfWebhook::Redeliver),
    (Some("attempts"), OfWebhook::Attempts),
];

/// The resource that `path` names.
#[must_use]
pub fn route(path: &str) -> Option<Resource<'_>> {
    if let Some((_, resource)) = PATHS.iter().find(|(known, _)| *known == path) {
        return Some(*resource);
    }
    let (collection, rest) = split_once(path.strip_prefix("/v1/")?, b'/')?;
    let (id, below) = match split_once(rest, b'/') {
        Some((id, below)) => (id, Some(below)),
        None => (rest, None),
    };
    match collection {
        "translations" => Some(Resource::Translation(id, find(&OF_TRANSLATION, below)?)),
        "webhooks" => Some(Resource::Webhook(id, find(&OF_WEBHOOK, below)?)),
        #[cfg(feature = "hub")]
        "work" => super::work::route(id, below),
        _ => None,
    }
}

fn find<T: Copy>(known: &[(Option<&str>, T)], below: Option<&str>) -> Option<T> {
    let found = known.iter().find(|(name, _)| *name == below);
    found.map(|(_, what)| *what)
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<'q> {
    /// Only jobs of this status.
    pub status: Option<Status>,
    /// At most so many.
    pub limit: u8,
    /// After the thing with this id.
    pub cursor: Option<&'q str>,
}

/// How many a list shows where nobody said.
const LIMIT_DEFAULT: u8 = 20;
/// How many a list shows at most.
const LIMIT_MAX: u32 = 100;

/// Reads the query of a list. Parameters that it does not know are passed over.
///
/// # Errors
///
/// [`Problem::Limit`], [`Problem::Status`], or [`Problem::QueryTwice`] for a parameter that stands there twice.
pub fn page(query: Option<&str>) -> Result<Page<'_>, Problem> {
    let mut page = Page {
        status: None,
        limit: LIMIT_DEFAULT,
        cursor: None,
    };
    let mut seen = [false; 3];
    for (name, value) in Parameters(query) {
        let (field, seen) = match (name, &mut seen) {
            ("status", [seen, ..]) => (Field::Status, seen),
            ("limit", [_, seen, _]) => (Field::Limit, seen),
            ("cursor", [.., seen]) => (Field::Cursor, seen),
            _ => continue,
        };
        if core::mem::replace(seen, true) {
            return Err(Problem::QueryTwice(field));
        }
        match field {
            Field::Limit => page.limit = limit(value)?,
            _ if value.is_empty() => {}
            Field::Status => page.status = Some(status(value)?),
            _ => page.cursor = Some(value),
        }
    }
    Ok(page)
}

/// Walks over the names and values of a query, as they stand there.
pub(super) struct Parameters<'q>(pub(super) Option<&'q str>);

impl<'q> Iterator for Parameters<'q> {
    type Item = (&'q str, &'q str);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0?;
        let (pair, rest) = match split_once(text, b'&') {
            Some((pair, rest)) => (pair, Some(rest)),
            None => (text, None),
        };
        self.0 = rest;
        Some(split_once(pair, b'=').unwrap_or((pair, "")))
    }
}

/// A number from 1 to 100, written in one way: no sign, no leading zero.
fn limit(value: &str) -> Result<u8, Problem> {
    match canonical(value.as_bytes()) {
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit as u8),
        _ => Err(Problem::Limit),
    }
}

fn status(value: &str) -> Result<Status, Problem> {
    Status::parse(value).ok_or(Problem::Status)
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
            "/v1/webhooks/ep_1/rotate-secret",
            Some(Resource::Webhook("ep_1", OfWebhook::RotateSecret)),
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
        check("/v1/translations/job_1/cancel/", None);
        check("/v1/translations/job_1/explode", None);
    }

    #[test]
    fn every_resource_says_which_methods_it_has() {
        let job = Resource::Translation("x", OfTranslation::Itself);
        assert!(job.methods().has(Method::Get) && job.methods().has(Method::Head));
        assert!(!job.methods().has(Method::Post) && !job.methods().has(Method::Other));
        assert!(
            Resource::Webhook("x", OfWebhook::Itself)
                .methods()
                .has(Method::Patch)
        );
    }

    #[test]
    fn a_page_is_what_the_query_says() {
        let page = |query| page(Some(query));
        let all = page("").unwrap();
        assert_eq!((all.status, all.limit, all.cursor), (None, 20, None));
        let some = page("limit=5&status=error&cursor=job_1&x=y").unwrap();
        assert_eq!(
            (some.status, some.limit, some.cursor),
            (Some(Status::Error), 5, Some("job_1"))
        );
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=", "status=done"] {
            assert!(page(bad).is_err(), "{bad}");
        }
    }
}
