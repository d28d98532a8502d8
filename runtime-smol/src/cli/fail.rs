//! What can go wrong on the command line, and the exit code for it.

use super::show::{self, Paint};
use dubhook_smol::client::Error;
use std::{error, fmt, io, process::ExitCode};

/// Why a command was not done.
#[derive(Debug)]
pub(super) enum Fail {
    /// It was not done, for this reason.
    NotDone(String),
    /// It cannot be done: something about how it was asked is wrong.
    Usage(String),
    /// The server does not answer.
    Unreachable {
        /// Which server.
        server: String,
        /// What happened.
        error: io::Error,
    },
    /// The server does not answer; the sentence says which, and why.
    NoAnswer(String),
    /// It took longer than it was allowed to.
    OutOfTime(String),
    /// Whoever reads the output has enough of it.
    Unheard,
}

impl Fail {
    /// Says it on standard error; the exit code.
    pub(super) fn tell(&self) -> ExitCode {
        if !matches!(self, Self::Unheard) {
            show::say(&format!("{} {self}", Paint::stderr().red("error:")));
        }
        ExitCode::from(self.exit_code())
    }

    /// The exit code for it; the graver, the greater.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Unheard => 0,
            Self::NotDone(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } | Self::NoAnswer(_) => 3,
            Self::OutOfTime(_) => 4,
        }
    }

    /// The same, said of one thing of several.
    pub(super) fn about(self, what: &str) -> Self {
        let said = |why: String| format!("{what}: {why}");
        match self {
            Self::NotDone(why) => Self::NotDone(said(why)),
            Self::Usage(why) => Self::Usage(said(why)),
            Self::NoAnswer(why) => Self::NoAnswer(said(why)),
            Self::OutOfTime(why) => Self::OutOfTime(said(why)),
            Self::Unreachable { .. } | Self::Unheard => self,
        }
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDone(why) | Self::Usage(why) | Self::NoAnswer(why) | Self::OutOfTime(why) => {
                f.write_str(why)
            }
            Self::Unreachable { server, error } => {
                write!(
                    f,
                    "{server} does not answer: {error}.\n       \
                     Is `dubhook serve` running there? --server URL or DUBHOOK_SERVER names another server."
                )
            }
            Self::Unheard => Ok(()),
        }
    }
}

impl error::Error for Fail {}

impl From<io::Error> for Fail {
    /// For standard output, which is all that is written to without looking.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unheard,
            _ => Self::NotDone(error.to_string()),
        }
    }
}

impl From<Error> for Fail {
    /// What went wrong in the client, as the command line says it.
    fn from(error: Error) -> Self {
        match &error {
            Error::NoAnswer { .. } => Self::NoAnswer(error.to_string()),
            Error::Refused(refusal) if matches!(refusal.status, 400 | 422) => {
                let field = &refusal.field;
                match field.as_str() {
                    "" => Self::Usage(refusal.detail.clone()),
                    _ => Self::Usage(format!("{field}: {}", refusal.detail)),
                }
            }
            Error::Server { .. }
            | Error::Tls { .. }
            | Error::WebhookUrl { .. }
            | Error::JobId(_) => Self::Usage(error.to_string()),
            _ => Self::NotDone(error.to_string()),
        }
    }
}
