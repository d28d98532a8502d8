//! What can go wrong, each with a sentence that helps.

use crate::tls::TlsError;
use dubhook_core::{client::ServerError, url::UrlError};
use std::{fmt, io, sync::Arc};

/// Why something was not done.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// The server's URL or the API key cannot be used.
    Server {
        /// The URL.
        url: String,
        /// What is wrong.
        error: ServerError,
    },
    /// A file of certificates cannot be used.
    Tls(Arc<TlsError>),
    /// The server could not call the webhook at this URL.
    WebhookUrl {
        /// The URL.
        url: String,
        /// What is wrong with it.
        error: UrlError,
    },
    /// The client has no webhook to register.
    NoWebhook,
    /// The client cannot listen for webhooks.
    Listen {
        /// Where it would.
        address: String,
        /// Why not.
        error: Arc<io::Error>,
    },
    /// The operating system has no randomness to give.
    Entropy(Arc<io::Error>),
    /// The server does not answer.
    NoAnswer {
        /// The server.
        server: String,
        /// What happened instead.
        why: String,
    },
    /// The server refused a request.
    Refused(Refusal),
    /// This is no id of a job.
    JobId(String),
    /// The server does not know this job, or knows it no longer.
    JobUnknown(String),
    /// As many jobs are followed as there is room for.
    Full,
    /// The request is too long.
    TooLong,
    /// The client was closed.
    Closed,
}

/// What a server says when it refuses (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The answer's status.
    pub status: u16,
    /// The stable code, for programs; empty if there was none.
    pub code: String,
    /// The sentence, for people; empty if there was none.
    pub detail: String,
    /// The member or parameter that is wrong; empty if it is none.
    pub field: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server refused with status {}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " ({})", self.code)?;
        }
        if !self.field.is_empty() || !self.detail.is_empty() {
            f.write_str(":")?;
        }
        for text in [&self.field, &self.detail] {
            if !text.is_empty() {
                write!(f, " {text}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { url, error } => write!(f, "server {url}: {}", error.as_str()),
            Self::Tls(error) => error.fmt(f),
            Self::WebhookUrl { url, error } => write!(f, "webhook {url}: {}", error.as_str()),
            Self::NoWebhook => {
                f.write_str("there is no webhook to register: set one with webhook()")
            }
            Self::Listen { address, error } if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{address} is in use: another program listens there; choose another port, or 0 for any free one"
            ),
            Self::Listen { address, error } if error.kind() == io::ErrorKind::AddrNotAvailable => {
                write!(
                    f,
                    "cannot listen on {address}: it is no address of this machine; \
                     say where to listen with webhook_listen()"
                )
            }
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Entropy(error) => write!(f, "no randomness to be had: {error}"),
            Self::NoAnswer { server, why } => {
                write!(f, "the server at {server} does not answer: {why}")
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::JobId(id) => write!(f, "{id:?} is no id of a job: those begin with job_"),
            Self::JobUnknown(id) => {
                write!(
                    f,
                    "the server does not know the job {id}, or knows it no longer"
                )
            }
            Self::Full => f.write_str(
                "as many jobs are followed as there is room for; let some go, or set capacity()",
            ),
            Self::TooLong => f.write_str("the request is too long"),
            Self::Closed => f.write_str("the client is closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { error, .. } | Self::Entropy(error) => Some(&**error),
            Self::Tls(error) => Some(&**error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_all_that_the_server_said() {
        #[track_caller]
        fn check(code: &str, field: &str, detail: &str, expect: &str) {
            let refusal = Refusal {
                status: 422,
                code: code.into(),
                detail: detail.into(),
                field: field.into(),
            };
            assert_eq!(Error::Refused(refusal).to_string(), expect);
        }
        check("", "", "", "the server refused with status 422");
        check(
            "invalid_request",
            "target_language",
            "It must be a BCP 47 language tag.",
            "the server refused with status 422 (invalid_request): \
             target_language It must be a BCP 47 language tag.",
        );
        check("", "", "No.", "the server refused with status 422: No.");
    }
}
