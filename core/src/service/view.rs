//! What jobs, events and endpoints look like as JSON.
//!
//! A job's JSON and the `data` of its events are the same object, rendered from what never changes
//! once said: the request, the event, and with the ending its result. So an event's body is the same
//! bytes at every attempt.

use super::{JobSlot, Service, request_field};
use crate::{
    endpoint::field,
    event::{Event, Kind},
    id::{Id, Prefix},
    json::{Writer, write_escaped},
    out::Out,
    slab::Ix,
    text::Pool,
    time::{Now, Timestamp},
};

/// The most bytes that a job's JSON has beside its strings.
pub(crate) const JOB_BYTES_OVERHEAD: usize = 400;
/// The most bytes that an event's body has beside its job's strings.
pub(crate) const EVENT_BYTES_OVERHEAD: usize = JOB_BYTES_OVERHEAD + 100;

impl Service<'_> {
    /// Writes a job as it is now.
    pub fn write_job(&self, ix: Ix, out: &mut Out<'_>) {
        if let Some(job) = self.jobs.get(ix) {
            write_job(&self.dispatch.text, job, &job.last, out);
        }
    }

    /// Writes a job as `event` left it.
    pub(crate) fn write_job_as(&self, ix: Ix, event: &Event, out: &mut Out<'_>) {
        if let Some(job) = self.jobs.get(ix) {
            write_job(&self.dispatch.text, job, event, out);
        }
    }

    /// Writes a job as it was when it was accepted: the first answer to its request.
    pub(crate) fn write_job_accepted(&self, ix: Ix, out: &mut Out<'_>) {
        if let Some(job) = self.jobs.get(ix) {
            let accepted = Event {
                at: job.created_at,
                sequence: 1,
                kind: Kind::Pending,
                progress: 0,
            };
            write_job(&self.dispatch.text, job, &accepted, out);
        }
    }

    /// Writes a job's request for a worker: its JSON as it is now.
    pub fn write_work(&self, id: Id, out: &mut Out<'_>) {
        if let Some(ix) = self.find_job(id) {
            self.write_job(ix, out);
        }
    }

    /// Writes which video the job in a slot is about, as its URL stands in the request.
    #[cfg(feature = "media")]
    pub fn write_video_url(&self, ix: Ix, out: &mut Out<'_>) {
        if let Some(job) = self.jobs.get(ix) {
            let text = &self.dispatch.text;
            text.write(&job.request, request_field::VIDEO_URL, out);
        }
    }

    /// Writes into which language the job in a slot is translated.
    #[cfg(feature = "media")]
    pub fn write_target_language(&self, ix: Ix, out: &mut Out<'_>) {
        if let Some(job) = self.jobs.get(ix) {
            let text = &self.dispatch.text;
            text.write(&job.request, request_field::TARGET_LANGUAGE, out);
        }
    }

    /// Writes the body of an event of a job.
    pub fn write_event(&self, job: Ix, event: &Event, out: &mut Out<'_>) {
        if let Some(job) = self.jobs.get(job) {
            write_event(&self.dispatch.text, job, event, out);
        }
    }

    /// Writes an endpoint, and for one that is narrowed to a job how `job` left that. With `with_secret`, its secret
    /// too: only for whoever has just made it. A pause is told as it is at `now`; none where that is not known.
    pub fn write_endpoint(
        &self,
        now: Option<Now>,
        ix: Ix,
        job: Option<&Event>,
        with_secret: bool,
        out: &mut Out<'_>,
    ) {
        let Some(endpoint) = self.dispatch.endpoints.get(ix) else {
            return;
        };
        let mut json = Writer::new(out);
        json.object()
            .name("id")
            .quoted(|out| endpoint.id.write(Prefix::Endpoint, out))
            .name("url")
            .quoted(|out| escaped(self.dispatch.text.field(&endpoint.text, field::URL), out))
            .name("description")
            .quoted(|out| {
                escaped(
                    self.dispatch.text.field(&endpoint.text, field::DESCRIPTION),
                    out,
                )
            })
            .name("events")
            .array();
        for name in endpoint.filter.names() {
            json.string(name);
        }
        json.end_array()
            .name("enabled")
            .bool(endpoint.is_enabled())
            .name("disabled_reason")
            .string_or_null(endpoint.disabled.as_str())
            .name("paused_until");
        let pause = now.and_then(|now| self.paused(now, ix));
        match pause {
            Some((until, _)) => json.quoted(|out| until.write_rfc3339(out)),
            None => json.null(),
        };
        json.name("paused_reason")
            .string_or_null(pause.map(|(_, why)| why))
            .name("job");
        let id = endpoint
            .subject
            .and_then(|ix| self.jobs.get(ix))
            .map(JobSlot::id);
        match id.zip(job) {
            Some((id, event)) => json
                .quoted(|out| id.write(Prefix::Job, out))
                .name("status")
                .string(event.kind.status().as_str())
                .name("sequence")
                .u64(event.sequence.into()),
            None => json.null(),
        };
        json.name("created_at")
            .quoted(|out| endpoint.created_at.write_rfc3339(out));
        if with_secret && let Some(secret) = endpoint.secret.secret() {
            json.name("secret").quoted(|out| secret.write_text(out));
        }
        json.end_object();
    }
}

/// Writes the body of an event of a job.
pub(super) fn write_event(text: &Pool<'_>, job: &JobSlot, event: &Event, out: &mut Out<'_>) {
    write_envelope(event.kind, event.at, out);
    write_job(text, job, event, out);
    out.put_byte(b'}');
}

/// Writes the body of a test of an endpoint.
pub(super) fn write_test(endpoint: Id, event: &Event, out: &mut Out<'_>) {
    write_envelope(event.kind, event.at, out);
    out.put(b"{\"id\":\"");
    endpoint.write(Prefix::Endpoint, out);
    out.put(b"\"}}");
}

fn write_envelope(kind: Kind, at: Timestamp, out: &mut Out<'_>) {
    out.put(b"{\"type\":\"");
    out.put(kind.as_str().as_bytes());
    out.put(b"\",\"timestamp\":\"");
    at.write_rfc3339(out);
    out.put(b"\",\"data\":");
}

/// Writes a job as `event` left it.
fn write_job(pool: &Pool<'_>, job: &JobSlot, event: &Event, out: &mut Out<'_>) {
    let text = |field| pool.field(&job.request, field);
    out.put(b"{\"id\":\"");
    job.id.write(Prefix::Job, out);
    out.put(b"\",\"sequence\":");
    out.put_u64(event.sequence.into());
    out.put(b",\"status\":\"");
    out.put(event.kind.status().as_str().as_bytes());
    out.put(b"\",\"progress\":");
    out.put_u64(event.progress.into());
    out.put(b",\"video_url\":\"");
    escaped(text(request_field::VIDEO_URL), out);
    out.put(b"\",\"source_language\":");
    let source = text(request_field::SOURCE_LANGUAGE);
    string_or_null(
        !job.request.is_empty(request_field::SOURCE_LANGUAGE),
        source,
        out,
    );
    out.put(b",\"target_language\":\"");
    escaped(text(request_field::TARGET_LANGUAGE), out);
    out.put(b"\",\"output_url\":");
    let result = || pool.all(&job.result);
    string_or_null(event.kind == Kind::Completed, result(), out);
    out.put(b",\"error\":");
    string_or_null(event.kind == Kind::Error, result(), out);
    out.put(b",\"reference\":");
    string_or_null(job.has_reference, text(request_field::REFERENCE), out);
    out.put(b",\"created_at\":\"");
    job.created_at.write_rfc3339(out);
    out.put(b"\",\"updated_at\":\"");
    event.at.write_rfc3339(out);
    out.put(b"\"}");
}

fn string_or_null<'s>(some: bool, pieces: impl Iterator<Item = &'s [u8]>, out: &mut Out<'_>) {
    if some {
        out.put_byte(b'"');
        escaped(pieces, out);
        out.put_byte(b'"');
    } else {
        out.put(b"null");
    }
}

fn escaped<'s>(pieces: impl Iterator<Item = &'s [u8]>, out: &mut Out<'_>) {
    for piece in pieces {
        write_escaped(out, piece);
    }
}
