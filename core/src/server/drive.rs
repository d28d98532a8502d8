//! A connection's turn: requests out of its buffer, answers into its output.

#[cfg(feature = "hub")]
use super::hub;
use super::{
    Server, answer,
    conn::{ConnId, Drive, Waiting},
    reply::{FORGOTTEN, Reply, Sought, Written},
};
use crate::{
    api::Problem,
    http::{Method, Phase, Progress, RecvBuf},
    out::{Out, Overflow},
    slab::Ix,
    time::Now,
};

impl Server<'_> {
    /// Reads requests out of `input` and writes their answers to `out`, until it needs something.
    ///
    /// `out` must have room for [`answer_bytes_max`](super::Config::answer_bytes_max) bytes when it is empty; more lets
    /// more pipelined answers into one output. A request is taken only when any answer would fit, so a list is never
    /// shorter for what was pipelined before it.
    ///
    /// What was received stays in `input`, as it is, until it is taken. Bytes that have changed since they were looked at end
    /// the connection. One that is closed already is named as [`Drive::Close`] once more.
    ///
    /// # Errors
    ///
    /// [`Overflow`] where the output is shorter than [`answer_bytes_max`](super::Config::answer_bytes_max). Nothing has changed.
    pub fn drive(
        &mut self,
        now: Now,
        id: ConnId,
        input: &mut RecvBuf<'_>,
        out: &mut Out<'_>,
    ) -> Result<Drive, Overflow> {
        self.check_clock(now);
        if out.len().saturating_add(out.room()) < self.config.answer_bytes_max() {
            return Err(Overflow);
        }
        if self.conn(id).is_none() {
            return Ok(Drive::Close);
        }
        Ok(self.go(now, id.ix, input, out))
    }

    /// Takes requests and writes answers until there is something to wait for.
    pub(super) fn go(
        &mut self,
        now: Now,
        ix: Ix,
        input: &mut RecvBuf<'_>,
        out: &mut Out<'_>,
    ) -> Drive {
        loop {
            #[cfg(feature = "media")]
            if self.config.media
                && let Some(wait) = self.go_on_with_media(now, ix, input)
            {
                return wait;
            }
            if let Some(wait) = self.write_reply(now, ix, out) {
                // Held with a full buffer: nothing more can be received until the answer is out.
                #[cfg(feature = "hub")]
                if input.is_full() && matches!(wait, Drive::Input { .. }) {
                    return Drive::Wait;
                }
                return wait;
            }
            let has_room = self.has_room(out);
            #[cfg(feature = "media")]
            if self.config.media && self.begin_upload(ix, input) {
                continue;
            }
            let Some(conn) = self.conns.get_mut(ix) else {
                return Drive::Close;
            };
            if conn.closing {
                return Drive::Close;
            }
            match conn.parser.advance(&self.config.http, input) {
                Ok(Progress::Complete) if has_room => {
                    if self.take_request(now, ix, input).is_none() {
                        return self.end(ix);
                    }
                }
                Ok(Progress::Complete) => return Drive::Flush,
                Ok(Progress::ExpectContinue) => self.take_head(ix, input),
                Ok(Progress::NeedMore { bytes_min }) => {
                    return self.need_more(now, ix, input.len(), bytes_min, out);
                }
                Err(refusal) => conn.refuse(Problem::Http(refusal)),
            }
        }
    }

    /// Writes the answer that is owed, if one is. Returns what the connection waits for, if it does.
    fn write_reply(&mut self, now: Now, ix: Ix, out: &mut Out<'_>) -> Option<Drive> {
        let conn = self.conns.get_mut(ix)?;
        match conn.reply {
            Reply::None => return None,
            // It has left memory while the answer waited.
            Reply::Job(id) | Reply::Accepted(id)
                if self.service.has_archive() && self.service.find_job(id).is_none() =>
            {
                let sought = match conn.reply {
                    Reply::Accepted(_) => Sought::Repeat,
                    _ => Sought::Read,
                };
                conn.reply = Reply::Archived { id, sought };
                return Some(Drive::Lookup(id));
            }
            Reply::Archived { id, .. } => return Some(Drive::Lookup(id)),
            #[cfg(feature = "hub")]
            Reply::Wait { .. } | Reply::Claim { .. } | Reply::Events(_) => {
                if let Some(drive) = self.go_on(now, ix, out) {
                    return Some(drive);
                }
            }
            #[cfg(feature = "hub")]
            Reply::Page { at, known, sent } => {
                return self.write_page(now, ix, at, known, sent, out);
            }
            _ => {}
        }
        self.tell_time(now);
        let conn = self.conns.get(ix)?;
        let start = out.len();
        match self.render(conn, out) {
            #[cfg(feature = "hub")]
            Written::Whole => self.traffic.count_answer(out.written(), start),
            #[cfg(not(feature = "hub"))]
            Written::Whole => {}
            Written::NotDurable => {
                out.rewind(start);
                self.block(ix);
                return Some(Drive::Wait);
            }
            Written::NoRoom if start > 0 => {
                out.rewind(start);
                return Some(Drive::Flush);
            }
            Written::NoRoom => {
                // The output is smaller than the contract says. Better an honest end than a loop.
                out.rewind(start);
                return Some(Drive::Close);
            }
        }
        self.answered(ix)
    }

    /// Gets ready for the rest of the request, for the next one, or for the end.
    pub(super) fn answered(&mut self, ix: Ix) -> Option<Drive> {
        let conn = self.conns.get_mut(ix)?;
        conn.barrier = 0;
        let interim = matches!(conn.reply, Reply::Continue);
        conn.reply = Reply::None;
        if interim {
            return None;
        }
        if !conn.keep_alive || self.stopping {
            conn.closing = true;
            return Some(Drive::Close);
        }
        None
    }

    /// Tells what the archive has under the id that [`Drive::Lookup`] named: the job's JSON, or nothing. Returns
    /// [`Drive::Flush`] or [`Drive::Close`].
    ///
    /// # Errors
    ///
    /// [`Overflow`] where the output is shorter than [`answer_bytes_max`](super::Config::answer_bytes_max). Nothing has changed.
    pub fn answer_lookup(
        &mut self,
        now: Now,
        id: ConnId,
        found: Option<&[u8]>,
        out: &mut Out<'_>,
    ) -> Result<Drive, Overflow> {
        self.check_clock(now);
        if out.len().saturating_add(out.room()) < self.config.answer_bytes_max() {
            return Err(Overflow);
        }
        self.tell_time(now);
        let Some(conn) = self.conn(id) else {
            return Ok(Drive::Close);
        };
        let Reply::Archived { sought, .. } = conn.reply else {
            return Ok(Drive::Flush);
        };
        let reply = match (found, sought) {
            (Some(_), Sought::Read | Sought::Repeat) => conn.reply,
            (Some(_), Sought::Cancel) => Reply::Problem(Problem::Ended),
            #[cfg(feature = "hub")]
            (Some(job), Sought::Ending(known)) if hub::is_known(job, known) => Reply::NoContent,
            #[cfg(feature = "hub")]
            (Some(job), Sought::Ending(known)) => {
                return Ok(self.answer_ending(id.ix, known, job, out));
            }
            #[cfg(feature = "hub")]
            (None, Sought::Ending(_)) => Reply::Problem(Problem::Job),
            (None, Sought::Repeat) => Reply::Problem(FORGOTTEN),
            (None, _) => Reply::Problem(Problem::NoSuchJob),
        };
        let start = out.len();
        let written = self.write_answer(conn, &reply, found.unwrap_or_default(), out);
        if written.is_err() || out.is_full() {
            out.rewind(start);
            // With an empty output it would never fit.
            return Ok(if start > 0 {
                Drive::Flush
            } else {
                Drive::Close
            });
        }
        #[cfg(feature = "hub")]
        self.traffic.count_answer(out.written(), start);
        Ok(self.answered(id.ix).unwrap_or(Drive::Flush))
    }

    /// Notes at which moment the next answer is written.
    pub(super) fn tell_time(&mut self, now: Now) {
        self.now = now;
        self.date.set(now.timestamp);
    }

    /// Ends a connection without another word: nobody knows what was said.
    pub(super) fn end(&mut self, ix: Ix) -> Drive {
        if let Some(conn) = self.conns.get_mut(ix) {
            conn.closing = true;
        }
        Drive::Close
    }

    /// Answers a request that is whole. `None` where it is not there any more: the driver has changed what it received.
    #[inline(never)]
    fn take_request(&mut self, now: Now, ix: Ix, input: &mut RecvBuf<'_>) -> Option<()> {
        // It is a view of the input alone.
        let request = self.conns.get(ix)?.parser.request(input.filled())?;
        let (version, keep_alive) = (request.version, request.keep_alive);
        let head_only = request.method == Method::Head;
        let (reply, changed) = answer::answer(self, now, &request);
        let barrier = if changed { self.service.barrier() } else { 0 };
        let conn = self.conns.get_mut(ix)?;
        // What the driver is asked about lies in the request, which stays until that is answered.
        #[cfg(feature = "media")]
        let is_kept = matches!(reply, Reply::Media(_));
        #[cfg(not(feature = "media"))]
        let is_kept = false;
        if !is_kept {
            conn.parser.finish(input);
        }
        conn.reply = reply;
        conn.barrier = barrier;
        conn.version = version;
        conn.keep_alive = keep_alive;
        conn.head_only = head_only;
        conn.waiting = Waiting::Answer;
        Some(())
    }

    /// Decides on a head whose sender waits before it sends the body (RFC 9110, section 10.1.1).
    fn take_head(&mut self, ix: Ix, input: &RecvBuf<'_>) {
        let Some(conn) = self.conns.get_mut(ix) else {
            return;
        };
        let admitted = match conn.parser.head(input.filled()) {
            Some(head) => {
                let admitted =
                    answer::admit(&head, &self.config).and_then(|_| answer::admit_body(&head));
                #[cfg(feature = "hub")]
                let admitted = admitted.or_else(|problem| {
                    hub::page_instead(problem, &head, self.config.pages).map(|_| ())
                });
                admitted
            }
            None => Err(Problem::Internal),
        };
        match admitted {
            Ok(()) => conn.reply = Reply::Continue,
            Err(problem) => conn.refuse(problem),
        }
    }

    /// Whether any answer would fit; an empty output is as much as there can be.
    const fn has_room(&self, out: &Out<'_>) -> bool {
        out.is_empty() || out.room() >= self.config.answer_bytes_max()
    }

    /// Sets the deadline for what is missing; ends a connection that has missed one.
    fn need_more(
        &mut self,
        now: Now,
        ix: Ix,
        received: usize,
        bytes_min: usize,
        out: &mut Out<'_>,
    ) -> Drive {
        let config = &self.config;
        let Some(conn) = self.conns.get_mut(ix) else {
            return Drive::Close;
        };
        let waiting = match conn.parser.phase() {
            Phase::Head => Waiting::Head,
            Phase::Body => Waiting::Body,
            _ if conn.waiting == Waiting::New => Waiting::New,
            Phase::Idle | Phase::Complete | Phase::Refused => Waiting::Idle,
        };
        let between = matches!(waiting, Waiting::Idle | Waiting::New);
        if between && self.stopping {
            return Drive::Close;
        }
        let changed = waiting != conn.waiting;
        conn.waiting = waiting;
        if changed {
            conn.body_since = now.instant;
        }
        match waiting {
            Waiting::Body => {
                let pace = config.body_bytes_per_second_min.max(1);
                let earned_ms = (received as u64).saturating_mul(1_000) / pace;
                let allowed_ms = config.body_grace_ms.saturating_add(earned_ms);
                conn.deadline = conn.body_since.after_ms(allowed_ms);
            }
            Waiting::Head if changed => conn.deadline = now.instant.after_ms(config.head_ms),
            Waiting::Idle if changed => conn.deadline = now.instant.after_ms(config.idle_ms),
            Waiting::Head | Waiting::Idle | Waiting::Answer | Waiting::New => {}
            #[cfg(feature = "hub")]
            Waiting::Held => {}
        }
        let deadline = conn.deadline;
        if deadline > now.instant {
            if conn.timer.get().is_none_or(|timer| timer > deadline) {
                self.timers.set(&mut self.conns, ix, deadline);
            }
            return Drive::Input { bytes_min };
        }
        if between {
            return Drive::Close;
        }
        conn.refuse(Problem::Slow);
        self.write_reply(now, ix, out).unwrap_or(Drive::Close)
    }

    /// Lets a connection wait for the next commit.
    fn block(&mut self, ix: Ix) {
        let Some(conn) = self.conns.get_mut(ix) else {
            return;
        };
        if conn.blocked {
            return;
        }
        conn.blocked = true;
        if core::mem::take(&mut conn.ready) {
            self.ready.remove(&mut self.conns, ix);
        }
        self.blocked.push_back(&mut self.conns, ix);
    }
}
