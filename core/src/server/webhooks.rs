//! Webhooks that are made, changed and removed over HTTP: the feature `webhook-api`.
//!
//! Each kind of request that has something large in hand is a call of its own, as in `answer`.

use super::{
    Server,
    answer::{Answer, full},
    conn::Reply,
    drive::Written,
    reply::known,
};
use crate::{
    api::{self, OfWebhook, Problem},
    event::Event,
    http::{Method, Request},
    id::{Id, Prefix},
    out::Out,
    service::Service,
    slab::Ix,
    time::Now,
};

/// An answer about endpoints that is still to be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owed {
    /// An endpoint as it is.
    Itself(Id),
    /// An endpoint that was just made, with its secret.
    Created(Id),
    /// An endpoint with its new secret.
    Rotated(Id),
    /// The newest attempts to an endpoint.
    #[cfg(feature = "lists")]
    Attempts(Id),
    /// A test was sent: this event.
    Tested(Id),
    /// So many dead letters were sent again.
    #[cfg(feature = "redelivery")]
    Redelivered(usize),
}

impl Owed {
    /// The status of the answer.
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::Itself(_) | Self::Rotated(_) => 200,
            Self::Created(_) => 201,
            #[cfg(feature = "lists")]
            Self::Attempts(_) => 200,
            Self::Tested(_) => 202,
            #[cfg(feature = "redelivery")]
            Self::Redelivered(_) => 202,
        }
    }
}

/// What such an answer shows: all of it is there and durable.
pub(super) enum Shown {
    Endpoint {
        ix: Ix,
        job: Option<Event>,
        secret: bool,
    },
    #[cfg(feature = "lists")]
    Attempts(Ix),
    Tested(Id),
    #[cfg(feature = "redelivery")]
    Redelivered(usize),
}

/// What the answer shows, as it is at this moment. `None` where the endpoint has been removed.
pub(super) fn look_up(service: &Service<'_>, owed: &Owed) -> Result<Option<Shown>, Written> {
    let (id, secret) = match *owed {
        Owed::Itself(id) => (id, false),
        Owed::Created(id) | Owed::Rotated(id) => (id, true),
        #[cfg(feature = "lists")]
        Owed::Attempts(id) => (id, false),
        Owed::Tested(event) => return Ok(Some(Shown::Tested(event))),
        #[cfg(feature = "redelivery")]
        Owed::Redelivered(count) => return Ok(Some(Shown::Redelivered(count))),
    };
    let Some(ix) = service.find_endpoint(id) else {
        return Ok(None);
    };
    let job = known(service.durable_endpoint(ix))?;
    #[cfg(feature = "lists")]
    if let Owed::Attempts(_) = owed {
        return Ok(Some(Shown::Attempts(ix)));
    }
    Ok(Some(Shown::Endpoint { ix, job, secret }))
}

/// Writes what an answer shows.
pub(super) fn write(server: &Server<'_>, shown: &Shown, out: &mut Out<'_>) {
    match shown {
        Shown::Endpoint { ix, job, secret } => {
            server
                .service
                .write_endpoint(*ix, job.as_ref(), *secret, out);
        }
        #[cfg(feature = "lists")]
        Shown::Attempts(ix) => server.write_attempts(*ix, out),
        Shown::Tested(event) => {
            out.put(b"{\"event\":\"");
            event.write(Prefix::Event, out);
            out.put(b"\"}");
        }
        #[cfg(feature = "redelivery")]
        Shown::Redelivered(count) => {
            out.put(b"{\"redelivered\":");
            out.put_u64(*count as u64);
            out.put(b"}");
        }
    }
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
                server.service.remove_endpoint(ix);
                return Ok(Reply::NoContent);
            }
            _ => Owed::Itself(id),
        },
        OfWebhook::RotateSecret => {
            server.service.rotate_secret(now, ix);
            Owed::Rotated(id)
        }
        OfWebhook::Test => Owed::Tested(test(server, now, ix)?),
        #[cfg(feature = "redelivery")]
        OfWebhook::Redeliver => Owed::Redelivered(redeliver(server, request, ix)?),
        #[cfg(feature = "lists")]
        OfWebhook::Attempts => Owed::Attempts(id),
    };
    Ok(Reply::Webhook(owed))
}

#[inline(never)]
pub(super) fn create(server: &mut Server<'_>, now: Now, request: &Request<'_>) -> Answer {
    let object = api::read_object(request)?;
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
    Ok(Reply::Webhook(Owed::Created(id)))
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
    Ok(server.service.redeliver(ix, since, event))
}

fn check_enabled(server: &Server<'_>, ix: Ix) -> Result<(), Problem> {
    match server.service.endpoint(ix) {
        Some(endpoint) if endpoint.is_enabled() => Ok(()),
        _ => Err(Problem::Disabled),
    }
}
