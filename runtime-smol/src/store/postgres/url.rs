//! Where a database is: `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?sslmode=…`.
//!
//! What is wrong with a URL is said without showing any of it: where a password holds a character that should have been
//! written as `%XX`, any part of the URL may be part of the password.

use super::percent::{self, NotText};
use crate::hidden::Hidden;
use std::{error::Error, fmt, net::IpAddr, path::PathBuf};

/// The port that PostgreSQL listens on where nothing else is said.
const PORT: u16 = 5432;
/// The longest name of a role or a database that PostgreSQL takes, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// Where a database is, and who asks.
#[derive(Debug, Clone)]
pub struct Address {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) password: Option<Hidden<String>>,
    /// How connections are protected; by the place of each host where it is not said.
    pub(super) ssl: Option<Ssl>,
    /// Which certificates to believe, as a file.
    pub(super) roots: Option<PathBuf>,
}

/// One place where the database may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A name or an address, and a port.
    Tcp(String, u16),
    /// The folder of a socket, and the port that names it.
    Unix(PathBuf, u16),
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ssl {
    /// Not at all.
    Disable,
    /// So that nobody can listen; who it is that answers is not asked.
    Require,
    /// As a browser does: the certificate leads to a root and is for this name.
    VerifyFull,
}

impl Host {
    /// How a connection to it is protected, where the URL does not say.
    pub(super) fn usual_ssl(&self) -> Ssl {
        match self {
            Self::Unix(..) => Ssl::Disable,
            Self::Tcp(name, _) if name == "localhost" => Ssl::Disable,
            Self::Tcp(name, _) => match name.parse::<IpAddr>() {
                Ok(address) if address.is_loopback() => Ssl::Disable,
                _ => Ssl::VerifyFull,
            },
        }
    }

    /// Its name and its port, as a file of passwords has them.
    pub(super) fn names(&self) -> (String, u16) {
        match self {
            Self::Tcp(name, port) => (name.clone(), *port),
            Self::Unix(folder, port) => (folder.display().to_string(), *port),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(name, port) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp(name, port) => write!(f, "{name}:{port}"),
            Self::Unix(folder, port) => write!(f, "{}/.s.PGSQL.{port}", folder.display()),
        }
    }
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// [`UrlError`]; it shows nothing of the URL.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or(UrlError::Scheme)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').ok_or(UrlError::User)?;
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user, Some(percent::decode(password)?)),
            None => (user, None),
        };
        let user = name(user, UrlError::User)?;
        let database = match database {
            "" => user.clone(),
            database => name(database, UrlError::Database)?,
        };
        let hosts = hosts.split(',').map(host).collect::<Result<_, _>>()?;
        let mut address = Self {
            hosts,
            user,
            database,
            password: password.map(Hidden),
            ssl: None,
            roots: None,
        };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            address.take(parameter)?;
        }
        Ok(address)
    }

    /// Whether the URL had a password in it.
    #[must_use]
    pub const fn has_password(&self) -> bool {
        self.password.is_some()
    }

    fn take(&mut self, parameter: &str) -> Result<(), UrlError> {
        let (name, value) = parameter.split_once('=').ok_or(UrlError::Parameter)?;
        let value = percent::decode(value)?;
        match name {
            "sslmode" => {
                self.ssl = Some(match value.as_str() {
                    "disable" => Ssl::Disable,
                    "require" => Ssl::Require,
                    "verify-full" => Ssl::VerifyFull,
                    _ => return Err(UrlError::SslMode),
                });
            }
            "sslrootcert" => self.roots = Some(value.into()),
            _ => return Err(UrlError::Parameter),
        }
        Ok(())
    }
}

impl fmt::Display for Address {
    /// The URL without its password and its parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.user)?;
        for (place, host) in self.hosts.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{host}")?;
        }
        write!(f, "/{}", self.database)
    }
}

fn name(text: &str, wrong: UrlError) -> Result<String, UrlError> {
    let name = percent::decode(text)?;
    match name.len() {
        1..=NAME_BYTES_MAX => Ok(name),
        _ => Err(wrong),
    }
}

fn host(text: &str) -> Result<Host, UrlError> {
    let (name, port) = if let Some(rest) = text.strip_prefix('[') {
        let (name, port) = rest.split_once(']').ok_or(UrlError::Host)?;
        (name, port.strip_prefix(':').unwrap_or(port))
    } else {
        text.split_once(':').unwrap_or((text, ""))
    };
    let port = match port {
        "" => PORT,
        port => port.parse().map_err(|_| UrlError::Port)?,
    };
    match percent::decode(name)? {
        name if name.is_empty() => Err(UrlError::Host),
        name if name.starts_with('/') => Ok(Host::Unix(name.into(), port)),
        name => Ok(Host::Tcp(name, port)),
    }
}

/// What is wrong with the URL of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlError {
    /// It does not begin with `postgres://`.
    Scheme,
    /// It does not say who asks.
    User,
    /// There is a host without a name.
    Host,
    /// A port is no number.
    Port,
    /// The name of the database is too long.
    Database,
    /// `%` is not followed by two digits, or what is written so is no text.
    Percent,
    /// There is a parameter that is not known.
    Parameter,
    /// `sslmode` is none that is known.
    SslMode,
}

impl From<NotText> for UrlError {
    fn from(_: NotText) -> Self {
        Self::Percent
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => {
                "a store is written postgres://USER@HOST:PORT/DATABASE, with more hosts after commas"
            }
            Self::User => "the URL must say who asks: postgres://USER@HOST/DATABASE",
            Self::Host => "there is a host without a name in the URL",
            Self::Port => {
                "a port in the URL is no number; if the password holds a character like / or @, write that as %2F or %40"
            }
            Self::Database => "the name of the database is longer than 63 bytes",
            Self::Percent => {
                "a % in the URL must be followed by two digits, and what is written so must be text; % itself is %25"
            }
            Self::Parameter => "the URL can have the parameters sslmode and sslrootcert",
            Self::SslMode => {
                "sslmode is disable, require or verify-full; the others would go on in clear text without a word"
            }
        })
    }
}

impl Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        match Address::parse(url) {
            Ok(address) => format!("{address} {:?}", address.ssl),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn urls_say_where_and_who() {
        let cases = [
            ("postgres://u@h", "postgres://u@h:5432/u None"),
            (
                "postgresql://u@a:1,[::1]:2,c/d?sslmode=require",
                "postgres://u@a:1,[::1]:2,c:5432/d Some(Require)",
            ),
            (
                "postgres://u@%2Frun%2Fpg:6/d",
                "postgres://u@/run/pg/.s.PGSQL.6/d None",
            ),
            ("postgres://u%40x:p@h/d", "postgres://u@x@h:5432/d None"),
            ("mysql://u@h/d", "Scheme"),
            ("postgres://h/d", "User"),
            ("postgres://@h/d", "User"),
            ("postgres://u@/d", "Host"),
            ("postgres://u@h,/d", "Host"),
            ("postgres://u@h:x/d", "Port"),
            ("postgres://u:secret/more@h/d", "User"),
            ("postgres://u:a%2@h/d", "Percent"),
            ("postgres://u@h/d?sslmode=prefer", "SslMode"),
            ("postgres://u@h/d?options=-c", "Parameter"),
        ];
        for (url, expected) in cases {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn nothing_shows_a_password() {
        let address = Address::parse("postgres://u:s%2Fcret@h/d").unwrap();
        let password = address.password.as_ref().map(|hidden| hidden.0.as_str());
        assert_eq!(password, Some("s/cret"));
        for shown in [format!("{address}"), format!("{address:?}")] {
            assert!(!shown.contains("cret"), "{shown}");
        }
    }

    #[test]
    fn off_this_machine_the_certificate_is_asked_for() {
        let ssl = |url: &str| Address::parse(url).unwrap().hosts[0].usual_ssl();
        assert_eq!(ssl("postgres://u@db.example.com/d"), Ssl::VerifyFull);
        assert_eq!(ssl("postgres://u@10.0.0.7/d"), Ssl::VerifyFull);
        for here in ["localhost", "127.0.0.1", "[::1]:5", "%2Frun%2Fpostgresql"] {
            assert_eq!(ssl(&format!("postgres://u@{here}/d")), Ssl::Disable);
        }
    }
}
