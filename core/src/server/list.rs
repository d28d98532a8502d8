//! Lists as bytes: as many items as are wanted and fit, and a cursor if there are more.

use super::{Server, drive::Written, reply::LOOKED_AT_MAX};
use crate::{
    id::Prefix,
    job::Status,
    out::Out,
    service::Durable,
    slab::{Ix, Link},
};

/// What became of one thing of a list.
enum Item {
    Written,
    Skipped,
    /// It shows what is not durable; the list must wait.
    Soon,
    /// Enough was looked at.
    Enough,
}

/// The most bytes after a list's last item.
const TAIL_BYTES_MAX: usize = 64;

impl Server<'_> {
    /// Writes a page of jobs from `from` on.
    pub(super) fn write_jobs(
        &self,
        from: Link,
        limit: u8,
        status: Option<Status>,
        out: &mut Out<'_>,
    ) -> Result<(), Written> {
        let service = &self.service;
        let mut looked_at = 0;
        let item = |ix, out: &mut Out<'_>| {
            looked_at += 1;
            if looked_at > LOOKED_AT_MAX {
                return Item::Enough;
            }
            match service.durable_job(ix) {
                Durable::Nothing => Item::Skipped,
                Durable::Soon => Item::Soon,
                Durable::Is(event) => {
                    if status.is_some_and(|status| status != event.kind.status()) {
                        return Item::Skipped;
                    }
                    service.write_job_as(ix, &event, out);
                    Item::Written
                }
            }
        };
        let id = |ix, out: &mut Out<'_>| {
            if let Some(job) = service.job(ix) {
                job.id().write(Prefix::Job, out);
            }
        };
        write_list(from, limit, out, |ix| service.older_job(ix), item, id)
    }

    /// Writes a page of endpoints from `from` on.
    pub(super) fn write_endpoints(
        &self,
        from: Link,
        limit: u8,
        out: &mut Out<'_>,
    ) -> Result<(), Written> {
        let service = &self.service;
        let item = |ix, out: &mut Out<'_>| match service.durable_endpoint(ix) {
            Durable::Nothing => Item::Skipped,
            Durable::Soon => Item::Soon,
            Durable::Is(job) => {
                service.write_endpoint(ix, job.as_ref(), false, out);
                Item::Written
            }
        };
        let id = |ix, out: &mut Out<'_>| {
            if let Some(endpoint) = service.endpoint(ix) {
                endpoint.id.write(Prefix::Endpoint, out);
            }
        };
        write_list(from, limit, out, |ix| service.older_endpoint(ix), item, id)
    }

    /// Writes the newest attempts to an endpoint, as many as fit.
    pub(super) fn write_attempts(&self, ix: Ix, out: &mut Out<'_>) {
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

/// Writes a list from `from` on: up to `limit` items, as many as fit whole, and a cursor if there are more.
fn write_list(
    from: Link,
    limit: u8,
    out: &mut Out<'_>,
    next: impl Fn(Ix) -> Link,
    mut item: impl FnMut(Ix, &mut Out<'_>) -> Item,
    id: impl Fn(Ix, &mut Out<'_>),
) -> Result<(), Written> {
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
            Item::Soon => return Err(Written::NotDurable),
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
    Ok(())
}
