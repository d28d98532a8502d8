//! Answers as bytes.

#[cfg(feature = "hub")]
use super::hub;
#[cfg(feature = "media")]
use super::media;
#[cfg(feature = "webhook-api")]
use super::reply::Owed;
#[cfg(feature = "webhook-api")]
use super::webhooks;
use super::{
    Server,
    conn::Conn,
    reply::{FORGOTTEN, LOOKED_AT_MAX, NO_STORE, Reply, Sought, Written, known},
};
#[cfg(feature = "media")]
use crate::api::MediaProblem;
use crate::{
    api::Problem,
    event::Event,
    http::{CONTINUE, Date, FieldLine, HeadError, ResponseHead},
    id::Prefix,
    out::Out,
    service::{self, Durable},
    slab::Ix,
};

const JSON: FieldLine = FieldLine::new("content-type: application/json\r\n");
const PROBLEM_JSON: FieldLine = FieldLine::new("content-type: application/problem+json\r\n");
/// The methods that some path or other has.
#[cfg(feature = "webhook-api")]
const METHODS: &[u8] = b"GET, HEAD, POST, PATCH, DELETE, OPTIONS";
#[cfg(not(feature = "webhook-api"))]
const METHODS: &[u8] = b"GET, HEAD, POST, OPTIONS";

impl Server<'_> {
    /// Writes the answer that a connection is owed. On anything but [`Written::Whole`] the output is to be rewound.
    pub(super) fn render(&self, conn: &Conn, out: &mut Out<'_>) -> Written {
        if matches!(conn.reply, Reply::Continue) {
            out.put(CONTINUE);
            return if out.is_full() {
                Written::NoRoom
            } else {
                Written::Whole
            };
        }
        if !self.service.is_durable(conn.barrier) {
            return Written::NotDurable;
        }
        match self
            .settled(conn.reply)
            .and_then(|reply| self.write_answer(conn, &reply, &[], out))
        {
            Ok(()) if out.is_full() => Written::NoRoom,
            Ok(()) => Written::Whole,
            Err(written) => written,
        }
    }

    /// What is answered at this moment, all of which is there and durable: what is owed, or what is wrong with that.
    fn settled(&self, reply: Reply) -> Result<Reply, Written> {
        let service = &self.service;
        let problem = match reply {
            Reply::Status if self.newest_durable()?.is_none() => Problem::NoJobYet,
            Reply::Job(id) => match service.find_job(id) {
                Some(ix) => {
                    known(service.durable_job(ix))?;
                    return Ok(reply);
                }
                None => Problem::NoSuchJob,
            },
            // What was accepted is shown as it was then; its batch was waited for. Only a repeated request can find that
            // its job has ended and left while the answer waited.
            Reply::Accepted(id) if service.find_job(id).is_none() => FORGOTTEN,
            #[cfg(feature = "webhook-api")]
            Reply::Webhook(owed) if !webhooks::is_there(service, &owed)? => Problem::NoSuchEndpoint,
            #[cfg(feature = "lists")]
            Reply::List { of, after, .. } if self.start_of_list(of, after).is_none() => {
                Problem::Cursor
            }
            #[cfg(feature = "hub")]
            Reply::Claimed(claim) => return self.settled_claim(claim),
            _ => return Ok(reply),
        };
        Ok(Reply::Problem(problem))
    }

    /// How the newest job stands that may be shown.
    fn newest_durable(&self) -> Result<Option<Event>, Written> {
        let mut at = self.service.newest_job();
        for _ in 0..LOOKED_AT_MAX {
            let Some(ix) = at else {
                return Ok(None);
            };
            match self.service.durable_job(ix) {
                Durable::Is(event) => return Ok(Some(event)),
                Durable::Nothing => at = self.service.older_job(ix),
                Durable::Soon => break,
            }
        }
        Err(Written::NotDurable)
    }

    /// Writes a whole answer. `kept` is what the archive has of a job that is only there.
    pub(super) fn write_answer(
        &self,
        conn: &Conn,
        reply: &Reply,
        kept: &[u8],
        out: &mut Out<'_>,
    ) -> Result<(), Written> {
        let length = start_head(&self.date, reply, out)
            .line(NO_STORE)
            .connection(conn.keep_alive && !self.stopping, conn.version)
            .finish_with_length_later()
            .map_err(no_room)?;
        self.write_body(reply, kept, out)?;
        let body = length.fill_in(out);
        if conn.head_only && !out.is_full() {
            // The length is that of the body which GET would send (RFC 9110, section 9.3.2).
            out.rewind(body);
        }
        Ok(())
    }

    /// A call of its own, for the stack it takes.
    #[inline(never)]
    fn write_body(&self, reply: &Reply, kept: &[u8], out: &mut Out<'_>) -> Result<(), Written> {
        match *reply {
            Reply::Problem(problem) => problem.write(out),
            Reply::Health { ready } => write_status(if ready { "ready" } else { "ok" }, out),
            Reply::Status => {
                if let Some(event) = self.newest_durable()? {
                    write_status(event.kind.status().simple(), out);
                }
            }
            Reply::Job(id) => {
                if let Some(ix) = self.service.find_job(id) {
                    let event = known(self.service.durable_job(ix))?;
                    self.service.write_job_as(ix, &event, out);
                }
            }
            Reply::Archived { .. } => out.put(kept),
            Reply::Accepted(id) => {
                if let Some(ix) = self.service.find_job(id) {
                    self.write_accepted(ix, out);
                }
            }
            #[cfg(feature = "lists")]
            Reply::List { of, after, limit } => {
                let from = self.start_of_list(of, after).flatten();
                self.write_list(of, from, limit, out)?;
            }
            #[cfg(feature = "webhook-api")]
            Reply::Webhook(ref owed) => webhooks::write(self, owed, out)?,
            #[cfg(feature = "hub")]
            Reply::Metrics => hub::write_metrics(self, out),
            #[cfg(feature = "hub")]
            Reply::Claimed(claim) => self.write_claimed(&claim, out)?,
            _ => {}
        }
        Ok(())
    }

    /// A job as it was accepted; with a callback also the secret that only this answer shows.
    fn write_accepted(&self, ix: Ix, out: &mut Out<'_>) {
        self.service.write_job_accepted(ix, out);
        let Some(job) = self.service.job(ix) else {
            return;
        };
        if job.request.is_empty(service::request_field::CALLBACK_URL) {
            return;
        }
        if let Some(secret) = self.service.callback_secret(Some(ix)) {
            out.rewind(out.len().saturating_sub(1));
            out.put(b",\"callback_secret\":\"");
            secret.write_text(out);
            out.put(b"\"}");
        }
    }
}

/// The names and values of our heads are our own, so all that can be wrong is the room.
fn no_room(_: HeadError) -> Written {
    Written::NoRoom
}

fn write_status(status: &str, out: &mut Out<'_>) {
    out.put(b"{\"status\":\"");
    out.put(status.as_bytes());
    out.put(b"\"}");
}

/// Writes the start of a head: the status, and the fields that depend on what is answered.
fn start_head<'o, 'm>(date: &Date, reply: &Reply, out: &'o mut Out<'m>) -> ResponseHead<'o, 'm> {
    let status = status(reply);
    let head = ResponseHead::new(out, status).date_as(date);
    let head = match reply {
        #[cfg(feature = "media")]
        Reply::Problem(Problem::Media(problem)) if problem.is_of_uploads() => {
            head.line(PROBLEM_JSON).line(media::TUS)
        }
        Reply::Problem(_) => head.line(PROBLEM_JSON),
        #[cfg(feature = "hub")]
        Reply::Metrics => head.line(hub::METRICS_TEXT),
        #[cfg(feature = "media")]
        Reply::UploadOptions(_, bytes_max) => media::tus_options(head, *bytes_max),
        _ if status == NO_CONTENT => head,
        _ => head.line(JSON),
    };
    let mut memory = [0; 64];
    let mut value = Out::new(&mut memory);
    match special_field(reply, &mut value) {
        Some(name) => head.field(name, value.written()),
        None => head,
    }
}

const NO_CONTENT: u16 = 204;

const fn status(reply: &Reply) -> u16 {
    match reply {
        Reply::Problem(problem) => problem.status(),
        Reply::Accepted(_)
        | Reply::Archived {
            sought: Sought::Repeat,
            ..
        } => 202,
        #[cfg(feature = "webhook-api")]
        Reply::Webhook(owed) => owed.status(),
        Reply::None | Reply::Continue | Reply::Options(_) => NO_CONTENT,
        #[cfg(any(feature = "webhook-api", feature = "hub"))]
        Reply::NoContent => NO_CONTENT,
        // What is held, and what is written in parts, is answered before it comes here.
        #[cfg(feature = "hub")]
        Reply::Wait { .. } | Reply::Claim { .. } | Reply::Events(_) | Reply::Page { .. } => {
            NO_CONTENT
        }
        #[cfg(feature = "media")]
        Reply::UploadOptions(..)
        | Reply::Media(_)
        | Reply::Receiving(_)
        | Reply::Sending { .. } => NO_CONTENT,
        _ => 200,
    }
}

/// The name of the field that answers of this kind have and others do not, and into `value` its value.
fn special_field(reply: &Reply, value: &mut Out<'_>) -> Option<&'static str> {
    let (collection, prefix, id) = match *reply {
        Reply::Problem(Problem::Method(methods)) => {
            value.put(methods.as_str().as_bytes());
            return Some("allow");
        }
        // RFC 9110, section 11.6.1: a 401 says how to do better.
        Reply::Problem(Problem::Unauthorized) => {
            value.put(b"Bearer");
            return Some("www-authenticate");
        }
        // RFC 6750, section 3.1. Who sent no key is told of no error.
        Reply::Problem(Problem::WrongKey) => {
            value.put(b"Bearer error=\"invalid_token\"");
            return Some("www-authenticate");
        }
        // RFC 9110, section 15.5.16: by this a client tells codings from types that are not taken.
        Reply::Problem(Problem::ContentEncoding) => {
            value.put(b"identity");
            return Some("accept-encoding");
        }
        #[cfg(feature = "media")]
        Reply::Problem(Problem::Media(MediaProblem::TusVersion)) => {
            value.put(b"1.0.0");
            return Some("tus-version");
        }
        Reply::Problem(problem) => {
            value.put_u64(problem.retry_after_s()?.into());
            return Some("retry-after");
        }
        Reply::Options(methods) => {
            value.put(methods.map_or(METHODS, |methods| methods.as_str().as_bytes()));
            return Some("allow");
        }
        #[cfg(feature = "media")]
        Reply::UploadOptions(methods, _) => {
            value.put(methods.as_str().as_bytes());
            return Some("allow");
        }
        // RFC 9110, section 10.2.2: where what was made is now.
        Reply::Accepted(id)
        | Reply::Archived {
            id,
            sought: Sought::Repeat,
        } => ("/v1/translations/", Prefix::Job, id),
        #[cfg(feature = "webhook-api")]
        Reply::Webhook(Owed::Created(id)) => ("/v1/webhooks/", Prefix::Endpoint, id),
        _ => return None,
    };
    value.put(collection.as_bytes());
    id.write(prefix, value);
    Some("location")
}
