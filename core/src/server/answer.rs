//! A request in, what to answer out: the HTTP API over the service.
//!
//! Each kind of request that has something large in hand is a call of its own, never inlined: a turn then needs the stack
//! of its own kind, and not that of all of them.

use super::{
    ApiKey, Server, auth,
    conn::{Listed, Reply, Sought},
};
use crate::{
    api::{self, Problem, Resource},
    http::{Method, Request},
    id::{Id, Prefix},
    note::note,
    service::{NewEndpoint, ReportError, SubmitError},
    slab::{Ix, Link},
    time::Now,
};

/// The longest `Idempotency-Key`, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Does what a request asks for. Says what to answer, and whether that speaks of a change just made.
pub(super) fn answer(server: &mut Server<'_>, now: Now, request: &Request<'_>) -> (Reply, bool) {
    match try_answer(server, now, request) {
        Ok(reply) => reply,
        Err(problem) => {
            note!(debug, "request refused: {:?}", problem);
            (Reply::Problem(problem), false)
        }
    }
}

type Answer = Result<(Reply, bool), Problem>;

/// An answer that speaks of a change.
const fn changed(reply: Reply) -> Answer {
    Ok((reply, true))
}

/// An answer that speaks of nothing new.
const fn unchanged(reply: Reply) -> Answer {
    Ok((reply, false))
}

/// The resource that a request is for, if its head alone does not tell what is wrong; none for the server itself.
pub(super) fn admit<'r>(
    head: &Request<'r>,
    keys: &[ApiKey],
) -> Result<Option<Resource<'r>>, Problem> {
    if head.method == Method::Other {
        return Err(Problem::UnknownMethod);
    }
    if head.path == "*" {
        return Ok(None);
    }
    let resource = api::route(head.path);
    // Without a key nobody learns what there is below /v1.
    let guarded = match resource {
        Some(resource) => resource.is_guarded(),
        None => head.path.starts_with("/v1/"),
    };
    if guarded && !auth::is_allowed(head, keys) {
        return Err(Problem::Unauthorized);
    }
    let resource = resource.ok_or(Problem::NoSuchPath)?;
    let methods = resource.methods();
    if !methods.has(head.method) {
        return Err(Problem::Method(methods));
    }
    Ok(Some(resource))
}

fn try_answer(server: &mut Server<'_>, now: Now, request: &Request<'_>) -> Answer {
    let Some(resource) = admit(request, server.config.keys)? else {
        return unchanged(Reply::Options);
    };
    let reads = matches!(request.method, Method::Get | Method::Head);
    match resource {
        Resource::Status => match server.service.newest_job() {
            Some(_) => unchanged(Reply::Status),
            None => Err(Problem::NoJobYet),
        },
        Resource::Health => unchanged(Reply::Health { ready: false }),
        Resource::Ready if server.stopping => Err(Problem::Stopping),
        Resource::Ready => unchanged(Reply::Health { ready: true }),
        Resource::Translations if reads => list(request, Listed::Jobs(None)),
        Resource::Translations => submit(server, now, request),
        Resource::Translation(id) => unchanged(match job(server, id)? {
            (Some(_), id) => Reply::Job(id),
            (None, id) => archived(id, Sought::Read),
        }),
        Resource::Cancel(id) => cancel(server, now, id),
        Resource::Webhooks if reads => list(request, Listed::Endpoints),
        Resource::Webhooks => create_endpoint(server, now, request),
        Resource::Webhook(id) => match request.method {
            Method::Patch => change_endpoint(server, request, id),
            Method::Delete => {
                let (ix, _) = endpoint(server, id)?;
                server.service.remove_endpoint(ix);
                changed(Reply::NoContent)
            }
            _ => {
                let (_, id) = endpoint(server, id)?;
                unchanged(shown(id, 200, false))
            }
        },
        Resource::Test(id) => test_endpoint(server, now, id),
        Resource::RotateSecret(id) => {
            let (ix, id) = endpoint(server, id)?;
            server.service.rotate_secret(now, ix);
            changed(shown(id, 200, true))
        }
        Resource::Redeliver(id) => redeliver(server, request, id),
        Resource::Attempts(id) => {
            let (_, id) = endpoint(server, id)?;
            unchanged(Reply::Attempts(id))
        }
    }
}

/// The job of that name; without a slot if it can only be in the archive.
fn job(server: &Server<'_>, id: &str) -> Result<(Link, Id), Problem> {
    let id = Id::parse(Prefix::Job, id).ok_or(Problem::NoSuchJob)?;
    let ix = server.service.find_job(id);
    if ix.is_none() && !server.service.has_archive() {
        return Err(Problem::NoSuchJob);
    }
    Ok((ix, id))
}

fn endpoint(server: &Server<'_>, id: &str) -> Result<(Ix, Id), Problem> {
    let id = Id::parse(Prefix::Endpoint, id).ok_or(Problem::NoSuchEndpoint)?;
    let ix = server
        .service
        .find_endpoint(id)
        .ok_or(Problem::NoSuchEndpoint)?;
    Ok((ix, id))
}

const fn archived(id: Id, sought: Sought) -> Reply {
    Reply::Archived { id, sought }
}

const fn shown(id: Id, status: u16, secret: bool) -> Reply {
    Reply::Endpoint { id, status, secret }
}

/// Up to how many seconds whoever finds no room is told to stay away; spread out, so that they do not all
/// come back at once.
const STAY_AWAY_S_MAX: u64 = 30;

fn full(server: &mut Server<'_>) -> Problem {
    let seconds = 1 + server.service.random().below(STAY_AWAY_S_MAX);
    Problem::Full(seconds as u8)
}

#[inline(never)]
fn submit(server: &mut Server<'_>, now: Now, request: &Request<'_>) -> Answer {
    let key = match request.fields.get_unique("idempotency-key") {
        Ok(None) => None,
        Ok(Some(key)) if is_key(key) => Some(server.service.idempotency_key(key, request.body)),
        _ => return Err(Problem::IdempotencyKey),
    };
    let object = api::read_object(request)?.ok_or(Problem::NoObject)?;
    let new = api::translation(
        &object,
        &server.config.service,
        &server.config.guard,
        server.decode,
    )?;
    match server.service.submit(now, &new, key) {
        Ok(submitted) => {
            let id = server
                .service
                .job(submitted.job)
                .map(crate::service::Job::id)
                .ok_or(Problem::Internal)?;
            changed(Reply::Accepted(id))
        }
        Err(SubmitError::Full) => Err(full(server)),
        Err(SubmitError::KeyReused) => Err(Problem::IdempotencyReused),
        Err(SubmitError::KeyForgotten(id)) if server.service.has_archive() => {
            unchanged(archived(id, Sought::Repeat))
        }
        Err(SubmitError::KeyForgotten(_)) => Err(Problem::IdempotencyForgotten),
    }
}

fn is_key(key: &[u8]) -> bool {
    !key.is_empty() && key.len() <= KEY_BYTES_MAX && key.iter().all(u8::is_ascii_graphic)
}

fn cancel(server: &mut Server<'_>, now: Now, id: &str) -> Answer {
    let (ix, id) = job(server, id)?;
    if ix.is_none() {
        return unchanged(archived(id, Sought::Cancel));
    }
    match server.service.cancel(now, id) {
        Ok(_) => changed(Reply::Job(id)),
        Err(ReportError::Unknown) => Err(Problem::NoSuchJob),
        Err(ReportError::Refused(_) | ReportError::OutputUrl) => Err(Problem::Ended),
    }
}

#[inline(never)]
fn list(request: &Request<'_>, mut of: Listed) -> Answer {
    let page = api::page(request.query)?;
    let after = match page.cursor {
        None => None,
        Some(cursor) => Some(Id::parse(of.prefix(), cursor).ok_or(Problem::Cursor)?),
    };
    if let Listed::Jobs(status) = &mut of {
        *status = page.status;
    }
    unchanged(Reply::List {
        of,
        after,
        limit: page.limit,
    })
}

#[inline(never)]
fn create_endpoint(server: &mut Server<'_>, now: Now, request: &Request<'_>) -> Answer {
    let object = api::read_object(request)?.ok_or(Problem::NoObject)?;
    let new = api::webhook(
        &object,
        &server.config.service,
        &server.config.guard,
        server.decode,
    )?;
    let job = match new.job {
        None => None,
        Some(id) => {
            let id = id.decode_into(server.decode).ok_or(Problem::Job)?;
            let job: Link = server.service.find_job_text(id);
            Some(job.ok_or(Problem::Job)?)
        }
    };
    let new = NewEndpoint {
        url: new.url,
        filter: new.filter,
        description: new.description,
        secret: new.secret,
        job,
    };
    let Ok(ix) = server.service.create_endpoint(now, new) else {
        return Err(full(server));
    };
    let id = server
        .service
        .endpoint(ix)
        .map(|endpoint| endpoint.id)
        .ok_or(Problem::Internal)?;
    changed(shown(id, 201, true))
}

#[inline(never)]
fn change_endpoint(server: &mut Server<'_>, request: &Request<'_>, id: &str) -> Answer {
    let (ix, id) = endpoint(server, id)?;
    let object = api::read_object(request)?.ok_or(Problem::NoObject)?;
    let change = api::webhook_change(
        &object,
        &server.config.service,
        &server.config.guard,
        server.decode,
    )?;
    if server.service.change_endpoint(ix, change).is_err() {
        return Err(full(server));
    }
    changed(shown(id, 200, false))
}

fn test_endpoint(server: &mut Server<'_>, now: Now, id: &str) -> Answer {
    let (ix, _) = endpoint(server, id)?;
    check_enabled(server, ix)?;
    match server.service.test_endpoint(now, ix) {
        Ok(event) => changed(Reply::Tested(event)),
        Err(_) => Err(full(server)),
    }
}

#[inline(never)]
fn redeliver(server: &mut Server<'_>, request: &Request<'_>, id: &str) -> Answer {
    let (ix, _) = endpoint(server, id)?;
    let object = api::read_object(request)?;
    let (since, event) = api::redelivery(object.as_ref(), server.decode)?;
    check_enabled(server, ix)?;
    let count = server.service.redeliver(ix, since, event);
    changed(Reply::Redelivered(count))
}

fn check_enabled(server: &Server<'_>, ix: Ix) -> Result<(), Problem> {
    match server.service.endpoint(ix) {
        Some(endpoint) if endpoint.is_enabled() => Ok(()),
        _ => Err(Problem::Disabled),
    }
}
