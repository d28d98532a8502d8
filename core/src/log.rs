//! The newest attempts of each endpoint, for a person who asks why nothing arrives.
//!
//! Each endpoint has a ring of lines in lent memory, divided evenly. Lines are not durable: they tell
//! of this run. What the receiver answered is kept with each line as far as there is room.
//!
//! The lines are there with the feature `lists`; without it there is why an attempt failed, and no memory of it.
//!
//! ```
//! use dubhook_core::{
//!     log::AttemptError,
//!     model::Attempt,
//!     dispatch::{AttemptResult, NewEndpoint},
//!     event::Filter, json, out::Out, record::Keep, text::Source,
//!     server::{Config, Input, Output, Ready, Server, ServerStorage},
//!     service::NewJob,
//!     time::{Instant, Now, Timestamp},
//! };
//!
//! let now = Now { instant: Instant::ZERO, timestamp: Timestamp::from_unix_ms(1_795_510_800_000) };
//! let mut storage = ServerStorage::<4, 2, 1, 2>::new();
//! let mut server = Server::new(storage.lend(Keep::Nothing), Config::DEVICE, [7; 32]).unwrap();
//! let endpoint = server.create_endpoint(now, NewEndpoint::new("http://ward.test/jobs", Filter::ALL).unwrap()).unwrap();
//! let new = NewJob {
//!     video_url: Source::Plain("https://v.test/1.mp4"), target_language: Source::Plain("es"),
//!     source_language: None, reference: None, callback_url: None,
//! };
//! server.submit(now, &new).unwrap();
//!
//! // Nobody answers in time, and a person reads why nothing arrives.
//! let Output::Attempt(attempt) = server.poll(now, Ready::ATTEMPTS, &mut []).unwrap() else { panic!() };
//! let result = AttemptResult::Failed(AttemptError::Timeout);
//! server.handle(now, Input::Attempt { id: attempt.id, result }).unwrap();
//! let mut memory = [0; 512];
//! let mut out = Out::new(&mut memory);
//! assert!(server.service().write_attempt_line(endpoint, 0, &mut out));
//! let line: Attempt<&str> = json::from_slice(out.written()).unwrap();
//! assert_eq!(line.error, AttemptError::Timeout.as_str());
//! assert_eq!(AttemptError::Timeout.to_string(), "the receiver did not answer in time");
//! ```

#[cfg(feature = "lists")]
mod lines;

#[cfg(feature = "lists")]
pub(crate) use lines::Line;
#[cfg(feature = "lists")]
pub(crate) use lines::Log;

use zerocopy::FromZeros;

/// How an attempt failed without an answer, or why its answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum AttemptError {
    /// It did not fail.
    None = 0,
    /// The answer's status is not a success.
    Status,
    /// The host's name has no address, or none that callbacks may go to: which of the two must not be told.
    Resolve,
    /// The address is one that callbacks may not go to.
    Blocked,
    /// Nobody accepts connections there.
    Connect,
    /// The connection cannot be trusted: the certificate is wrong.
    Tls,
    /// The connection was closed before the receiver had proved itself.
    TlsCut,
    /// The receiver speaks no TLS that is spoken here.
    NoSuite,
    /// What came is no TLS.
    NotTls,
    /// TLS came where none was wanted.
    NeedsTls,
    /// There was no whole answer in time.
    Timeout,
    /// The connection was closed before a whole answer.
    Closed,
    /// What came is no HTTP answer.
    Malformed,
    /// The answer is larger than anyone should send.
    TooLarge,
    /// The receiver rejected it, and what came after it, and says more, could not wait for that.
    Overtaken,
}

impl AttemptError {
    /// The reason as a short sentence; `None` where there is none.
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::Status => "the receiver answered with a status that is no success",
            Self::Resolve => {
                "the host name could not be resolved, or leads where deliveries are not allowed"
            }
            Self::Blocked => "deliveries to this address are not allowed",
            Self::Connect => "the connection was refused or could not be made",
            Self::Tls => "the TLS connection could not be trusted",
            Self::TlsCut => {
                "the receiver closed the connection during the TLS handshake: is it http:// there?"
            }
            Self::NoSuite => "the receiver speaks TLS with no cipher suite in common",
            Self::NotTls => "this is not TLS: the receiver answers without it",
            Self::NeedsTls => "the receiver speaks TLS: use https://",
            Self::Timeout => "the receiver did not answer in time",
            Self::Closed => "the connection was closed before the answer was complete",
            Self::Malformed => "the answer is not valid HTTP",
            Self::TooLarge => "the answer is too large",
            Self::Overtaken => {
                "overtaken: the receiver rejected it, and what came after it says more"
            }
        })
    }
}

impl core::fmt::Display for AttemptError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str().unwrap_or("it did not fail"))
    }
}

impl core::error::Error for AttemptError {}
