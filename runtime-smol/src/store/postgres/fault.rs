//! What goes wrong between a server and its database.

use std::{error::Error, fmt, io};

/// What went wrong. None of it shows a password, or anything that a record holds.
#[derive(Debug)]
pub(super) enum Fault {
    /// No connection could be made.
    Unreachable { host: String, error: io::Error },
    /// The database did not prove who it is.
    Tls { host: String, error: io::Error },
    /// The database speaks no TLS, and it was asked for.
    NoTls { host: String },
    /// The connection broke.
    Broken(io::Error),
    /// Nothing was answered in time.
    Silent,
    /// The database refused, with a code (SQLSTATE) and a sentence of its own.
    Refused { code: String, message: String },
    /// The database wants a password, and there is none.
    NoPassword { host: String },
    /// The database wants to be spoken to in a way that is not known here.
    Unknown(&'static str),
    /// Each of the hosts has its own reason.
    Several(Vec<Fault>),
    /// None of the hosts takes writes.
    ReadOnly,
    /// A pooler gives sessions away between transactions.
    Pooled,
    /// It was done, but somebody has ended the wait for a standby, so a failover can take it back.
    Unconfirmed,
}

impl Fault {
    /// The database's code, where it has refused.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            _ => "",
        }
    }

    /// Whether somebody may have changed what has worked before, and change it back. Where a table is gone, or is another one, only
    /// a new look at all of them can say what that means.
    pub(super) fn is_mendable(&self) -> bool {
        ![NO_TABLE, NO_COLUMN].contains(&self.code())
    }

    /// Whether it would be the same the next time. Everything else may be over in a moment, and then nobody knows what
    /// became of what was asked.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Broken(_)
            | Self::Silent
            | Self::ReadOnly
            | Self::Unconfirmed => false,
            Self::Tls { .. }
            | Self::NoTls { .. }
            | Self::NoPassword { .. }
            | Self::Unknown(_)
            | Self::Pooled => true,
            // One that may answer later may be the one that is wanted.
            Self::Several(faults) => faults.iter().all(Self::is_lasting),
            // What the classes are: connection, transaction rolled back, resources, not in the right state (a lock that
            // was waited for too long among them), an operator's doing, the system's, and its own.
            Self::Refused { code, .. } => {
                let passing = ["08", "40", "53", "55", "57", "58", "XX"];
                let class = code.get(..2).unwrap_or_default();
                !passing.contains(&class) && code != READ_ONLY
            }
        }
    }
}

/// There is no room on its disk.
const DISK_FULL: &str = "53100";
/// It has as many connections as it takes.
const CONNECTIONS: &str = "53300";
/// It takes no writes: it is a standby, or has become one.
const READ_ONLY: &str = "25006";
/// A lock was waited for too long.
pub(super) const LOCKED: &str = "55P03";
/// There is no such table, or no such column in it.
pub(super) const NO_TABLE: &str = "42P01";
pub(super) const NO_COLUMN: &str = "42703";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { host, error } => write!(f, "{host} does not answer: {error}"),
            Self::Tls { host, error } => write!(
                f,
                "{host} did not prove who it is: {error}. `sslrootcert=FILE` in the URL, or --ca FILE, names whom to believe"
            ),
            Self::NoTls { host } => write!(
                f,
                "{host} speaks no TLS. Let it, or say sslmode=disable in the URL if nobody else can listen"
            ),
            Self::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("the connection to the database was closed")
            }
            Self::Broken(error) => write!(f, "the connection to the database broke: {error}"),
            Self::Silent => f.write_str("the database does not answer in time"),
            Self::Refused { code, message } => {
                write!(f, "the database says: {message} ({code})")?;
                match code.as_str() {
                    DISK_FULL => f.write_str(
                        ". Its disk is full: make room there, and what waits is written without a restart",
                    ),
                    CONNECTIONS => f.write_str(
                        ". Each server that serves needs three connections: raise max_connections, or the role's limit",
                    ),
                    _ => Ok(()),
                }
            }
            Self::NoPassword { host } => write!(
                f,
                "{host} wants a password: PGPASSWORD, PGPASSFILE, or the URL in DUBHOOK_STORE may have it"
            ),
            Self::Unknown(what) => write!(f, "the database wants {what}, which is not known here"),
            Self::Several(faults) => {
                for (place, fault) in faults.iter().enumerate() {
                    let and = if place == 0 { "" } else { "; and " };
                    write!(f, "{and}{fault}")?;
                }
                Ok(())
            }
            Self::ReadOnly => f.write_str(
                "no host of the URL takes writes: each is a standby, or default_transaction_read_only is set",
            ),
            Self::Pooled => f.write_str(
                "a pooler before the database gives a session to one connection after the other, and what one has set there \
                 another one finds: let it pool by session (pool_mode = session), or name the database itself",
            ),
            Self::Unconfirmed => f.write_str(
                "somebody has ended the wait for a standby of the database, which may not have what was written",
            ),
        }
    }
}

impl Error for Fault {}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Silent,
            _ => Self::Broken(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_can_do_is_said() {
        for (code, said) in [
            (DISK_FULL, "make room"),
            (CONNECTIONS, "raise max_connections"),
        ] {
            let fault = Fault::Refused {
                code: code.to_owned(),
                message: "it is so".to_owned(),
            };
            let text = fault.to_string();
            assert!(text.contains("it is so") && text.contains(said), "{text}");
            // It may be over in a moment.
            assert!(!fault.is_lasting());
        }
    }
}
