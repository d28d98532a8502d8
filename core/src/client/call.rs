//! What goes out: which request is next, when, and its bytes.

use super::{Client, Failure, Registration, Update, Webhook};
use crate::{
    http::{HeadError, Method, RequestHead},
    id::{Id, Prefix},
    out::{Out, Overflow},
    time::{Instant, Now},
};

/// A request of the client to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Call {
    /// `POST /v1/webhooks`: be told.
    Register,
    /// `DELETE /v1/webhooks/{id}`: be told no longer.
    Unregister(Id),
    /// `GET /v1/webhooks/{id}`: does the server still know the registration?
    Check(Id),
    /// `GET /status`: how is the newest job?
    Status,
    /// `POST /v1/translations`: translate.
    Translate,
    /// `GET /v1/translations/{id}`: how is this job?
    Job(Id),
    /// `POST /v1/translations/{id}/cancel`: call this job off.
    Cancel(Id),
    /// `GET /v1/translations`: which jobs are there?
    List,
}

impl Call {
    /// Its method, which the parser of its answer must know.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Register | Self::Translate | Self::Cancel(_) => Method::Post,
            Self::Unregister(_) => Method::Delete,
            Self::Check(_) | Self::Status | Self::Job(_) | Self::List => Method::Get,
        }
    }
}

/// Which exchange an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ExchangeId(u32);

/// A request that was written and waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "the request must be sent, and its answer or failure handed back"]
pub struct Exchange {
    /// To hand back with the answer.
    pub id: ExchangeId,
    /// What it asks.
    pub call: Call,
    /// When its whole answer must be there.
    pub deadline: Instant,
}

/// When something is to be done, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// Why.
    pub reason: Reason,
}

/// Why there is a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reason {
    /// The answer to the request under way is overdue then.
    Answer,
    /// The pause after a failure is over.
    Retry,
    /// A request is to be sent.
    Send,
    /// A followed job was silent for long enough.
    Ask,
}

/// How patient to be after failures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    /// In a row.
    pub(super) failures: u8,
    pub(super) not_before: Instant,
    /// The server asked for the pause, so no command cuts it short.
    pub(super) asked_for: bool,
}

impl Retry {
    pub(super) const NONE: Self = Self {
        failures: 0,
        not_before: Instant::ZERO,
        asked_for: false,
    };
}

/// The next thing to do.
#[allow(
    clippy::large_enum_variant,
    reason = "there is no heap to put the larger one in, and it is taken apart at once"
)]
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "it comes out once"]
pub enum Output {
    /// Send the request that is in the output, and hand back its [answer](super::Input::Answer) or its
    /// [failure](super::Input::Failure).
    Send(Exchange),
    /// The answer to this request is overdue, and is given up: close the connection.
    Abandon {
        /// The request.
        exchange: Exchange,
        /// That it will be sent again, and when.
        update: Update<'static>,
    },
    /// Nothing, until something comes or it is this time.
    Sleep(Option<Deadline>),
    /// The client has ended.
    Closed,
}

/// Why nothing came out. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PollError {
    /// The driver: the output is shorter than the request. [`request_bytes_max`](Client::request_bytes_max) is enough for any.
    ShortOutput,
}

impl PollError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShortOutput => "the output is shorter than the request",
        }
    }
}

impl core::fmt::Display for PollError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for PollError {}

impl From<Overflow> for PollError {
    fn from(_: Overflow) -> Self {
        Self::ShortOutput
    }
}

/// Jobs whose time to be asked about has come that are listed in one call at most.
const STEP: usize = 64;
/// Room for the longest target: that of a list from a cursor on.
const TARGET_BYTES: usize = 128;
/// Room for `Bearer ` and the longest key.
const AUTHORIZATION_BYTES: usize = super::API_KEY_BYTES_MAX + 7;
/// The most bytes that a head has beside what its server, its key and its list are: the longest path and the names and values
/// of all fields.
const HEAD_BYTES: usize = TARGET_BYTES + 272;

impl Client<'_> {
    /// The next thing to do, after doing what is due. Ask until it is [`Output::Sleep`]. A request comes out in `out`, head and
    /// body, behind what is there already.
    ///
    /// There is one exchange at a time: the next request comes once this one was answered, has failed, or was given up.
    ///
    /// # Errors
    ///
    /// [`PollError`], and nothing has changed.
    pub fn poll(&mut self, now: Now, out: &mut Out<'_>) -> Result<Output, PollError> {
        self.clock.check(now);
        self.jobs.handle_timeout(now.instant, STEP);
        if let Some(exchange) = self.in_flight.take_if(|it| it.deadline <= now.instant) {
            return Ok(Output::Abandon {
                exchange,
                update: self.fail(now, exchange.call, Failure::TimedOut, None),
            });
        }
        if self.is_closed() {
            return Ok(Output::Closed);
        }
        let mut ready = self.agenda().into_iter().flatten();
        let call = ready.find(|(at, _)| *at <= now.instant);
        let call =
            call.filter(|_| self.in_flight.is_none() && self.retry.not_before <= now.instant);
        let Some((_, call)) = call else {
            return Ok(Output::Sleep(self.deadline()));
        };
        self.write_call(call, out)?;
        match call {
            Call::Status => self.newest.asked(),
            Call::Job(_) => self.jobs.pop_due(),
            _ => {}
        }
        self.serial = self.serial.wrapping_add(1);
        let exchange = Exchange {
            id: ExchangeId(self.serial),
            call,
            deadline: now.instant.after_ms(self.config.timings.answer_ms.into()),
        };
        self.in_flight = Some(exchange);
        Ok(Output::Send(exchange))
    }

    /// When [`poll`](Self::poll) has something to do next, if nothing comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        if let Some(exchange) = &self.in_flight {
            return Some(Deadline {
                at: exchange.deadline,
                reason: Reason::Answer,
            });
        }
        let calls = self.agenda().into_iter().flatten();
        let send = calls.map(|(at, _)| at).min();
        let send = send.map(|at| match self.retry.not_before {
            not_before if not_before > at => Deadline {
                at: not_before,
                reason: Reason::Retry,
            },
            _ => Deadline {
                at,
                reason: Reason::Send,
            },
        });
        let ask = match self.closing {
            Some(_) => None,
            None => self.jobs.poll_timeout(),
        };
        let ask = ask.map(|at| Deadline {
            at,
            reason: Reason::Ask,
        });
        [send, ask].into_iter().flatten().min_by_key(|d| d.at)
    }

    /// The most bytes that a request of this client has.
    #[must_use]
    pub fn request_bytes_max(&self) -> usize {
        let server = &self.config.server;
        let head = HEAD_BYTES + server.authority().len() + server.key().map_or(0, str::len);
        let body = self
            .config
            .webhook
            .as_ref()
            .map_or(0, Webhook::json_bytes_max);
        head.saturating_add(body.max(self.submission.text_bytes_max()))
    }

    /// The exchange that waits for its answer.
    #[must_use]
    pub const fn in_flight(&self) -> Option<&Exchange> {
        self.in_flight.as_ref()
    }

    /// What is to be asked and from when on, the more urgent first.
    fn agenda(&self) -> [Option<(Instant, Call)>; 5] {
        let at_once = |call| Some((Instant::ZERO, call));
        let registration = match self.registration {
            Registration::Wanted => Some((self.unregistrable.1, Call::Register)),
            Registration::Held { endpoint, check_at } => Some((check_at, Call::Check(endpoint))),
            Registration::Replacing(endpoint) | Registration::Leaving(endpoint) => {
                at_once(Call::Unregister(endpoint))
            }
            Registration::Off | Registration::Refused => None,
        };
        if self.closing.is_some() {
            return [registration, None, None, None, None];
        }
        [
            registration,
            self.canceling.and_then(|id| at_once(Call::Cancel(id))),
            self.submission.call().and_then(at_once),
            self.newest.wanted().map(|at| (at, Call::Status)),
            self.jobs
                .next_due()
                .map(|id| (Instant::ZERO, Call::Job(id))),
        ]
    }

    fn write_call(&self, call: Call, out: &mut Out<'_>) -> Result<(), Overflow> {
        let start = out.len();
        // Written once for its length, which stands before it, and once to stay.
        self.write_body(call, out);
        let has_body = out.len() > start || out.is_full();
        let body_bytes = out.len().saturating_sub(start);
        let fits = !out.is_full();
        out.rewind(start);
        if !fits {
            return Err(Overflow);
        }
        let written = self.write_head(call, has_body.then_some(body_bytes), out);
        self.write_body(call, out);
        if written.is_err() || out.is_full() {
            out.rewind(start);
            return Err(Overflow);
        }
        Ok(())
    }

    fn write_head(
        &self,
        call: Call,
        body_bytes: Option<usize>,
        out: &mut Out<'_>,
    ) -> Result<(), HeadError> {
        let mut memory = [0; TARGET_BYTES];
        let mut target = Out::new(&mut memory);
        self.write_target(call, &mut target);
        let target = core::str::from_utf8(target.written()).unwrap_or_default();

        let server = &self.config.server;
        let mut head = RequestHead::new(out, call.method(), target, server.authority())
            .field("user-agent", USER_AGENT)
            .field("accept", b"application/json");
        if let Some(key) = server.key() {
            let mut memory = [0; AUTHORIZATION_BYTES];
            let mut value = Out::new(&mut memory);
            value.put(b"Bearer ");
            value.put(key.as_bytes());
            head = head.field("authorization", value.written());
        }
        if call == Call::Translate {
            head = head.field("idempotency-key", &self.submission.key());
        }
        match body_bytes {
            Some(bytes) => head
                .field("content-type", b"application/json")
                .finish_with_length(bytes),
            None => head.finish(),
        }
    }

    fn write_body(&self, call: Call, out: &mut Out<'_>) {
        match call {
            Call::Register => self.write_registration(out),
            Call::Translate => out.put(self.submission.text()),
            _ => {}
        }
    }

    fn write_registration(&self, out: &mut Out<'_>) {
        if let Some(webhook) = &self.config.webhook {
            webhook.write_json(&self.secret, out);
        }
    }

    fn write_target(&self, call: Call, out: &mut Out<'_>) {
        match call {
            Call::Register => out.put(b"/v1/webhooks"),
            Call::Unregister(id) | Call::Check(id) => {
                out.put(b"/v1/webhooks/");
                id.write(Prefix::Endpoint, out);
            }
            Call::Status => out.put(b"/status"),
            Call::Translate => out.put(b"/v1/translations"),
            Call::List => {
                out.put(b"/v1/translations");
                out.put(self.submission.text());
            }
            Call::Job(id) | Call::Cancel(id) => {
                out.put(b"/v1/translations/");
                id.write(Prefix::Job, out);
                if let Call::Cancel(_) = call {
                    out.put(b"/cancel");
                }
            }
        }
    }
}

const USER_AGENT: &[u8] = concat!("dubhook/", env!("CARGO_PKG_VERSION")).as_bytes();
