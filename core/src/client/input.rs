//! What happens in the world: an answer, or why there is none.

use super::ExchangeId;
use crate::http::Response;

/// Something that has happened in the world.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Input<'i, 'b> {
    /// The answer to a request that came out.
    Answer {
        /// The request.
        id: ExchangeId,
        /// Its answer.
        response: &'i Response<'b>,
    },
    /// A request that came out got no answer. It will be sent again after a pause.
    Failure {
        /// The request.
        id: ExchangeId,
        /// Why.
        failure: Failure,
    },
}

/// Why something was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum HandleError {
    /// The request is not under way: it was answered, has failed, or was given up.
    Exchange,
}

impl HandleError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exchange => "no such request is under way",
        }
    }
}

impl core::fmt::Display for HandleError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for HandleError {}

/// Why a request is to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Failure {
    /// There was no connection, so the server has not seen the request.
    Unreachable,
    /// The connection broke before the answer was whole.
    Broken,
    /// The answer was not there in time.
    TimedOut,
    /// The answer made no sense.
    Unreadable,
    /// The server cannot at the moment: 408, 425, 429 or 5xx.
    Status(u16),
}

impl Failure {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "the server could not be reached",
            Self::Broken => "the connection broke before the answer was complete",
            Self::TimedOut => "the server did not answer in time",
            Self::Unreadable => "the answer makes no sense",
            Self::Status(_) => "the server cannot answer at the moment",
        }
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())?;
        match self {
            Self::Status(status) => write!(f, ": status {status}"),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for Failure {}
