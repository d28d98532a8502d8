//! What the driver tells of its media, as HTTP.

use super::{
    ask::What,
    body::Receiving,
    range::{self, Part},
};
use crate::{
    api::{OfWork, Problem},
    http::{CONTINUE, FieldLine, HeadError, Method, RecvBuf, ResponseHead},
    id::{Id, Prefix},
    json::Writer,
    out::{Out, Overflow},
    server::{
        ConnId, Drive, Server,
        conn::{Conn, Waiting},
        hub,
        reply::{NO_STORE, Reply},
    },
    time::{Now, Timestamp},
};

/// What the driver tells.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MediaAnswer<'a> {
    /// How an upload is now.
    Upload(Upload<'a>),
    /// The bytes may come.
    Begin,
    /// Those at the front of the input are stored.
    Stored {
        /// How many: what [`Drive::Store`] said.
        bytes: usize,
    },
    /// It is done: the upload is gone, or it is an output now.
    Done,
    /// The output is there.
    Output(Output<'a>),
    /// So many of its bytes are sent, or on their way in order.
    Sent {
        /// How many, and no more than [`Drive::Send`] said.
        bytes: u64,
    },
    /// It cannot be.
    Refused(MediaRefusal),
}

/// Why the driver did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MediaRefusal {
    /// There is no such upload, or no output.
    NotFound,
    /// The upload does not go on there.
    Offset,
    /// These are not as many bytes as the upload has.
    Length,
    /// The upload is larger than uploads may be.
    TooLarge,
    /// Another request is filling it.
    Busy,
    /// All its bytes are there.
    Done,
    /// The bytes are not those that were announced.
    Checksum,
    /// There is no room.
    Full,
    /// The bytes could not be read or written.
    Broken,
}

impl MediaRefusal {
    fn problem(self, what: Option<What>) -> Problem {
        match self {
            Self::NotFound if what == Some(What::Output) => Problem::NoOutput,
            Self::NotFound if what == Some(What::Keep) => Problem::Upload,
            Self::NotFound => Problem::NoSuchUpload,
            Self::Offset => Problem::Offset,
            Self::Length => Problem::UploadLength,
            Self::TooLarge => Problem::UploadTooLarge,
            Self::Busy => Problem::UploadBusy,
            Self::Done => Problem::UploadDone,
            Self::Checksum => Problem::Checksum,
            Self::Full => Problem::MediaFull,
            Self::Broken => Problem::MediaBroken,
        }
    }
}

/// How an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Upload<'a> {
    /// What it is called.
    pub id: Id,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many of these are there.
    pub received: u64,
    /// What its file is called: 255 bytes at most.
    pub filename: Option<&'a str>,
    /// What it says it is: 127 bytes at most.
    pub content_type: Option<&'a str>,
    /// The SHA-256 of its bytes, in 64 hexadecimal digits.
    pub sha256: Option<&'a str>,
    /// When it goes if no job names it.
    pub expires_at: Timestamp,
}

/// A translation's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Output<'a> {
    /// How many bytes it has.
    pub bytes: u64,
    /// What it is.
    pub content_type: &'a str,
    /// What its file is called, with the language in it: 255 bytes at most.
    pub filename: &'a str,
    /// Its tag, a strong one in its quotes: other bytes have another.
    pub tag: &'a str,
}

const JSON: FieldLine = FieldLine::new("content-type: application/json\r\n");
const PROBLEM_JSON: FieldLine = FieldLine::new("content-type: application/problem+json\r\n");
/// The version of the protocol by which uploads go on (tus 1.0).
const TUS: FieldLine = FieldLine::new("tus-resumable: 1.0.0\r\n");
const RANGES: FieldLine = FieldLine::new("accept-ranges: bytes\r\n");
/// It is one caller's, and asked for again with its tag.
const PRIVATE: FieldLine = FieldLine::new("cache-control: private, no-cache\r\n");
/// What a browser would run is saved, taken for what it is said to be, and could do nothing if it were opened.
const NO_SNIFF: FieldLine = FieldLine::new("x-content-type-options: nosniff\r\n");
const SANDBOX: FieldLine =
    FieldLine::new("content-security-policy: sandbox; default-src 'none'\r\n");

/// The most bytes of the field that names an output's file.
const DISPOSITION_BYTES_MAX: usize = 1_100;

impl Server<'_> {
    /// Tells what came of what [`Drive::Media`], [`Drive::Store`] or [`Drive::Send`] asked for, and drives on. `input` is as
    /// it was then, or longer, and `out` is empty.
    ///
    /// An answer to what was not asked ends the connection.
    ///
    /// # Errors
    ///
    /// [`Overflow`] where the output is shorter than [`answer_bytes_max`](crate::server::Config::answer_bytes_max), or not
    /// empty. Nothing has changed.
    pub fn answer_media(
        &mut self,
        now: Now,
        id: ConnId,
        input: &mut RecvBuf<'_>,
        answer: MediaAnswer<'_>,
        out: &mut Out<'_>,
    ) -> Result<Drive, Overflow> {
        self.check_clock(now);
        if !out.is_empty() || out.room() < self.config.answer_bytes_max() {
            return Err(Overflow);
        }
        let Some(conn) = self.conn(id).copied() else {
            return Ok(Drive::Close);
        };
        self.tell_time(now);
        let told = match (conn.reply, answer) {
            (Reply::Media(asked), MediaAnswer::Refused(why)) => {
                self.refuse_media(&conn, id, asked.what, why, input)
            }
            (Reply::Media(asked), MediaAnswer::Begin) if asked.what == What::Begin => {
                self.begin_body(&conn, id, asked.id, input, out)
            }
            (Reply::Media(asked), MediaAnswer::Upload(upload)) => {
                let written = self.write_upload(&conn, asked.what, &upload, out);
                self.settle_media(id, asked.what, written, out, input)
            }
            (Reply::Media(asked), MediaAnswer::Done) if asked.what == What::Keep => {
                self.take_report(now, id, asked.id, input)
            }
            (Reply::Media(asked), MediaAnswer::Done) if asked.what == What::Remove => {
                let written = self.write_removed(&conn, out);
                self.settle_media(id, asked.what, written, out, input)
            }
            (Reply::Media(asked), MediaAnswer::Output(output))
                if matches!(asked.what, What::Output | What::Content) =>
            {
                match self.write_output(&conn, &output, input, out) {
                    Ok(Part::Some { at, bytes }) => self.begin_sending(id, at, bytes, out, input),
                    written => self.settle_media(id, asked.what, written.map(|_| ()), out, input),
                }
            }
            (Reply::Receiving(receiving), MediaAnswer::Stored { bytes }) => {
                self.take_stored(id, receiving, bytes, input)
            }
            (Reply::Receiving(_), MediaAnswer::Refused(why)) => {
                self.refuse_media(&conn, id, What::Begin, why, input)
            }
            (Reply::Sending { at, left }, MediaAnswer::Sent { bytes }) if bytes <= left => {
                self.go_on_sending(id, at, left, bytes)
            }
            _ => Some(self.end(id.ix)),
        };
        Ok(told.unwrap_or_else(|| self.go(now, id.ix, input, out)))
    }

    /// Lets the connection say why not. Who is still sending is not listened to any more.
    fn refuse_media(
        &mut self,
        conn: &Conn,
        id: ConnId,
        what: What,
        why: MediaRefusal,
        input: &mut RecvBuf<'_>,
    ) -> Option<Drive> {
        let problem = why.problem(Some(what));
        let (version, keep_alive) = (conn.version, conn.keep_alive);
        let conn = self.conns.get_mut(id.ix)?;
        if what == What::Begin {
            conn.refuse(problem);
            conn.version = version;
            return None;
        }
        if what.has_request() {
            conn.parser.finish(input);
        }
        conn.reply = Reply::Problem(problem);
        conn.keep_alive = keep_alive;
        None
    }

    /// Takes the report of a worker whose output is kept.
    fn take_report(
        &mut self,
        now: Now,
        id: ConnId,
        job: Id,
        input: &mut RecvBuf<'_>,
    ) -> Option<Drive> {
        let parser = self.conns.get(id.ix)?.parser;
        let Some(request) = parser.request(input.filled()) else {
            return Some(self.end(id.ix));
        };
        let name = job.text(Prefix::Job);
        let reply = hub::report(self, now, &request, OfWork::Complete, &name);
        let barrier = self.service.barrier();
        let conn = self.conns.get_mut(id.ix)?;
        conn.parser.finish(input);
        conn.reply = reply.unwrap_or_else(Reply::Problem);
        conn.barrier = barrier;
        None
    }

    /// Takes the head out of the input, and lets a client go on that waits for that.
    fn begin_body(
        &mut self,
        conn: &Conn,
        id: ConnId,
        upload: Id,
        input: &mut RecvBuf<'_>,
        out: &mut Out<'_>,
    ) -> Option<Drive> {
        let left = conn.parser.length();
        let of_patch = conn.parser.method() == Some(Method::Patch);
        if conn.parser.is_waited_for(input) {
            out.put(CONTINUE);
        }
        let spare_ms = self.config.body_grace_ms;
        let conn = self.conns.get_mut(id.ix)?;
        conn.parser.take_head(input);
        conn.reply = Reply::Receiving(Receiving {
            upload,
            left,
            spare_ms: u32::try_from(spare_ms).unwrap_or(u32::MAX),
            of_patch,
        });
        None
    }

    /// Takes stored bytes out of the input.
    fn take_stored(
        &mut self,
        id: ConnId,
        receiving: Receiving,
        bytes: usize,
        input: &mut RecvBuf<'_>,
    ) -> Option<Drive> {
        if bytes > input.len() || bytes as u64 > receiving.left {
            return Some(self.end(id.ix));
        }
        let spare_ms = self.spare_ms(receiving.spare_ms, bytes);
        input.discard_front(bytes);
        let conn = self.conns.get_mut(id.ix)?;
        conn.reply = Reply::Receiving(Receiving {
            left: receiving.left.saturating_sub(bytes as u64),
            spare_ms,
            ..receiving
        });
        None
    }

    /// The head of an output is written; now its bytes.
    fn begin_sending(
        &mut self,
        id: ConnId,
        at: u64,
        left: u64,
        out: &Out<'_>,
        input: &mut RecvBuf<'_>,
    ) -> Option<Drive> {
        self.traffic.count_answer(out.written(), 0);
        let conn = self.conns.get_mut(id.ix)?;
        conn.parser.finish(input);
        conn.reply = Reply::Sending { at, left };
        None
    }

    fn go_on_sending(&mut self, id: ConnId, at: u64, left: u64, bytes: u64) -> Option<Drive> {
        let left = left.saturating_sub(bytes);
        if left == 0 {
            return self.answered(id.ix);
        }
        let at = at.saturating_add(bytes);
        let conn = self.conns.get_mut(id.ix)?;
        conn.reply = Reply::Sending { at, left };
        None
    }

    /// An answer is written whole, or could not be.
    fn settle_media(
        &mut self,
        id: ConnId,
        what: What,
        written: Result<(), HeadError>,
        out: &mut Out<'_>,
        input: &mut RecvBuf<'_>,
    ) -> Option<Drive> {
        if written.is_err() || out.is_full() {
            // What does not fit an empty output never will.
            out.rewind(0);
            return Some(self.end(id.ix));
        }
        self.traffic.count_answer(out.written(), 0);
        if what.has_request() {
            self.conns.get_mut(id.ix)?.parser.finish(input);
        }
        if let Some(conn) = self.conns.get_mut(id.ix) {
            conn.waiting = Waiting::Answer;
        }
        self.answered(id.ix)
    }

    fn head<'o, 'm>(&self, conn: &Conn, status: u16, out: &'o mut Out<'m>) -> ResponseHead<'o, 'm> {
        ResponseHead::new(out, status)
            .date_as(&self.date)
            .connection(conn.keep_alive && !self.stopping, conn.version)
    }

    fn write_upload(
        &self,
        conn: &Conn,
        what: What,
        upload: &Upload<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), HeadError> {
        let status = match what {
            What::Create => 201,
            What::End { of_patch: true } => 204,
            _ => 200,
        };
        let head = self
            .head(conn, status, out)
            .line(NO_STORE)
            .line(TUS)
            .number("upload-offset", upload.received)
            .number("upload-length", upload.bytes);
        if status == 204 {
            return head.finish_without_length();
        }
        let head = head.line(JSON);
        let head = match what {
            What::Create => {
                let mut memory = [0; 64];
                let mut path = Out::new(&mut memory);
                write_path(upload.id, &mut path);
                head.field("location", path.written())
            }
            _ => head,
        };
        let length = head.finish_with_length_later()?;
        write_json(upload, out);
        let body = length.fill_in(out);
        if conn.head_only && !out.is_full() {
            out.rewind(body);
        }
        Ok(())
    }

    fn write_removed(&self, conn: &Conn, out: &mut Out<'_>) -> Result<(), HeadError> {
        let head = self.head(conn, 204, out).line(NO_STORE).line(TUS);
        head.finish_without_length()
    }

    /// Writes the head of an output, and says which of its bytes follow; [`Part::Whole`] for none.
    fn write_output(
        &self,
        conn: &Conn,
        output: &Output<'_>,
        input: &RecvBuf<'_>,
        out: &mut Out<'_>,
    ) -> Result<Part, HeadError> {
        let request = conn.parser.request(input.filled());
        let fields = request.map(|request| request.fields);
        let total = output.bytes;
        if fields.is_some_and(|fields| range::is_known(&fields, output.tag)) {
            let head = self.head(conn, 304, out).line(PRIVATE);
            let head = head.field("etag", output.tag.as_bytes());
            return head.finish_without_length().map(|()| Part::Whole);
        }
        let part = match fields {
            // RFC 9110, section 14.2: a range is of GET alone.
            Some(fields) if !conn.head_only => range::part(&fields, total, output.tag),
            _ => Part::Whole,
        };
        let mut memory = [0; 80];
        let mut span = Out::new(&mut memory);
        let (status, at, bytes) = match part {
            Part::Whole => (200, 0, total),
            Part::Some { at, bytes } => {
                write_span(Some((at, bytes)), total, &mut span);
                (206, at, bytes)
            }
            Part::Beyond => {
                write_span(None, total, &mut span);
                let head = self
                    .head(conn, Problem::Range.status(), out)
                    .line(NO_STORE)
                    .line(RANGES);
                let head = head.field("content-range", span.written());
                let length = head.line(PROBLEM_JSON).finish_with_length_later()?;
                Problem::Range.write(out);
                length.fill_in(out);
                return Ok(Part::Whole);
            }
        };
        let mut memory = [0; DISPOSITION_BYTES_MAX];
        let mut disposition = Out::new(&mut memory);
        write_disposition(output.filename, &mut disposition);
        let head = self
            .head(conn, status, out)
            .line(PRIVATE)
            .line(RANGES)
            .line(NO_SNIFF)
            .line(SANDBOX)
            .field("content-type", output.content_type.as_bytes())
            .field("content-disposition", disposition.written())
            .field("etag", output.tag.as_bytes());
        let head = match part {
            Part::Some { .. } => head.field("content-range", span.written()),
            _ => head,
        };
        head.finish_with_long_length(bytes)?;
        Ok(if conn.head_only || bytes == 0 {
            Part::Whole
        } else {
            Part::Some { at, bytes }
        })
    }
}

/// `bytes 3-5/10`, or `bytes */10`.
fn write_span(part: Option<(u64, u64)>, total: u64, out: &mut Out<'_>) {
    out.put(b"bytes ");
    match part {
        Some((at, bytes)) => {
            out.put_u64(at);
            out.put(b"-");
            out.put_u64(at.saturating_add(bytes).saturating_sub(1));
        }
        None => out.put(b"*"),
    }
    out.put(b"/");
    out.put_u64(total);
}

fn write_path(upload: Id, out: &mut Out<'_>) {
    out.put(b"/v1/uploads/");
    upload.write(Prefix::Media, out);
}

fn write_json(upload: &Upload<'_>, out: &mut Out<'_>) {
    let mut json = Writer::new(out);
    json.object()
        .name("id")
        .quoted(|out| upload.id.write(Prefix::Media, out))
        .name("video_url")
        .quoted(|out| {
            out.put(b"dubhook:");
            upload.id.write(Prefix::Media, out);
        })
        .name("bytes")
        .u64(upload.bytes)
        .name("received")
        .u64(upload.received)
        .name("filename")
        .string_or_null(upload.filename)
        .name("content_type")
        .string_or_null(upload.content_type)
        .name("sha256")
        .string_or_null(upload.sha256)
        .name("upload")
        .object()
        .name("method")
        .string("PUT")
        .name("url")
        .quoted(|out| write_path(upload.id, out))
        .name("headers")
        .object()
        .end_object()
        .end_object()
        .name("expires_at")
        .quoted(|out| upload.expires_at.write_rfc3339(out))
        .end_object();
}

/// What the file is called (RFC 6266): in letters that everybody reads, and in those that it has (RFC 8187).
fn write_disposition(name: &str, out: &mut Out<'_>) {
    out.put(b"attachment; filename=\"");
    for letter in name.chars() {
        let is_plain = matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\' | '%' | '/');
        out.put_byte(if is_plain { letter as u8 } else { b'_' });
    }
    out.put(b"\"; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            out.put_byte(byte);
        } else {
            out.put_byte(b'%');
            out.put_byte(hex(byte >> 4));
            out.put_byte(hex(byte & 15));
        }
    }
}

const fn hex(digit: u8) -> u8 {
    match digit {
        0..10 => b'0' + digit,
        _ => b'A' - 10 + digit,
    }
}
