//! Answers as bytes.

use super::{
    Server,
    conn::{Conn, Reply},
    drive::Written,
};
use crate::{
    api::Problem,
    http::{HeadError, ResponseHead},
    id::Prefix,
    job::Status,
    out::Out,
    slab::{Ix, Link},
    time::Now,
};

/// How many jobs are looked at for one page of a list: it bounds the work of a call. A page that ends there
/// has a cursor all the same.
const LOOKED_AT_MAX: usize = 1_000;

const JSON: &[u8] = b"application/json";
const PROBLEM_JSON: &[u8] = b"application/problem+json";

impl Server<'_> {
    /// Writes the answer that a connection is owed. On anything but [`Written::Whole`] the output is to be rewound.
    pub(super) fn render(&self, now: Now, conn: &Conn, out: &mut Out<'_>) -> Written {
        if !self.service.is_durable(conn.barrier) {
            return Written::NotDurable;
        }
        let reply = match self.current(conn.reply) {
            Ok(reply) => reply,
            Err(written) => return written,
        };
        match self.write_answer(now, conn, reply, out) {
            Ok(()) if !out.is_full() => Written::Whole,
            _ => Written::NoRoom,
        }
    }

    /// The answer, if what it shows is still there and durable as it is.
    fn current(&self, reply: Reply) -> Result<Reply, Written> {
        let (changed, gone) = match reply {
            Reply::Job(ix, id) | Reply::Accepted(ix, id) => {
                let job = self.service.job(ix).filter(|job| job.id() == id);
                (job.map(|job| job.changed), Problem::NoSuchJob)
            }
            Reply::Status => {
                let newest = self.service.newest_job();
                let job = newest.and_then(|ix| self.service.job(ix));
                (job.map(|job| job.changed), Problem::NoJobYet)
            }
            Reply::Endpoint { ix, id, .. } | Reply::Attempts(ix, id) => {
                let endpoint = self.service.endpoint(ix);
                let endpoint = endpoint.filter(|e| e.id == id && !e.removed);
                (endpoint.map(|e| e.changed), Problem::NoSuchEndpoint)
            }
            _ => return Ok(reply),
        };
        match changed {
            None => Ok(Reply::Problem(gone)),
            // What was just accepted is shown as it was then; its batch was waited for already.
            Some(_) if matches!(reply, Reply::Accepted(..)) => Ok(reply),
            Some(batch) if self.service.is_durable(batch) => Ok(reply),
            Some(_) => Err(Written::NotDurable),
        }
    }

    fn write_answer(
        &self,
        now: Now,
        conn: &Conn,
        reply: Reply,
        out: &mut Out<'_>,
    ) -> Result<(), HeadError> {
        let (status, media_type) = match reply {
            Reply::Problem(problem) => (problem.status(), PROBLEM_JSON),
            Reply::Accepted(..) | Reply::Tested(_) | Reply::Redelivered(_) => (202, JSON),
            Reply::Endpoint { status, .. } => (status, JSON),
            Reply::NoContent | Reply::Options | Reply::None => (204, JSON),
            _ => (200, JSON),
        };
        let mut head = ResponseHead::new(out, status).date(now.timestamp);
        if status != 204 {
            head = head.field("content-type", media_type);
        }
        head = match reply {
            Reply::Accepted(_, id) => {
                let mut location = [0; 64];
                let mut path = Out::new(&mut location);
                path.put(b"/v1/translations/");
                id.write(Prefix::Job, &mut path);
                head.field("location", path.written())
            }
            Reply::Endpoint {
                id, status: 201, ..
            } => {
                let mut location = [0; 64];
                let mut path = Out::new(&mut location);
                path.put(b"/v1/webhooks/");
                id.write(Prefix::Endpoint, &mut path);
                head.field("location", path.written())
            }
            Reply::Problem(problem) => problem_fields(head, problem),
            Reply::Options => head.field("allow", b"GET, HEAD, POST, PATCH, DELETE, OPTIONS"),
            _ => head,
        };
        // What others may not keep: secrets, and states that change.
        let length = head
            .field("cache-control", b"no-store")
            .connection(conn.keep_alive, conn.version)
            .finish_with_length_later()?;
        self.write_body(reply, out);
        let body = length.fill_in(out);
        if conn.head_only && !out.is_full() {
            // The length is that of the body which GET would send (RFC 9110, section 9.3.2).
            out.rewind(body);
        }
        Ok(())
    }

    fn write_body(&self, reply: Reply, out: &mut Out<'_>) {
        match reply {
            Reply::Problem(problem) => problem.write(out),
            Reply::Status => {
                let newest = self.service.newest_job();
                let job = newest.and_then(|ix| self.service.job(ix));
                let status = job.map_or(Status::Pending, |job| job.state().status);
                out.put(b"{\"status\":\"");
                out.put(status.simple().as_bytes());
                out.put(b"\"}");
            }
            Reply::Health { ready: false } => out.put(b"{\"status\":\"ok\"}"),
            Reply::Health { ready: true } => out.put(b"{\"status\":\"ready\"}"),
            Reply::Job(ix, _) => self.service.write_job(ix, out),
            Reply::Accepted(ix, _) => self.write_accepted(ix, out),
            Reply::Jobs {
                from,
                limit,
                status,
            } => self.write_jobs(from, limit, status, out),
            Reply::Endpoint { ix, secret, .. } => self.service.write_endpoint(ix, secret, out),
            Reply::Endpoints { from, limit } => self.write_endpoints(from, limit, out),
            Reply::Attempts(ix, _) => self.write_attempts(ix, out),
            Reply::Tested(event) => {
                out.put(b"{\"event\":\"");
                event.write(Prefix::Event, out);
                out.put(b"\"}");
            }
            Reply::Redelivered(count) => {
                out.put(b"{\"redelivered\":");
                out.put_u64(count as u64);
                out.put(b"}");
            }
            Reply::NoContent | Reply::Options | Reply::None | Reply::Archived { .. } => {}
        }
    }

    /// A job as it was accepted; with a callback also the secret that only this answer shows.
    fn write_accepted(&self, ix: Ix, out: &mut Out<'_>) {
        self.service.write_job_accepted(ix, out);
        let Some(job) = self.service.job(ix) else {
            return;
        };
        if !job.has_callback {
            return;
        }
        if let Some(secret) = self.service.callback_secret(Some(ix)) {
            out.rewind(out.len().saturating_sub(1));
            out.put(b",\"callback_secret\":\"");
            secret.write_text(out);
            out.put(b"\"}");
        }
    }

    fn write_jobs(&self, from: Link, limit: u8, status: Option<Status>, out: &mut Out<'_>) {
        let service = &self.service;
        let mut looked_at = 0;
        let item = |ix, out: &mut Out<'_>| {
            let Some(job) = service.job(ix) else {
                return Item::Skipped;
            };
            looked_at += 1;
            if looked_at > LOOKED_AT_MAX {
                return Item::Enough;
            }
            // A job whose newest change is not durable is left out until it is.
            let wanted = status.is_none_or(|status| status == job.state().status);
            if !wanted || !service.is_durable(job.changed) {
                return Item::Skipped;
            }
            service.write_job(ix, out);
            Item::Written
        };
        let id = |ix, out: &mut Out<'_>| {
            if let Some(job) = service.job(ix) {
                job.id().write(Prefix::Job, out);
            }
        };
        write_list(from, limit, out, |ix| service.older_job(ix), item, id);
    }

    fn write_endpoints(&self, from: Link, limit: u8, out: &mut Out<'_>) {
        let service = &self.service;
        let item = |ix, out: &mut Out<'_>| match service.endpoint(ix) {
            Some(endpoint) if service.is_durable(endpoint.changed) => {
                service.write_endpoint(ix, false, out);
                Item::Written
            }
            _ => Item::Skipped,
        };
        let id = |ix, out: &mut Out<'_>| {
            if let Some(endpoint) = service.endpoint(ix) {
                endpoint.id.write(Prefix::Endpoint, out);
            }
        };
        write_list(from, limit, out, |ix| service.older_endpoint(ix), item, id);
    }

    fn write_attempts(&self, ix: Ix, out: &mut Out<'_>) {
        out.put(b"{\"data\":[");
        let mut rank = 0;
        loop {
            let mark = out.len();
            if rank > 0 {
                out.put_byte(b',');
            }
            let written = self.service.write_attempt_line(ix, rank, out);
            if !written || out.is_full() || out.room() < TAIL_BYTES_MAX {
                out.rewind(mark);
                break;
            }
            rank += 1;
        }
        out.put(b"]}");
    }
}

/// Writes an answer whose body is JSON that was kept.
pub(super) fn write_json(
    now: Now,
    conn: &Conn,
    json: &[u8],
    out: &mut Out<'_>,
) -> Result<(), HeadError> {
    ResponseHead::new(out, 200)
        .date(now.timestamp)
        .field("content-type", JSON)
        .field("cache-control", b"no-store")
        .connection(conn.keep_alive, conn.version)
        .finish_with_length(json.len())?;
    if !conn.head_only {
        out.put(json);
    }
    Ok(())
}

/// What became of one thing of a list.
enum Item {
    Written,
    Skipped,
    Enough,
}

/// The most bytes after a list's last item.
const TAIL_BYTES_MAX: usize = 64;

/// Writes a list from `from` on: up to `limit` items, as many as fit whole, and a cursor if there are more.
fn write_list(
    from: Link,
    limit: u8,
    out: &mut Out<'_>,
    next: impl Fn(Ix) -> Link,
    mut item: impl FnMut(Ix, &mut Out<'_>) -> Item,
    id: impl Fn(Ix, &mut Out<'_>),
) {
    out.put(b"{\"data\":[");
    let (mut at, mut last, mut count) = (from, None, 0);
    while let Some(ix) = at {
        if count == limit {
            break;
        }
        let mark = out.len();
        if count > 0 {
            out.put_byte(b',');
        }
        match item(ix, out) {
            Item::Written if out.is_full() || out.room() < TAIL_BYTES_MAX => {
                // The first one must fit: without it the list would never get on.
                if count > 0 {
                    out.rewind(mark);
                }
                break;
            }
            Item::Written => count += 1,
            Item::Skipped => out.rewind(mark),
            Item::Enough => {
                out.rewind(mark);
                break;
            }
        }
        last = at;
        at = next(ix);
    }
    out.put(b"],\"next_cursor\":");
    match (at, last) {
        (Some(_), Some(last)) => {
            out.put_byte(b'"');
            id(last, out);
            out.put(b"\"}");
        }
        _ => out.put(b"null}"),
    }
}

/// The fields that a problem adds to the head.
fn problem_fields<'o, 'm>(head: ResponseHead<'o, 'm>, problem: Problem) -> ResponseHead<'o, 'm> {
    let head = match problem.allow() {
        Some(allow) => head.field("allow", allow.as_bytes()),
        None => head,
    };
    let head = match problem.retry_after_s() {
        Some(seconds) => head.number("retry-after", seconds.into()),
        None => head,
    };
    match problem {
        // RFC 9110, section 11.6.1: a 401 says how to do better.
        Problem::Unauthorized => head.field("www-authenticate", b"Bearer"),
        _ => head,
    }
}
