//! Answers as bytes.

#[cfg(feature = "hub")]
use super::hub;
#[cfg(feature = "webhook-api")]
use super::webhooks;
use super::{
    Server,
    conn::{Conn, Reply, Sought},
    drive::Written,
};
use crate::{
    api::Problem,
    event::Event,
    http::{CONTINUE, Date, FieldLine, HeadError, ResponseHead},
    id::Prefix,
    out::Out,
    service::{self, Durable},
    slab::Ix,
};

/// How many jobs are looked at for one answer: it bounds the work of a call. A page that ends there has a cursor
/// all the same.
pub(super) const LOOKED_AT_MAX: usize = 1_000;

const JSON: FieldLine = FieldLine::new("content-type: application/json\r\n");
const PROBLEM_JSON: FieldLine = FieldLine::new("content-type: application/problem+json\r\n");
/// What others may not keep: secrets, and states that change.
pub(super) const NO_STORE: FieldLine = FieldLine::new("cache-control: no-store\r\n");

/// What is wrong where a request was made before, and its job is no longer kept.
#[cfg(feature = "idempotency")]
pub(super) const FORGOTTEN: Problem = Problem::IdempotencyForgotten;
#[cfg(not(feature = "idempotency"))]
pub(super) const FORGOTTEN: Problem = Problem::NoSuchJob;

/// What an answer shows: all of it is there and durable.
pub(super) enum Content<'j> {
    Problem(Problem),
    /// How something stands, in one word.
    Status(&'static str),
    Job(Ix, Event),
    /// A job as the archive has it: its JSON.
    Kept(&'j [u8]),
    Accepted(Ix),
    #[cfg(feature = "lists")]
    List {
        of: super::list::Listed,
        from: crate::slab::Link,
        limit: u8,
    },
    #[cfg(feature = "webhook-api")]
    Webhook(webhooks::Shown),
    #[cfg(feature = "hub")]
    Metrics,
    /// A job as it is with the worker that has claimed it.
    #[cfg(feature = "hub")]
    Claimed(crate::service::Claim, Event),
    Nothing,
}

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
            .look_up(&conn.reply)
            .and_then(|content| self.write_answer(conn, &content, out))
        {
            Ok(()) if out.is_full() => Written::NoRoom,
            Ok(()) => Written::Whole,
            Err(written) => written,
        }
    }

    /// What the answer shows, as it is at this moment.
    fn look_up(&self, reply: &Reply) -> Result<Content<'static>, Written> {
        let service = &self.service;
        Ok(match *reply {
            Reply::Problem(problem) => Content::Problem(problem),
            Reply::Health { ready } => Content::Status(if ready { "ready" } else { "ok" }),
            #[cfg(feature = "hub")]
            Reply::Metrics => Content::Metrics,
            Reply::Status => match self.newest_durable()? {
                Some(event) => Content::Status(event.kind.status().simple()),
                None => Content::Problem(Problem::NoJobYet),
            },
            Reply::Job(id) => match service.find_job(id) {
                Some(ix) => Content::Job(ix, known(service.durable_job(ix))?),
                None => Content::Problem(Problem::NoSuchJob),
            },
            // What was accepted is shown as it was then; its batch was waited for.
            Reply::Accepted(id) => match service.find_job(id) {
                Some(ix) => Content::Accepted(ix),
                // Only a repeated request can find that its job has ended and left while the answer waited.
                None => Content::Problem(FORGOTTEN),
            },
            #[cfg(feature = "webhook-api")]
            Reply::Webhook(owed) => match webhooks::look_up(service, &owed)? {
                Some(shown) => Content::Webhook(shown),
                None => Content::Problem(Problem::NoSuchEndpoint),
            },
            #[cfg(feature = "lists")]
            Reply::List { of, after, limit } => match self.start_of_list(of, after) {
                Some(from) => Content::List { of, from, limit },
                None => Content::Problem(Problem::Cursor),
            },
            #[cfg(any(feature = "webhook-api", feature = "hub"))]
            Reply::NoContent => Content::Nothing,
            Reply::Options | Reply::None | Reply::Continue | Reply::Archived { .. } => {
                Content::Nothing
            }
            // What is held, and what is written in parts, before anything is looked up.
            #[cfg(feature = "hub")]
            Reply::Wait { .. } | Reply::Claim { .. } | Reply::Events(_) | Reply::Page { .. } => {
                Content::Nothing
            }
            #[cfg(feature = "hub")]
            Reply::Claimed(claim) => self.claimed(&claim)?,
        })
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

    /// Writes a whole answer.
    pub(super) fn write_answer(
        &self,
        conn: &Conn,
        content: &Content<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), Written> {
        let length = start_head(&self.date, conn, content, out)
            .line(NO_STORE)
            .connection(conn.keep_alive && !self.stopping, conn.version)
            .finish_with_length_later()
            .map_err(no_room)?;
        self.write_content(content, out)?;
        let body = length.fill_in(out);
        if conn.head_only && !out.is_full() {
            // The length is that of the body which GET would send (RFC 9110, section 9.3.2).
            out.rewind(body);
        }
        Ok(())
    }

    /// A call of its own, for the stack it takes.
    #[inline(never)]
    fn write_content(&self, content: &Content<'_>, out: &mut Out<'_>) -> Result<(), Written> {
        match *content {
            Content::Problem(problem) => problem.write(out),
            Content::Status(status) => {
                out.put(b"{\"status\":\"");
                out.put(status.as_bytes());
                out.put(b"\"}");
            }
            Content::Job(ix, event) => self.service.write_job_as(ix, &event, out),
            Content::Kept(json) => out.put(json),
            Content::Accepted(ix) => self.write_accepted(ix, out),
            #[cfg(feature = "lists")]
            Content::List { of, from, limit } => self.write_list(of, from, limit, out)?,
            #[cfg(feature = "webhook-api")]
            Content::Webhook(ref shown) => webhooks::write(self, shown, out),
            #[cfg(feature = "hub")]
            Content::Metrics => hub::write_metrics(self, out),
            #[cfg(feature = "hub")]
            Content::Claimed(claim, event) => self.write_claimed(&claim, &event, out),
            Content::Nothing => {}
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

/// What may be shown of something that somebody knows the name of.
pub(super) fn known<T>(state: Durable<T>) -> Result<T, Written> {
    match state {
        Durable::Is(state) => Ok(state),
        Durable::Nothing | Durable::Soon => Err(Written::NotDurable),
    }
}

/// The names and values of our heads are our own, so all that can be wrong is the room.
fn no_room(_: HeadError) -> Written {
    Written::NoRoom
}

/// Writes the start of a head: the status, and the fields that depend on what is answered.
fn start_head<'o, 'm>(
    date: &Date,
    conn: &Conn,
    content: &Content<'_>,
    out: &'o mut Out<'m>,
) -> ResponseHead<'o, 'm> {
    let head = ResponseHead::new(out, status(content, &conn.reply)).date_as(date);
    let head = match content {
        Content::Problem(_) => head.line(PROBLEM_JSON),
        Content::Nothing => head,
        #[cfg(feature = "hub")]
        Content::Metrics => head.line(hub::METRICS_TEXT),
        _ => head.line(JSON),
    };
    let mut memory = [0; 64];
    let mut value = Out::new(&mut memory);
    match special_field(content, &conn.reply, &mut value) {
        Some(name) => head.field(name, value.written()),
        None => head,
    }
}

fn status(content: &Content<'_>, reply: &Reply) -> u16 {
    match (content, reply) {
        (Content::Problem(problem), _) => problem.status(),
        (
            Content::Kept(_),
            Reply::Archived {
                sought: Sought::Repeat,
                ..
            },
        ) => 202,
        (Content::Accepted(_), _) => 202,
        (Content::Nothing, _) => 204,
        #[cfg(feature = "webhook-api")]
        (_, Reply::Webhook(owed)) => owed.status(),
        _ => 200,
    }
}

/// The name of the field that answers of this kind have and others do not, and into `value` its value.
fn special_field(
    content: &Content<'_>,
    reply: &Reply,
    value: &mut Out<'_>,
) -> Option<&'static str> {
    let (collection, prefix, id) = match (content, *reply) {
        (Content::Problem(Problem::Method(methods)), _) => {
            value.put(methods.as_str().as_bytes());
            return Some("allow");
        }
        // RFC 9110, section 11.6.1: a 401 says how to do better.
        (Content::Problem(Problem::Unauthorized), _) => {
            value.put(b"Bearer");
            return Some("www-authenticate");
        }
        (Content::Problem(problem), _) => {
            value.put_u64(problem.retry_after_s()?.into());
            return Some("retry-after");
        }
        (_, Reply::Options) => {
            value.put(METHODS);
            return Some("allow");
        }
        // RFC 9110, section 10.2.2: where what was made is now.
        (
            _,
            Reply::Accepted(id)
            | Reply::Archived {
                id,
                sought: Sought::Repeat,
            },
        ) => ("/v1/translations/", Prefix::Job, id),
        #[cfg(feature = "webhook-api")]
        (_, Reply::Webhook(webhooks::Owed::Created(id))) => ("/v1/webhooks/", Prefix::Endpoint, id),
        _ => return None,
    };
    value.put(collection.as_bytes());
    id.write(prefix, value);
    Some("location")
}
