//! Streams of events, for clients that no webhook can reach: `GET /v1/events` (server-sent events, as the HTML standard
//! has them in section 9.2).
//!
//! A stream is an answer that goes on until somebody closes it, each event a chunk of its own where the client speaks
//! HTTP/1.1: one that waits for whole buffers, a library or a proxy, would hold events back else. It reads the feed from a position on and sends what it finds
//! as the bodies of webhooks, each under its `webhook-id`, so a client that comes back says with `Last-Event-ID` where it
//! was. What has left the feed by then cannot be sent again: the event `stream.gap` says so, and that what is followed
//! should be read anew.
//!
//! A stream of one job begins with the job as it stands, or with what came after `Last-Event-ID`, and ends with its last
//! event. Sequences tell what it left out, and the last event is never left out: so there it needs no `stream.gap`.

use crate::{
    api::{self, Field, Problem},
    event::Event,
    feed::Entry,
    http::{FieldLine, Request, ResponseHead, Version},
    id::{Id, Prefix},
    json::{self, Str},
    model::Translation,
    out::Out,
    server::{
        Drive, Server,
        reply::{Answer, NO_STORE, Reply, Sought, Stream},
    },
    service::Durable,
    slab::Ix,
    time::Now,
};

/// After how long without an event a stream shows that it is alive, in milliseconds.
const KEEP_ALIVE_MS: u64 = 15_000;
/// Events of the feed that a stream of one job looks at in one turn at most.
const LOOKED_AT_MAX: usize = 1_000;

/// The size of a chunk, to be filled in.
const SIZE: &[u8] = b"0000\r\n";
const SIZE_DIGITS: usize = 4;
/// What ends a chunked answer.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const EVENT_STREAM: FieldLine = FieldLine::new("content-type: text/event-stream\r\n");
/// How soon a client shall come back after the stream broke, in milliseconds.
// No blank line ends these two, for there is no event before it: some parsers would make an empty one of it.
const RETRY: &[u8] = b"retry: 1000\n";
const ALIVE: &[u8] = b":\n";
const GAP: &[u8] = b"event: stream.gap\ndata: {\"type\":\"stream.gap\"}\n\n";

/// What became of a turn of a stream.
enum Turn {
    /// It has sent all there is.
    Quiet,
    /// The output is full.
    Full,
    /// It has looked at as much as it may in one turn.
    Tired,
    /// Its job's last event is in the output.
    Over,
}

/// Where the stream begins that a request asks for.
pub(in crate::server) fn events(server: &mut Server<'_>, request: &Request<'_>) -> Answer {
    let job = api::parameter(request.query, Field::Job)?;
    let last = request.fields.get("last-event-id");
    let last = last.and_then(|id| core::str::from_utf8(id).ok());
    let last = last.filter(|id| !id.is_empty());
    let named = last.and_then(|id| Id::parse(Prefix::Event, id));
    server.tell_held();
    let Some(job) = job else {
        return Ok(Reply::Events(server.stream_of_all(last.is_some(), named)));
    };
    let job = Id::parse(Prefix::Job, job).ok_or(Problem::Job)?;
    let known = named.and_then(|id| id.sequence_in(job));
    let Some(ix) = server.service.find_job(job) else {
        if !server.service.has_archive() {
            return Err(Problem::Job);
        }
        let sought = Sought::Ending(known.unwrap_or(0));
        return Ok(Reply::Archived { id: job, sought });
    };
    let newest = match server.service.durable_job(ix) {
        Durable::Is(event) => Some(event),
        Durable::Nothing | Durable::Soon => None,
    };
    let has_all = |event: Event| known.is_some_and(|known| known >= event.sequence);
    if newest.is_some_and(|event| event.kind.is_terminal() && has_all(event)) {
        // By which a client learns not to come back.
        return Ok(Reply::NoContent);
    }
    Ok(Reply::Events(server.stream_of(job, newest, known)))
}

impl Server<'_> {
    fn stream_of_all(&self, resumes: bool, last: Option<Id>) -> Stream {
        let feed = self.service.feed();
        let found = last.and_then(|id| feed.find(id));
        let at = match found {
            Some(at) => at.saturating_add(1),
            // All that is held may be new to whoever was away for longer.
            None if resumes => feed.start(),
            None => self.held.seen,
        };
        Stream {
            job: Id::NONE,
            sequence: 0,
            at,
            has_begun: false,
            is_chunked: false,
            has_gap: resumes && found.is_none(),
        }
    }

    fn stream_of(&self, job: Id, newest: Option<Event>, known: Option<u32>) -> Stream {
        let (sequence, at) = match (known, newest) {
            (None, Some(newest)) => (newest.sequence.saturating_sub(1), self.held.seen),
            (known, _) => (known.unwrap_or(0), self.service.feed().start()),
        };
        Stream {
            job,
            sequence,
            at,
            has_begun: false,
            is_chunked: false,
            has_gap: false,
        }
    }

    /// Sends what a stream has not sent yet.
    pub(super) fn stream(
        &mut self,
        now: Now,
        ix: Ix,
        mut stream: Stream,
        out: &mut Out<'_>,
    ) -> Option<Drive> {
        let next = now.instant.after_ms(KEEP_ALIVE_MS);
        let conn = self.conns.get(ix)?;
        let (head_only, was_held, deadline) = (conn.head_only, conn.held, conn.deadline);
        stream.is_chunked = conn.version == Version::V11;
        if self.stopping && stream.has_begun {
            return self.finish_stream(ix, &stream, out);
        }
        if self.stopping {
            self.settle(ix, Reply::Problem(Problem::Stopping));
            return None;
        }
        if !head_only
            && !was_held
            && let Err(problem) = self.hold(ix, next)
        {
            self.settle(ix, Reply::Problem(problem));
            return None;
        }
        let start = out.len();
        if !stream.has_begun {
            self.date.set(now.timestamp);
            if !self.begin_stream(ix, &stream, out) {
                out.rewind(start);
                return self.no_room(ix, start);
            }
            self.traffic.count_answer(out.written(), start);
            if head_only {
                return self.end_stream(ix);
            }
            stream.has_begun = true;
        }
        self.tell_held();
        let turn = self.write_events(&mut stream, out);
        let written = out.len() > start;
        let is_late = now.instant >= deadline;
        if !written && is_late {
            // Where there is no room for it there is something else to be heard.
            put_chunk(&stream, 0, out, |out| out.put(ALIVE));
        }
        if let Some(conn) = self.conns.get_mut(ix) {
            conn.reply = Reply::Events(stream);
        }
        match turn {
            Turn::Over => self.finish_stream(ix, &stream, out),
            Turn::Full => self.no_room(ix, out.len()),
            Turn::Tired | Turn::Quiet => {
                if matches!(turn, Turn::Tired) {
                    self.wake(ix);
                }
                let deadline = if written || is_late || !was_held {
                    next
                } else {
                    deadline
                };
                self.hold(ix, deadline).ok()
            }
        }
    }

    /// Writes a stream's head. `false` where there is no room.
    fn begin_stream(&self, ix: Ix, stream: &Stream, out: &mut Out<'_>) -> bool {
        let Some(conn) = self.conns.get(ix) else {
            return false;
        };
        let head = ResponseHead::new(out, 200)
            .date_as(&self.date)
            .line(EVENT_STREAM)
            .line(NO_STORE)
            // A proxy that gathers an answer before it passes it on would make old news of events.
            .field("x-accel-buffering", b"no")
            .connection(false, conn.version);
        let head = if stream.is_chunked {
            head.finish_chunked()
        } else {
            head.finish_without_length()
        };
        let has_room = conn.head_only || put_chunk(stream, 0, out, |out| out.put(RETRY));
        head.is_ok() && has_room && !out.is_full()
    }

    /// Writes events from where the stream is, as many as fit whole.
    fn write_events(&self, stream: &mut Stream, out: &mut Out<'_>) -> Turn {
        let mut looked_at = 0;
        while stream.at < self.held.seen {
            if looked_at == LOOKED_AT_MAX {
                return Turn::Tired;
            }
            looked_at += 1;
            let Some(told) = self.service.feed().get(stream.at) else {
                stream.at = self.service.feed().start();
                stream.has_gap = stream.job().is_none();
                continue;
            };
            let is_wanted = match stream.job() {
                None => true,
                Some(job) => told.job == job && told.event.sequence > stream.sequence,
            };
            if is_wanted {
                match self.write_told(told, stream, stream.has_gap, out) {
                    Some(false) => return Turn::Full,
                    Some(true) => stream.has_gap = false,
                    // Its job has left memory, which happens to those only who fall far behind.
                    None => stream.has_gap = stream.job().is_none(),
                }
                stream.sequence = told.event.sequence;
                if stream.job().is_some() && told.event.kind.is_terminal() {
                    return Turn::Over;
                }
            }
            stream.at += 1;
        }
        if stream.has_gap {
            if !put_chunk(stream, 0, out, |out| out.put(GAP)) {
                return Turn::Full;
            }
            stream.has_gap = false;
        }
        self.write_newest(stream, out)
    }

    /// Writes how the job of a stream stands, where the feed no longer had it.
    fn write_newest(&self, stream: &mut Stream, out: &mut Out<'_>) -> Turn {
        let Some(job) = stream.job() else {
            return Turn::Quiet;
        };
        let Some(ix) = self.service.find_job(job) else {
            return Turn::Over;
        };
        let event = match self.service.durable_job(ix) {
            Durable::Is(event) if event.sequence > stream.sequence => event,
            _ => return Turn::Quiet,
        };
        let told = Entry {
            job,
            event,
            batch: 0,
        };
        if self.write_told(&told, stream, false, out) != Some(true) {
            return Turn::Full;
        }
        stream.sequence = event.sequence;
        if event.kind.is_terminal() {
            Turn::Over
        } else {
            Turn::Quiet
        }
    }

    /// Writes one event whole, and before it that others were missed, or says that there is no room. `None` where its job
    /// has left memory.
    fn write_told(
        &self,
        told: &Entry,
        stream: &Stream,
        has_gap: bool,
        out: &mut Out<'_>,
    ) -> Option<bool> {
        let ix = self.service.find_job(told.job)?;
        let start = out.len();
        if has_gap && !put_chunk(stream, 0, out, |out| out.put(GAP)) {
            return Some(false);
        }
        // So that a stream that is over never has to come back for its end.
        let kept = if told.event.kind.is_terminal() {
            LAST_CHUNK.len()
        } else {
            0
        };
        let has_room = put_chunk(stream, kept, out, |out| self.write_message(ix, told, out));
        if !has_room {
            out.rewind(start);
        }
        Some(has_room)
    }

    fn write_message(&self, ix: Ix, told: &Entry, out: &mut Out<'_>) {
        out.put(b"id: ");
        told.id().write(Prefix::Event, out);
        out.put(b"\nevent: ");
        out.put(told.event.kind.as_str().as_bytes());
        out.put(b"\ndata: ");
        self.service.write_event(ix, &told.event, out);
        out.put(b"\n\n");
    }

    /// Asks for room, where there is something to make room of; else it would never come.
    fn no_room(&mut self, ix: Ix, written: usize) -> Option<Drive> {
        if written > 0 {
            return Some(Drive::Flush);
        }
        self.end_stream(ix)
    }

    /// The stream of a job that is in the archive alone: its ending.
    pub(in crate::server) fn answer_ending(
        &mut self,
        ix: Ix,
        known: u32,
        job: &[u8],
        out: &mut Out<'_>,
    ) -> Drive {
        let Ok(ended) = json::from_slice::<Translation<Str<'_>>>(job) else {
            return Drive::Close;
        };
        let Some(conn) = self.conns.get(ix) else {
            return Drive::Close;
        };
        let stream = Stream {
            job: ended.id,
            sequence: known,
            at: 0,
            has_begun: true,
            is_chunked: conn.version == Version::V11,
            has_gap: false,
        };
        let head_only = conn.head_only;
        let start = out.len();
        let kept = LAST_CHUNK.len();
        let has_room = self.begin_stream(ix, &stream, out)
            && (head_only || put_chunk(&stream, kept, out, |out| write_ending(&ended, job, out)));
        if !has_room {
            out.rewind(start);
            // With an empty output it would never fit.
            return if start > 0 {
                Drive::Flush
            } else {
                Drive::Close
            };
        }
        self.traffic.count_answer(out.written(), start);
        let ended = if head_only {
            self.end_stream(ix)
        } else {
            self.finish_stream(ix, &stream, out)
        };
        ended.unwrap_or(Drive::Close)
    }

    /// Ends a stream that is whole.
    fn finish_stream(&mut self, ix: Ix, stream: &Stream, out: &mut Out<'_>) -> Option<Drive> {
        if stream.is_chunked {
            let start = out.len();
            out.put(LAST_CHUNK);
            if out.is_full() {
                out.rewind(start);
                return self.no_room(ix, start);
            }
        }
        self.end_stream(ix)
    }

    fn end_stream(&mut self, ix: Ix) -> Option<Drive> {
        self.settle(ix, Reply::None);
        if let Some(conn) = self.conns.get_mut(ix) {
            conn.closing = true;
        }
        Some(Drive::Close)
    }
}

/// Whether a job's events are all known to whoever knows them up to this one.
pub(in crate::server) fn is_known(job: &[u8], known: u32) -> bool {
    let ended = json::from_slice::<Translation<Str<'_>>>(job);
    ended.is_ok_and(|ended| known >= ended.sequence)
}

/// Writes the ending of a job that is kept as JSON.
fn write_ending(ended: &Translation<Str<'_>>, job: &[u8], out: &mut Out<'_>) {
    out.put(b"id: ");
    let id = ended.id.event(ended.sequence, ended.updated_at);
    id.write(Prefix::Event, out);
    for part in ["\nevent: ", "\ndata: {\"type\":\""] {
        out.put(part.as_bytes());
        out.put(b"translation.");
        out.put(ended.status.as_str().as_bytes());
    }
    out.put(b"\",\"timestamp\":\"");
    out.put(ended.updated_at.text().as_bytes());
    out.put(b"\",\"data\":");
    out.put(job);
    out.put(b"}\n\n");
}

/// Writes what is one chunk of a stream, whole, with so much room kept behind it; `false` where there is too little.
fn put_chunk(
    stream: &Stream,
    kept: usize,
    out: &mut Out<'_>,
    write: impl FnOnce(&mut Out<'_>),
) -> bool {
    let start = out.len();
    if stream.is_chunked {
        out.put(SIZE);
    }
    let content = out.len();
    write(out);
    let mut left = out.len().saturating_sub(content);
    if stream.is_chunked {
        let digits = out.written_mut(start).iter_mut().take(SIZE_DIGITS).rev();
        for digit in digits {
            *digit = match (left & 0xf) as u8 {
                value @ 0..=9 => b'0'.wrapping_add(value),
                value => b'a'.wrapping_add(value).wrapping_sub(10),
            };
            left >>= 4;
        }
        out.put(b"\r\n");
    }
    // No event is longer than such a number tells.
    let fits = !out.is_full() && out.room() >= kept && (left == 0 || !stream.is_chunked);
    if !fits {
        out.rewind(start);
    }
    fits
}
