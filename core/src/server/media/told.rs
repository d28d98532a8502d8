//! What becomes of a connection by what the driver tells.

use super::{
    answer::{MediaAnswer, MediaRefusal},
    ask::What,
    body::Receiving,
    range::Part,
};
use crate::{
    api::{OfWork, Problem},
    http::{CONTINUE, HeadError, Method, RecvBuf, Request},
    id::{Id, Prefix},
    out::{Out, Overflow},
    server::{
        ConnId, Drive, Server, answer,
        conn::{Conn, Waiting},
        hub,
        reply::{Answer, Reply},
    },
    time::Now,
};

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
        told: MediaAnswer<'_>,
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
        let told = match (conn.reply, told) {
            (Reply::Media(asked), MediaAnswer::Refused(why)) => {
                self.refuse_media(&conn, id, asked.what, why, input)
            }
            (Reply::Media(asked), MediaAnswer::Begin) if asked.what == What::Begin => {
                self.begin_body(&conn, id, asked.id, input, out)
            }
            (Reply::Media(asked), MediaAnswer::Upload(upload)) if asked.what == What::Submit => {
                if upload.received == upload.bytes {
                    self.take_request_now(id, input, |server, request| {
                        answer::submit(server, now, request, true)
                    })
                } else {
                    let why = MediaRefusal::NotFound;
                    self.refuse_media(&conn, id, asked.what, why, input)
                }
            }
            (Reply::Media(asked), MediaAnswer::Part(part))
                if matches!(asked.what, What::Part(_)) =>
            {
                let written = self.write_part(&conn, &part, out);
                self.settle_media(id, asked.what, written, out, input)
            }
            (Reply::Media(asked), MediaAnswer::Upload(upload)) => {
                let written = self.write_upload(&conn, asked.what, &upload, out);
                self.settle_media(id, asked.what, written, out, input)
            }
            #[cfg(feature = "lists")]
            (Reply::Media(asked), MediaAnswer::Uploads { uploads, next })
                if asked.what == What::List =>
            {
                let written = self.write_uploads(&conn, uploads, next, out);
                self.settle_media(id, asked.what, written, out, input)
            }
            (Reply::Media(asked), MediaAnswer::Done) if asked.what == What::Keep => {
                let name = asked.id.text(Prefix::Job);
                self.take_request_now(id, input, |server, request| {
                    hub::report(server, now, request, OfWork::Complete, &name)
                })
            }
            (Reply::Media(asked), MediaAnswer::Done) if asked.what == What::Remove => {
                let written = self.write_removed(&conn, out);
                self.settle_media(id, asked.what, written, out, input)
            }
            (Reply::Media(asked), MediaAnswer::Output(output))
                if matches!(
                    asked.what,
                    What::Output | What::Content | What::Subtitles(_)
                ) =>
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
        let problem = Problem::from(why.problem(Some(what)));
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

    /// Takes a request that waited for the driver.
    fn take_request_now(
        &mut self,
        id: ConnId,
        input: &mut RecvBuf<'_>,
        take: impl FnOnce(&mut Self, &Request<'_>) -> Answer,
    ) -> Option<Drive> {
        let parser = self.conns.get(id.ix)?.parser;
        let Some(request) = parser.request(input.filled()) else {
            return Some(self.end(id.ix));
        };
        let reply = take(self, &request);
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
}
