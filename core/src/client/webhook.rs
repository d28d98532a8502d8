//! What comes in: a webhook is verified, known for a repeat, put in order, or refused.

use super::{Change, Client, Event, Source, Translation, Update, read_event};
use crate::{
    event::Kind,
    http::{Method, Request},
    json::{ReadError, Str},
    model::{self, Data},
    note::note,
    signature::{Headers, MessageId, SigningKey, TOLERANCE_S, VerifyError, verify},
    time::{Now, Timestamp},
};

/// What was made of a request to the client's webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// It was news.
    Taken,
    /// It was known already, or older than what is known: nothing was done.
    Repeat,
    /// It is about a job that nobody here follows.
    NotFollowed,
    /// Somebody tests the webhook.
    Test,
    /// It is good, but of a type that this version does not know.
    UnknownType,
    /// There is nothing at its path.
    NotFound,
    /// It is no POST.
    NotPost,
    /// Its signature does not prove that it comes from the server.
    Unverified(VerifyError),
    /// Its sender knows the secret, but its body is no event.
    Malformed(ReadError),
    /// The client has ended and wants nothing any more.
    Closed,
    /// Whoever it would be handed on to has no room: it was not looked at, and is to be sent again.
    Full,
}

impl Outcome {
    /// The status to answer with. 410 tells the server to send nothing again, ever.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Taken | Self::Repeat | Self::NotFollowed | Self::Test | Self::UnknownType => 204,
            Self::NotFound => 404,
            Self::NotPost => 405,
            Self::Closed => 410,
            Self::Full => 503,
            Self::Unverified(error) => WebhookError::Unverified(error).status(),
            Self::Malformed(error) => WebhookError::Malformed(error).status(),
        }
    }
}

/// What to answer to a webhook, and what it told.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Verdict<'b> {
    /// What was made of it.
    pub outcome: Outcome,
    /// What it told, if it was news.
    pub update: Option<Update<'b>>,
}

impl From<Outcome> for Verdict<'_> {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            update: None,
        }
    }
}

/// Why a request is no webhook of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WebhookError {
    /// It is no POST.
    NotPost,
    /// Its signature does not prove that it comes from the server.
    Unverified(VerifyError),
    /// Its sender knows the secret, but its body is no event.
    Malformed(ReadError),
}

impl WebhookError {
    /// The status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NotPost => 405,
            Self::Unverified(VerifyError::TooOld | VerifyError::TooNew | VerifyError::NoMatch) => {
                401
            }
            Self::Unverified(_) | Self::Malformed(_) => 400,
        }
    }

    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotPost => "the request is no POST",
            Self::Unverified(error) => error.as_str(),
            Self::Malformed(error) => error.kind.as_str(),
        }
    }
}

impl core::fmt::Display for WebhookError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for WebhookError {}

/// A webhook of the server's: verified, and read.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'b> {
    /// The same at every attempt: what a receiver remembers to do things only once.
    pub id: MessageId<'b>,
    /// What it tells, as it stands in the body; [`map`](model::Event::map) makes one of it that may be kept.
    pub event: model::Event<Str<'b>>,
}

/// Verifies a request with the keys that are live and reads its event: all that whoever only receives needs, with no client
/// and no state but the [ids](Delivery::id) of what came before.
///
/// # Errors
///
/// [`WebhookError`], which says what to answer.
pub fn read_webhook<'b, 'k>(
    request: &Request<'b>,
    keys: impl IntoIterator<Item = &'k SigningKey>,
    now: Timestamp,
) -> Result<Delivery<'b>, WebhookError> {
    if request.method != Method::Post {
        return Err(WebhookError::NotPost);
    }
    let headers = Headers::from_fields(request.fields.iter()).map_err(WebhookError::Unverified)?;
    let verified = verify(&headers, request.body, keys, now, TOLERANCE_S);
    let id = verified.map_err(WebhookError::Unverified)?.id;
    let event = read_event(request.body).map_err(WebhookError::Malformed)?;
    Ok(Delivery { id, event })
}

impl From<WebhookError> for Outcome {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::NotPost => Self::NotPost,
            WebhookError::Unverified(error) => Self::Unverified(error),
            WebhookError::Malformed(error) => Self::Malformed(error),
        }
    }
}

impl Client<'_> {
    /// Takes a request that came to the client's receiver.
    ///
    /// Hand on what it told before the answer is sent: what was not answered is sent again.
    pub fn handle_webhook<'b>(&mut self, now: Now, request: &Request<'b>) -> Verdict<'b> {
        let verdict = match self.admit(now, request) {
            Ok(event) => match event.data {
                Data::Translation(kind, job) => self.take_event(now, kind, &job),
                Data::Test(_) => Verdict {
                    outcome: Outcome::Test,
                    update: Some(Update::Test),
                },
                Data::Unknown(_) => Outcome::UnknownType.into(),
            },
            Err(outcome) => outcome.into(),
        };
        note!(debug, "webhook: {:?}", verdict.outcome);
        verdict
    }

    /// Reads the event of a request, if it is one that the server has signed.
    fn admit<'b>(&self, now: Now, request: &Request<'b>) -> Result<Event<'b>, Outcome> {
        if !self.is_webhook_path(request) {
            return Err(Outcome::NotFound);
        }
        if request.method == Method::Post && self.is_closed() {
            return Err(Outcome::Closed);
        }
        let keys = self.keys.iter().flatten();
        Ok(read_webhook(request, keys, now.timestamp)?.event)
    }

    fn is_webhook_path(&self, request: &Request<'_>) -> bool {
        let Some(webhook) = &self.config.webhook else {
            return false;
        };
        let target = webhook.url().path_and_query().as_bytes();
        let (path, query) = match target.iter().position(|byte| *byte == b'?') {
            Some(mark) => (target.get(..mark), target.get(mark.wrapping_add(1)..)),
            None => (Some(target), None),
        };
        let path = match path {
            Some([]) => Some(b"/".as_slice()),
            path => path,
        };
        path == Some(request.path.as_bytes()) && query == request.query.map(str::as_bytes)
    }

    fn take_event<'b>(&mut self, now: Now, kind: Kind, job: &Translation<'b>) -> Verdict<'b> {
        let found = if self.config.everything {
            self.jobs.watch(job.id)
        } else {
            self.jobs.find(job.id)
        };
        let Some(ix) = found else {
            self.newest.hear(now.instant, job.id, job.sequence, kind);
            // It may be the job whose acceptance is still on its way.
            self.submission.may_lag = true;
            if !self.config.everything {
                return Outcome::NotFollowed.into();
            }
            return taken(kind, job);
        };
        let is_followed = self.jobs.get(ix).is_some_and(super::Known::is_followed);
        if !self.learn(now.instant, ix, kind, job) {
            return Outcome::Repeat.into();
        }
        if !is_followed && !self.config.everything {
            return Outcome::NotFollowed.into();
        }
        taken(kind, job)
    }
}

const fn taken<'b>(kind: Kind, job: &Translation<'b>) -> Verdict<'b> {
    Verdict {
        outcome: Outcome::Taken,
        update: Some(Update::Job(Change {
            kind,
            job: *job,
            source: Source::Told,
        })),
    }
}
