//! Lists: as many items as are wanted and fit, and a cursor if there are more. With the feature `lists`.

use super::{
    Server,
    reply::{Answer, LOOKED_AT_MAX, Listed, Reply, Written},
};
use crate::{
    api::{self, Problem},
    http::Request,
    id::{Id, Prefix},
    out::Out,
    service::{Durable, JobSlot, Service},
    slab::{Ix, Link},
};

/// What became of one thing of a list.
enum Item {
    Written,
    Skipped,
    /// It shows what is not durable; the list must wait.
    Soon,
}

/// The most bytes after a list's last item.
const TAIL_BYTES_MAX: usize = 64;

impl Listed {
    /// What the ids of its things begin with.
    pub(super) const fn prefix(self) -> Prefix {
        match self {
            Self::Jobs(_) => Prefix::Job,
            #[cfg(feature = "webhook-api")]
            Self::Endpoints => Prefix::Endpoint,
        }
    }

    /// How many things are looked at for one page.
    const fn looked_at_max(self) -> usize {
        match self {
            Self::Jobs(_) => LOOKED_AT_MAX,
            #[cfg(feature = "webhook-api")]
            Self::Endpoints => usize::MAX,
        }
    }

    fn find(self, service: &Service<'_>, id: Id) -> Link {
        match self {
            Self::Jobs(_) => service.find_job(id),
            #[cfg(feature = "webhook-api")]
            Self::Endpoints => service.find_endpoint(id),
        }
    }

    fn newest(self, service: &Service<'_>) -> Link {
        match self {
            Self::Jobs(_) => service.newest_job(),
            #[cfg(feature = "webhook-api")]
            Self::Endpoints => service.newest_endpoint(),
        }
    }

    fn older(self, service: &Service<'_>, ix: Ix) -> Link {
        match self {
            Self::Jobs(_) => service.older_job(ix),
            #[cfg(feature = "webhook-api")]
            Self::Endpoints => service.older_endpoint(ix),
        }
    }

    fn write_item(self, server: &Server<'_>, ix: Ix, out: &mut Out<'_>) -> Item {
        let service = &server.service;
        match self {
            Self::Jobs(status) => match service.durable_job(ix) {
                Durable::Nothing => return Item::Skipped,
                Durable::Soon => return Item::Soon,
                Durable::Is(event) => {
                    if status.is_some_and(|status| status != event.kind.status()) {
                        return Item::Skipped;
                    }
                    service.write_job_as(ix, &event, out);
                }
            },
            #[cfg(feature = "webhook-api")]
            Self::Endpoints => match service.durable_endpoint(ix) {
                Durable::Nothing => return Item::Skipped,
                Durable::Soon => return Item::Soon,
                Durable::Is(job) => {
                    service.write_endpoint(Some(server.now), ix, job.as_ref(), false, out)
                }
            },
        }
        Item::Written
    }

    fn write_id(self, service: &Service<'_>, ix: Ix, out: &mut Out<'_>) {
        let id = match self {
            Self::Jobs(_) => service.job(ix).map(JobSlot::id),
            #[cfg(feature = "webhook-api")]
            Self::Endpoints => service.endpoint(ix).map(|endpoint| endpoint.id),
        };
        if let Some(id) = id {
            id.write(self.prefix(), out);
        }
    }
}

/// Answers with the part of a list that the query asks for.
#[inline(never)]
pub(super) fn read(request: &Request<'_>, mut of: Listed) -> Answer {
    let page = api::page(request.query)?;
    let after = match page.cursor {
        None => None,
        Some(cursor) => Some(Id::parse(of.prefix(), cursor).ok_or(Problem::Cursor)?),
    };
    match &mut of {
        Listed::Jobs(status) => *status = page.status,
        #[cfg(feature = "webhook-api")]
        Listed::Endpoints => {}
    }
    Ok(Reply::List {
        of,
        after,
        limit: page.limit,
    })
}

impl Server<'_> {
    /// Where a list begins. `None` if what it shall come after is gone.
    pub(super) fn start_of_list(&self, of: Listed, after: Option<Id>) -> Option<Link> {
        let service = &self.service;
        Some(match after {
            None => of.newest(service),
            Some(id) => of.older(service, of.find(service, id)?),
        })
    }

    /// Writes a list from `from` on: up to `limit` items, as many as fit whole, and a cursor if there are more.
    pub(super) fn write_list(
        &self,
        of: Listed,
        from: Link,
        limit: u8,
        out: &mut Out<'_>,
    ) -> Result<(), Written> {
        let service = &self.service;
        out.put(b"{\"data\":[");
        let (mut at, mut last, mut count) = (from, None, 0);
        let mut looked_at = 0;
        while let Some(ix) = at {
            if count == limit || looked_at == of.looked_at_max() {
                break;
            }
            looked_at += 1;
            let mark = out.len();
            if count > 0 {
                out.put_byte(b',');
            }
            match of.write_item(self, ix, out) {
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
            }
            last = at;
            at = of.older(service, ix);
        }
        out.put(b"],\"next_cursor\":");
        match (at, last) {
            (Some(_), Some(last)) => {
                out.put_byte(b'"');
                of.write_id(service, last, out);
                out.put(b"\"}");
            }
            _ => out.put(b"null}"),
        }
        Ok(())
    }

    /// Writes the newest attempts to an endpoint, up to `limit` and as many as fit.
    #[cfg(feature = "webhook-api")]
    pub(super) fn write_attempts(&self, ix: Ix, limit: u8, out: &mut Out<'_>) {
        out.put(b"{\"data\":[");
        for rank in 0..usize::from(limit) {
            let mark = out.len();
            if rank > 0 {
                out.put_byte(b',');
            }
            let written = self.service.write_attempt_line(ix, rank, out);
            if !written || out.is_full() || out.room() < TAIL_BYTES_MAX {
                out.rewind(mark);
                break;
            }
        }
        out.put(b"]}");
    }
}
