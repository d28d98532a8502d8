//! What goes over the wire for an attempt: where to, and the whole request, signed after Standard Webhooks.

use super::{Dispatcher, Event, Subjects};
use crate::{
    delivery::{Attempt, AttemptId},
    endpoint,
    id::Prefix,
    out::Out,
    signature::{self, MessageId, Secret},
    slab::Link,
    time::Now,
    url::Url,
};

/// Why the request of an attempt, or its URL, was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RequestError {
    /// The driver: no such attempt is in flight. It was told of before.
    Unknown,
    /// The delivery is no longer owed: send nothing, and tell that the attempt has failed.
    NotOwed,
    /// The driver: the lent memory is too short.
    ShortMemory,
    /// Whoever writes bodies: that of the event is longer than the machine's room for one, at every attempt.
    LongBody,
}

impl RequestError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "no such attempt is in flight",
            Self::NotOwed => "the delivery is no longer owed",
            Self::ShortMemory => "the lent memory is too short for the request",
            Self::LongBody => "the event's body is longer than the room for one",
        }
    }
}

impl core::fmt::Display for RequestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for RequestError {}

impl<E: Event> Dispatcher<'_, E> {
    /// An attempt in flight whose delivery is owed.
    fn attempt(&self, id: AttemptId) -> Result<Attempt<E>, RequestError> {
        let attempt = self.outbox.attempt(id).ok_or(RequestError::Unknown)?;
        attempt.ok_or(RequestError::NotOwed)
    }

    /// The URL that an attempt goes to, copied into `memory`, for which [`url_bytes_max`](super::Limits::url_bytes_max) is
    /// enough.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why there is none.
    pub fn attempt_url<'m>(
        &self,
        id: AttemptId,
        subjects: &impl Subjects<E>,
        memory: &'m mut [u8],
    ) -> Result<Url<'m>, RequestError> {
        let attempt = self.attempt(id)?;
        let mut out = Out::new(memory);
        let written = self.write_url(&attempt, subjects, &mut out);
        written.ok_or(RequestError::NotOwed)?;
        let len = out.finish().map_err(|_| RequestError::ShortMemory)?;
        let text = memory.get(..len).map(core::str::from_utf8);
        // It was checked when it came in.
        let url = text.and_then(|text| Url::parse(text.ok()?, usize::MAX).ok());
        url.ok_or(RequestError::NotOwed)
    }

    fn write_url(
        &self,
        attempt: &Attempt<E>,
        subjects: &impl Subjects<E>,
        out: &mut Out<'_>,
    ) -> Option<()> {
        if attempt.callback {
            for piece in subjects.callback_url(attempt.subject?, &self.text)? {
                out.put(piece);
            }
        } else {
            let endpoint = self.endpoints.get(attempt.lane)?;
            self.text.write(&endpoint.text, endpoint::field::URL, out);
        }
        Some(())
    }

    /// Writes the whole request of an attempt, signed for `now`, to the server that `url` names. To be called when the
    /// connection is there: a receiver compares the time of a signature with its own.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why it was not written.
    pub fn write_attempt(
        &mut self,
        now: Now,
        id: AttemptId,
        url: &Url<'_>,
        subjects: &impl Subjects<E>,
        memory: &mut [u8],
    ) -> Result<usize, RequestError> {
        let attempt = &self.attempt(id)?;
        let (subject, lane) = (attempt.subject, attempt.lane);
        let id = self.event_id(subject, lane, &attempt.event, subjects);
        let id = id.ok_or(RequestError::NotOwed)?;
        if self.rendered.0 != id {
            let len = self.render(attempt, subjects);
            self.rendered = (id, len.ok_or(RequestError::LongBody)?);
        }
        let body = self.scratch.get(..self.rendered.1).unwrap_or_default();
        let id = id.text(Prefix::Event);
        let message = MessageId::new(id.as_bytes()).ok_or(RequestError::NotOwed)?;
        let seconds = now.timestamp.as_unix_seconds();

        let mut out = Out::new(memory);
        out.put(b"POST ");
        url.write_target(&mut out);
        out.put(b" HTTP/1.1\r\nhost: ");
        url.write_host(&mut out);
        let fixed = concat!(
            "\r\nuser-agent: dubhook/",
            env!("CARGO_PKG_VERSION"),
            "\r\ncontent-type: application/json\r\nwebhook-id: "
        );
        out.put(fixed.as_bytes());
        out.put(id.as_bytes());
        out.put(b"\r\nwebhook-timestamp: ");
        out.put_u64(seconds);
        out.put(b"\r\nwebhook-signature: ");
        if attempt.callback {
            let secret = self.callback_secret(subject, subjects);
            let secret = secret.ok_or(RequestError::NotOwed)?;
            let signature = secret.signing_key().sign(message, seconds, body);
            signature.write(&mut out);
        } else {
            let at = self.ran(now.instant);
            let endpoint = self.endpoints.get(lane);
            let endpoint = endpoint.ok_or(RequestError::NotOwed)?;
            let signatures = endpoint
                .live_keys(at)
                .map(|key| key.sign(message, seconds, body));
            signature::write_header(&mut out, signatures);
        }
        out.put(b"\r\ncontent-length: ");
        out.put_u64(body.len() as u64);
        out.put(b"\r\n\r\n");
        out.put(body);
        out.finish().map_err(|_| RequestError::ShortMemory)
    }

    /// The secret that a subject's callback is signed with: made from the subject's id, so that it need not be kept, and to
    /// be known only to whoever asked for that callback.
    #[must_use]
    pub fn callback_secret(&self, subject: Link, subjects: &impl Subjects<E>) -> Option<Secret> {
        let id = subjects.id(subject?)?;
        Some(
            self.master_key
                .derive([b"callback secret", &id.to_bits().to_be_bytes()]),
        )
    }

    /// Renders the body of an attempt into the scratch memory.
    fn render(&mut self, attempt: &Attempt<E>, subjects: &impl Subjects<E>) -> Option<usize> {
        let mut out = Out::new(self.scratch);
        match attempt.subject {
            Some(subject) => {
                subjects.write_body(subject, &attempt.event, &self.text, &mut out);
            }
            None => {
                if let Some(endpoint) = self.endpoints.get(attempt.lane) {
                    subjects.write_test(endpoint.id, &attempt.event, &mut out);
                }
            }
        }
        out.finish().ok()
    }
}
