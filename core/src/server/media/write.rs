//! Uploads and outputs as HTTP.

use super::{
    answer::{Output, Part as PartOf, Put, Upload},
    ask::What,
    range::{self, Part},
};
use crate::{
    api::{MediaProblem, Problem},
    http::{FieldLine, HeadError, RecvBuf, ResponseHead, render_date},
    id::{Id, Prefix},
    json::Writer,
    out::Out,
    server::{Server, conn::Conn, reply::NO_STORE},
    time::Timestamp,
};
use base64ct::{Base64, Encoding};

const JSON: FieldLine = FieldLine::new("content-type: application/json\r\n");
/// There is something else than a client wants alone.
const OTHER: Problem = Problem::Media(MediaProblem::Precondition);
/// What is asked for lies beyond the end.
const BEYOND: Problem = Problem::Media(MediaProblem::Range);
const PROBLEM_JSON: FieldLine = FieldLine::new("content-type: application/problem+json\r\n");
/// The version of the protocol by which uploads go on (tus 1.0).
pub(in crate::server) const TUS: FieldLine = FieldLine::new("tus-resumable: 1.0.0\r\n");
/// What of it this server speaks.
const TUS_VERSION: FieldLine = FieldLine::new("tus-version: 1.0.0\r\n");
const TUS_EXTENSION: FieldLine =
    FieldLine::new("tus-extension: creation,expiration,termination\r\n");
const RANGES: FieldLine = FieldLine::new("accept-ranges: bytes\r\n");
/// It is one caller's, and asked for again with its tag.
const PRIVATE: FieldLine = FieldLine::new("cache-control: private, no-cache\r\n");
/// What a browser would run is saved, taken for what it is said to be, and could do nothing if it were opened.
const NO_SNIFF: FieldLine = FieldLine::new("x-content-type-options: nosniff\r\n");
const SANDBOX: FieldLine =
    FieldLine::new("content-security-policy: sandbox; default-src 'none'\r\n");

/// The most bytes after a list's last upload.
#[cfg(feature = "lists")]
const TAIL_BYTES_MAX: usize = 64;

/// The most bytes of what is said of an upload in Base64.
const METADATA_BYTES_MAX: usize = 560;
/// The most bytes of the field that names an output's file.
const DISPOSITION_BYTES_MAX: usize = 1_100;

impl Server<'_> {
    fn head<'o, 'm>(&self, conn: &Conn, status: u16, out: &'o mut Out<'m>) -> ResponseHead<'o, 'm> {
        ResponseHead::new(out, status)
            .date_as(&self.date)
            .connection(conn.keep_alive && !self.stopping, conn.version)
    }

    pub(super) fn write_upload(
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
        // What is whole stays for as long as a job names it.
        let head = match upload.received < upload.bytes {
            true => head.field("upload-expires", &render_date(upload.expires_at)),
            false => head,
        };
        if status == 204 {
            return head.finish_without_length();
        }
        let mut memory = [0; METADATA_BYTES_MAX];
        let mut metadata = Out::new(&mut memory);
        if conn.head_only {
            write_metadata(upload, &mut metadata);
        }
        let head = match metadata.written() {
            [] => head,
            metadata => head.field("upload-metadata", metadata),
        };
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

    /// Writes as many of the uploads as fit whole, and a cursor if there may be more.
    #[cfg(feature = "lists")]
    pub(super) fn write_uploads(
        &self,
        conn: &Conn,
        uploads: &[Upload<'_>],
        mut next: Option<Id>,
        out: &mut Out<'_>,
    ) -> Result<(), HeadError> {
        let head = self.head(conn, 200, out).line(NO_STORE).line(JSON);
        let length = head.finish_with_length_later()?;
        out.put(b"{\"data\":[");
        let mut last = None;
        for upload in uploads {
            let mark = out.len();
            if last.is_some() {
                out.put_byte(b',');
            }
            write_json(upload, out);
            if last.is_some() && (out.is_full() || out.room() < TAIL_BYTES_MAX) {
                out.rewind(mark);
                next = last;
                break;
            }
            last = Some(upload.id);
        }
        out.put(b"],\"next_cursor\":");
        match next {
            Some(next) => {
                out.put_byte(b'"');
                next.write(Prefix::Media, out);
                out.put(b"\"}");
            }
            None => out.put(b"null}"),
        }
        let body = length.fill_in(out);
        if conn.head_only && !out.is_full() {
            out.rewind(body);
        }
        Ok(())
    }

    /// Writes where a part of an upload is to be sent.
    pub(super) fn write_part(
        &self,
        conn: &Conn,
        part: &PartOf<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), HeadError> {
        let head = self.head(conn, 200, out).line(NO_STORE).line(JSON);
        let length = head.finish_with_length_later()?;
        let mut json = Writer::new(out);
        json.object();
        write_put(&mut json, part.url, None, part.expires_at);
        json.name("bytes").u64(part.bytes).end_object();
        let body = length.fill_in(out);
        if conn.head_only && !out.is_full() {
            out.rewind(body);
        }
        Ok(())
    }

    pub(super) fn write_removed(&self, conn: &Conn, out: &mut Out<'_>) -> Result<(), HeadError> {
        let head = self.head(conn, 204, out).line(NO_STORE).line(TUS);
        head.finish_without_length()
    }

    /// Writes the head of an output, and says which of its bytes follow; [`Part::Whole`] for none.
    pub(super) fn write_output(
        &self,
        conn: &Conn,
        output: &Output<'_>,
        input: &RecvBuf<'_>,
        out: &mut Out<'_>,
    ) -> Result<Part, HeadError> {
        let request = conn.parser.request(input.filled());
        let fields = request.map(|request| request.fields);
        let total = output.bytes;
        if fields.is_some_and(|fields| range::is_other(&fields, output.tag)) {
            let head = self.head(conn, OTHER.status(), out).line(NO_STORE);
            let length = head.line(PROBLEM_JSON).finish_with_length_later()?;
            OTHER.write(out);
            let body = length.fill_in(out);
            if conn.head_only && !out.is_full() {
                out.rewind(body);
            }
            return Ok(Part::Whole);
        }
        if fields.is_some_and(|fields| range::is_known(&fields, output.tag)) {
            let head = self.head(conn, 304, out).line(PRIVATE);
            let head = head.field("etag", output.tag.as_bytes());
            return head.finish_without_length().map(|()| Part::Whole);
        }
        // A link that reads does not say how much there is to read: that is said here, and where it leads.
        if let Some(url) = output.elsewhere.filter(|_| !conn.head_only) {
            let head = self.head(conn, 302, out).line(NO_STORE);
            let head = head.field("location", url.as_bytes());
            return head.finish_with_length(0).map(|()| Part::Whole);
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
                    .head(conn, BEYOND.status(), out)
                    .line(NO_STORE)
                    .line(RANGES);
                let head = head.field("content-range", span.written());
                let length = head.line(PROBLEM_JSON).finish_with_length_later()?;
                BEYOND.write(out);
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
        let head = match (part, output.elsewhere) {
            (Part::Some { .. }, _) => head.field("content-range", span.written()),
            (_, Some(url)) => head.field("content-location", url.as_bytes()),
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
        .name("state")
        .string(match upload.received < upload.bytes {
            true => "incomplete",
            false => "complete",
        })
        .name("filename")
        .string_or_null(upload.filename)
        .name("content_type")
        .string_or_null(upload.content_type)
        .name("sha256")
        .string_or_null(upload.sha256)
        .name("sha256_checked")
        .bool(upload.sha256_checked)
        .name("upload")
        .object();
    let mut memory = [0; 64];
    let mut path = Out::new(&mut memory);
    write_path(upload.id, &mut path);
    match upload.put {
        Put::Here => {
            let path = core::str::from_utf8(path.written()).unwrap_or_default();
            write_put(&mut json, path, None, upload.expires_at);
        }
        Put::Elsewhere {
            url,
            checksum,
            expires_at,
        } => write_put(&mut json, url, checksum, expires_at),
        Put::Parts { bytes, count } => {
            // A template (RFC 6570): below it is said where each part is sent.
            path.put(b"/parts/{number}");
            let path = core::str::from_utf8(path.written()).unwrap_or_default();
            write_put(&mut json, path, None, upload.expires_at);
            json.name("part_bytes").u64(bytes);
            json.name("parts").u64(count);
        }
    }
    json.end_object()
        .name("expires_at")
        .quoted(|out| upload.expires_at.write_rfc3339(out))
        .end_object();
}

/// Writes members that say how bytes are to be sent.
fn write_put(json: &mut Writer<'_, '_>, url: &str, checksum: Option<&str>, until: Timestamp) {
    json.name("method")
        .string("PUT")
        .name("url")
        .string(url)
        .name("headers")
        .object();
    if let Some(checksum) = checksum {
        json.name("x-amz-checksum-sha256").string(checksum);
    }
    json.end_object()
        .name("expires_at")
        .quoted(|out| until.write_rfc3339(out));
}

/// What was said of an upload when it was announced, as a client of tus says it.
fn write_metadata(upload: &Upload<'_>, out: &mut Out<'_>) {
    let said = [
        ("filename ", upload.filename),
        ("filetype ", upload.content_type),
    ];
    for (name, text) in said {
        let Some(text) = text else {
            continue;
        };
        let mut memory = [0; METADATA_BYTES_MAX];
        if let Ok(text) = Base64::encode(text.as_bytes(), &mut memory) {
            if !out.is_empty() {
                out.put(b",");
            }
            out.put(name.as_bytes());
            out.put(text.as_bytes());
        }
    }
}

/// Adds what a client of tus wants to know before it begins.
pub(in crate::server) fn tus_options<'o, 'm>(
    head: ResponseHead<'o, 'm>,
    upload_bytes_max: Option<u64>,
) -> ResponseHead<'o, 'm> {
    let head = head.line(TUS).line(TUS_VERSION).line(TUS_EXTENSION);
    match upload_bytes_max {
        Some(bytes) => head.number("tus-max-size", bytes),
        None => head,
    }
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
