//! A store in a database, as the command line names it.

use super::fail::Fail;
use dubhook_smol::{
    store::postgres::{Address, Options, Postgres},
    tls::Trust,
};
use std::{convert::Infallible, env, fmt, str::FromStr, time::Duration};

/// In which schema the tables are where nothing else is said.
pub(super) const SCHEMA: &str = "dubhook";
/// The variable that the URL may stand in: there a password does not show in `ps`.
const VARIABLE: &str = "DUBHOOK_STORE";

/// The URL of a store as it was given. It may hold a password, so nothing shows it: what is wrong with it is said when it is
/// read.
#[derive(Clone)]
pub(super) struct StoreUrl(String);

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}

impl FromStr for StoreUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl StoreUrl {
    /// The one in the environment.
    pub(super) fn from_environment() -> Option<Self> {
        env::var(VARIABLE).ok().map(Self)
    }

    /// This, if it is the URL of a database.
    pub(super) fn of(text: &str) -> Option<Self> {
        let schemes = ["postgres://", "postgresql://"];
        let is_url = schemes.iter().any(|scheme| text.starts_with(scheme));
        is_url.then(|| Self(text.to_owned()))
    }

    /// Where it leads.
    fn address(&self) -> Result<Address, Fail> {
        let address = Address::parse(&self.0);
        let address =
            address.map_err(|error| Fail::Usage(format!("--store or {VARIABLE}: {error}")))?;
        if address.has_password() && env::var(VARIABLE).as_ref() != Ok(&self.0) {
            return Err(Fail::Usage(format!(
                "a password in an argument would show in `ps`: put the URL into {VARIABLE}, or the password into PGPASSWORD or \
                 the file of PGPASSFILE"
            )));
        }
        Ok(address)
    }
}

/// The store there.
pub(super) fn open(
    url: &StoreUrl,
    schema: &str,
    lease: Duration,
    trust: Trust,
) -> Result<Postgres, Fail> {
    let options = Options {
        address: url.address()?,
        schema: schema.to_owned(),
        lease,
        trust,
    };
    Postgres::new(options).map_err(|error| Fail::Usage(format!("--store: {error}")))
}
