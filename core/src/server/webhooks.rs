//! Webhooks that are made, changed and removed over HTTP: the feature `webhook-api`.
//!
//! Each kind of request that has something large in hand is a call of its own, as in `answer`.

#[cfg(feature = "idempotency")]
use super::repeat;
use super::{
    Server,
    reply::{Answer, Owed, Reply, Written, full, known},
};
use crate::{
    api::{self, OfWebhook, Problem},
    http::{Method, Request},
    id::{Id, Prefix},
    out::Out,
    service::{EndpointError, Service},
    slab::Ix,
    time::Now,
};

/// Whether the endpoint that an answer is about is there, and all that it shows is durable.
pub(super) fn is_there(service: &Service<'_>, owed: &Owed) -> Result<bool, Written> {
    let Some(id) = owed.endpoint() else {
        return Ok(true);
    };
    let Some(ix) = service.find_endpoint(id) else {
        return Ok(false);
    };
    known(service.durable_endpoint(ix))?;
    Ok(true)
}

/// Writes what an answer shows.
pub(super) fn write(server: &Server<'_>, owed: &Owed, out: &mut Out<'_>) -> Result<(), Written> {
    let service = &server.service;
    let endpoint = owed.endpoint().and_then(|id| service.find_endpoint(id));
    match (owed, endpoint) {
        (Owed::Tested(event), _) => {
            out.put(b"{\"event\":\"");
            event.write(Prefix::Event, out);
            out.put(b"\"}");
        }
        #[cfg(feature = "redelivery")]
        (Owed::Redelivered(count), _) => {
            out.put(b"{\"redelivered\":");
            out.put_u64(*count as u64);
            out.put(b"}");
        }
        #[cfg(feature = "lists")]
        (&Owed::Attempts(_, limit), Some(ix)) => server.write_attempts(ix, limit, out),
        (_, Some(ix)) => {
            let shows_secret = matches!(owed, Owed::Created(_) | Owed::Rotated(_));
            let job = known(service.durable_endpoint(ix))?;
            service.write_endpoint(Some(server.now), ix, job.as_ref(), shows_secret, out);
        }
        (_, None) => {}
    }
    Ok(())
}

/// Does what a request asks for of the endpoint of that name.
pub(super) fn of_endpoint(
    server: &mut Server<'_>,
    now: Now,
    request: &Request<'_>,
    what: OfWebhook,
    name: &str,
) -> Answer {
    let id = Id::parse(Prefix::Endpoint, name).ok_or(Problem::NoSuchEndpoint)?;
    let ix = server.service.find_endpoint(id);
    let ix = ix.ok_or(Problem::NoSuchEndpoint)?;
    let owed = match what {
        OfWebhook::Itself => match request.method {
            Method::Patch => {
                change(server, request, ix)?;
                Owed::Itself(id)
            }
            Method::Delete => {
                let removed = server.service.remove_endpoint(ix);
                return removed
                    .map(|()| Reply::NoContent)
                    .map_err(|_| Problem::Internal);
            }
            _ => Owed::Itself(id),
        },
        OfWebhook::RotateSecret => {
            rotate(server, now, request, ix, id)?;
            Owed::Rotated(id)
        }
        OfWebhook::Test => Owed::Tested(test(server, now, ix)?),
        #[cfg(feature = "redelivery")]
        OfWebhook::Redeliver => Owed::Redelivered(redeliver(server, request, ix)?),
        #[cfg(feature = "lists")]
        OfWebhook::Attempts => Owed::Attempts(id, api::limit(request.query)?),
    };
    Ok(Reply::Webhook(owed))
}

#[inline(never)]
pub(super) fn create(server: &mut Server<'_>, now: Now, request: &Request<'_>) -> Answer {
    let object = api::read_object(request)?;
    #[cfg(feature = "idempotency")]
    let key = repeat::webhook_key(server, request, Id::NONE)?;
    #[cfg(feature = "idempotency")]
    if let Some(id) = repeat::recall(server, now, key.as_ref())? {
        return match server.service.find_endpoint(id) {
            Some(_) => Ok(Reply::Webhook(Owed::Created(id))),
            None => Err(Problem::IdempotencyForgotten),
        };
    }
    let (mut new, job) = api::webhook(&object, &server.config.rules(), server.decode)?;
    if let Some(id) = job {
        let id = id.decode_into(server.decode).ok_or(Problem::Job)?;
        let job = server.service.find_job_text(id);
        new.subject = Some(job.ok_or(Problem::Job)?);
    }
    let Ok(ix) = server.service.create_endpoint(now, new) else {
        return Err(full(&mut server.service));
    };
    let id = server
        .service
        .endpoint(ix)
        .map(|endpoint| endpoint.id)
        .ok_or(Problem::Internal)?;
    #[cfg(feature = "idempotency")]
    repeat::remember(server, now, key.as_ref(), id);
    Ok(Reply::Webhook(Owed::Created(id)))
}

/// Gives an endpoint a new secret, unless the same request did before.
fn rotate(
    server: &mut Server<'_>,
    now: Now,
    request: &Request<'_>,
    ix: Ix,
    id: Id,
) -> Result<(), Problem> {
    #[cfg(feature = "idempotency")]
    let key = repeat::webhook_key(server, request, id)?;
    #[cfg(not(feature = "idempotency"))]
    let _ = (request, id);
    #[cfg(feature = "idempotency")]
    if repeat::recall(server, now, key.as_ref())?.is_some() {
        return Ok(());
    }
    server
        .service
        .rotate_secret(now, ix)
        .map_err(|error| match error {
            EndpointError::Secrets => Problem::Secrets,
            _ => Problem::Internal,
        })?;
    #[cfg(feature = "idempotency")]
    repeat::remember(server, now, key.as_ref(), id);
    Ok(())
}

#[inline(never)]
fn change(server: &mut Server<'_>, request: &Request<'_>, ix: Ix) -> Result<(), Problem> {
    let object = api::read_object(request)?;
    let change = api::webhook_change(&object, &server.config.rules(), server.decode)?;
    server
        .service
        .change_endpoint(ix, change)
        .map_err(|_| full(&mut server.service))
}

fn test(server: &mut Server<'_>, now: Now, ix: Ix) -> Result<Id, Problem> {
    check_enabled(server, ix)?;
    let sent = server.service.test_endpoint(now, ix);
    sent.map_err(|_| full(&mut server.service))
}

#[cfg(feature = "redelivery")]
#[inline(never)]
fn redeliver(server: &mut Server<'_>, request: &Request<'_>, ix: Ix) -> Result<usize, Problem> {
    let object = if request.body.is_empty() {
        None
    } else {
        Some(api::read_object(request)?)
    };
    let (since, event) = api::redelivery(object.as_ref(), server.decode)?;
    check_enabled(server, ix)?;
    let sent = server.service.redeliver(ix, since, event);
    sent.map_err(|_| Problem::Internal)
}

fn check_enabled(server: &Server<'_>, ix: Ix) -> Result<(), Problem> {
    match server.service.endpoint(ix) {
        Some(endpoint) if endpoint.is_enabled() => Ok(()),
        _ => Err(Problem::Disabled),
    }
}
