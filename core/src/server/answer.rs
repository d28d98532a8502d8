//! A request in, what to answer out: the HTTP API over the service.
//!
//! Each kind of request that has something large in hand is a call of its own, never inlined: a turn then needs the stack
//! of its own kind, and not that of all of them.

#[cfg(feature = "hub")]
use super::hub;
#[cfg(feature = "media")]
use super::media;
#[cfg(feature = "idempotency")]
use super::repeat;
#[cfg(feature = "webhook-api")]
use super::webhooks;
use super::{
    Config, Server, auth,
    reply::{Answer, Reply, Sought, full},
};
#[cfg(feature = "lists")]
use super::{list, reply::Listed};
use crate::{
    api::{self, OfTranslation, Problem, Resource},
    http::{Method, Request},
    id::{Id, Prefix},
    note::note,
    service::{ReportError, SubmitError},
    time::Now,
};

/// Does what a request asks for. Says what to answer, and whether that speaks of a change just made.
pub(super) fn answer(server: &mut Server<'_>, now: Now, request: &Request<'_>) -> (Reply, bool) {
    match try_answer(server, now, request) {
        Ok(reply) => (reply, !request.method.is_safe()),
        Err(problem) => {
            #[cfg(feature = "hub")]
            let problem = match hub::page_instead(problem, request, server.config.pages) {
                Ok(page) => return (page, false),
                Err(problem) => problem,
            };
            note!(debug, "request refused: {:?}", problem);
            (Reply::Problem(problem), false)
        }
    }
}

/// The resource that a request is for, if its head alone does not tell what is wrong; none for the server itself.
pub(super) fn admit<'r>(
    head: &Request<'r>,
    config: &Config<'_>,
) -> Result<Option<Resource<'r>>, Problem> {
    if head.method == Method::Other {
        return Err(Problem::UnknownMethod);
    }
    if head.path == "*" {
        return Ok(None);
    }
    let keys = config.keys;
    let resource = api::route(head.path);
    // Without a key nobody learns what there is below /v1.
    let guarded = match resource {
        Some(resource) => resource.is_guarded(),
        None => head.path.starts_with("/v1/"),
    };
    // Where a proxy stands between, nothing else tells that a delivery has come back to who sent it.
    if guarded && auth::is_webhook(head) {
        return Err(Problem::WebhookLoop);
    }
    if guarded {
        auth::check_key(head, keys)?;
        // All of it is guarded.
        #[cfg(feature = "media")]
        if !config.media && resource.is_some_and(|resource| resource.is_of_media()) {
            return Err(Problem::NoSuchPath);
        }
    }
    let resource = resource.ok_or(Problem::NoSuchPath)?;
    let methods = resource.methods();
    if !methods.has(head.method) {
        return Err(Problem::Method(methods));
    }
    // No page has the key, so where one is asked for it says enough.
    if keys.is_empty() && !head.method.is_safe() && auth::is_cross_origin(head) {
        return Err(Problem::CrossOrigin);
    }
    Ok(Some(resource))
}

/// Whether a body may follow a head that was admitted: nothing is decoded here.
pub(super) fn admit_body(head: &Request<'_>) -> Result<(), Problem> {
    if !head.method.is_safe() && api::is_encoded(head) {
        return Err(Problem::ContentEncoding);
    }
    Ok(())
}

fn try_answer(server: &mut Server<'_>, now: Now, request: &Request<'_>) -> Answer {
    let admitted = admit(request, &server.config);
    #[cfg(feature = "media")]
    let admitted = match admitted {
        Err(otherwise @ (Problem::Unauthorized | Problem::WrongKey)) => {
            media::admit_link(server, now, request, otherwise)
        }
        admitted => admitted,
    };
    let Some(resource) = admitted? else {
        return Ok(Reply::Options(None));
    };
    if !request.body.is_empty() {
        admit_body(request)?;
    }
    if request.method == Method::Options {
        #[cfg(feature = "media")]
        if matches!(resource, Resource::Uploads | Resource::Upload(_)) {
            let bytes_max = server.config.upload_bytes_max;
            return Ok(Reply::UploadOptions(resource.methods(), bytes_max));
        }
        return Ok(Reply::Options(Some(resource.methods())));
    }
    #[cfg(feature = "lists")]
    let reads = request.method.is_safe();
    match resource {
        Resource::Status => match server.service.newest_job() {
            Some(_) => Ok(Reply::Status),
            None => Err(Problem::NoJobYet),
        },
        Resource::Health => Ok(Reply::Health { ready: false }),
        Resource::Ready if server.stopping => Err(Problem::Stopping),
        #[cfg(feature = "hub")]
        Resource::Ready if server.is_stuck() => Err(Problem::StoreStuck),
        Resource::Ready => Ok(Reply::Health { ready: true }),
        #[cfg(feature = "hub")]
        Resource::Metrics => Ok(Reply::Metrics),
        #[cfg(feature = "lists")]
        Resource::Translations if reads => list::read(request, Listed::Jobs(None)),
        #[cfg(feature = "media")]
        Resource::Translations => submit(server, now, request, false),
        #[cfg(not(feature = "media"))]
        Resource::Translations => submit(server, now, request),
        #[cfg(feature = "hub")]
        Resource::Translation(id, OfTranslation::Itself) => {
            let reply = of_job(server, now, OfTranslation::Itself, id)?;
            hub::read(now, request, reply)
        }
        #[cfg(feature = "media")]
        Resource::Translation(id, OfTranslation::Output) => media::of_output(id, None),
        #[cfg(feature = "media")]
        Resource::Translation(id, OfTranslation::Subtitles(form)) => {
            media::of_output(id, Some(form))
        }
        #[cfg(all(feature = "media", feature = "lists"))]
        Resource::Uploads if reads => media::list(request),
        #[cfg(feature = "media")]
        Resource::Uploads => media::create(server, now, request),
        #[cfg(feature = "media")]
        Resource::Upload(id) => media::of_upload(request, id),
        #[cfg(feature = "media")]
        Resource::Content(id) => media::of_content(id),
        #[cfg(feature = "media")]
        Resource::Part(id, number) => media::of_part(id, number),
        Resource::Translation(id, what) => of_job(server, now, what, id),
        #[cfg(feature = "hub")]
        Resource::Events => hub::events(server, request),
        #[cfg(all(feature = "webhook-api", feature = "lists"))]
        Resource::Webhooks if reads => list::read(request, Listed::Endpoints),
        #[cfg(feature = "webhook-api")]
        Resource::Webhooks => webhooks::create(server, now, request),
        #[cfg(feature = "webhook-api")]
        Resource::Webhook(id, what) => webhooks::of_endpoint(server, now, request, what, id),
        #[cfg(feature = "hub")]
        Resource::Claim => hub::claim(server, now, request),
        #[cfg(feature = "media")]
        Resource::Work(id, api::OfWork::Complete)
            if server.config.media && media::brings_output(server, request, id)? =>
        {
            media::keep_output(id)
        }
        #[cfg(feature = "hub")]
        Resource::Work(id, what) => hub::report(server, now, request, what, id),
    }
}

/// Does what a request asks for of the job of that name, which may only be in the archive.
fn of_job(server: &mut Server<'_>, now: Now, what: OfTranslation, name: &str) -> Answer {
    let id = Id::parse(Prefix::Job, name).ok_or(Problem::NoSuchJob)?;
    if server.service.find_job(id).is_none() {
        if !server.service.has_archive() {
            return Err(Problem::NoSuchJob);
        }
        let sought = match what {
            OfTranslation::Cancel => Sought::Cancel,
            _ => Sought::Read,
        };
        return Ok(Reply::Archived { id, sought });
    }
    if what == OfTranslation::Cancel {
        match server.service.cancel(now, id) {
            Ok(_) => {}
            Err(ReportError::NotStarted) => return Err(Problem::Internal),
            Err(ReportError::Unknown) => return Err(Problem::NoSuchJob),
            Err(ReportError::Refused(_) | ReportError::OutputUrl) => return Err(Problem::Ended),
        }
    }
    Ok(Reply::Job(id))
}

/// Takes a job. With media `is_there` says that the upload is known to be there which it is about, if it is about one.
#[inline(never)]
pub(super) fn submit(
    server: &mut Server<'_>,
    now: Now,
    request: &Request<'_>,
    #[cfg(feature = "media")] is_there: bool,
) -> Answer {
    #[cfg(feature = "idempotency")]
    let key = repeat::key(server, request)?;
    let object = api::read_object(request)?;
    let new = api::translation(&object, &server.config.rules(), server.decode)?;
    #[cfg(feature = "media")]
    if server.config.media
        && !is_there
        && let Some(asked) = media::submitted(&new)?
    {
        // A request that comes again is answered as before, whatever became of the upload.
        #[cfg(feature = "idempotency")]
        let is_known = key.is_some_and(|key| server.service.is_remembered(&key));
        #[cfg(not(feature = "idempotency"))]
        let is_known = false;
        if !is_known {
            return Ok(Reply::Media(asked));
        }
    }
    #[cfg(feature = "idempotency")]
    let submitted = match key {
        None => server.service.submit(now, &new),
        Some(key) => server.service.submit_once(now, &new, key),
    };
    #[cfg(not(feature = "idempotency"))]
    let submitted = server.service.submit(now, &new);
    match submitted {
        Ok(submitted) => {
            let id = server
                .service
                .job(submitted.job)
                .map(crate::service::JobSlot::id)
                .ok_or(Problem::Internal)?;
            Ok(Reply::Accepted(id))
        }
        Err(SubmitError::NotStarted | SubmitError::Invalid) => Err(Problem::Internal),
        Err(SubmitError::Full) => Err(full(&mut server.service)),
        #[cfg(feature = "idempotency")]
        Err(error) => repeat::refused(server, error),
    }
}
