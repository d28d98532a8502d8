//! Who may use the API.
//!
//! Without keys whoever reaches the port may. A browser on this machine does, and it sends what any web page tells it to,
//! though it shows the page no answer. So what changes something is not taken from pages of another origin: a browser
//! says in each request whose page it comes from (Fetch Metadata Request Headers, section 2.3; RFC 6454, section 7), and
//! a program that is no browser says nothing of the kind.

use crate::{api::Problem, http::Request, sha256::Sha256};
use subtle::ConstantTimeEq;

/// An API key, as a hash: the key itself is nowhere to be logged or leaked from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ApiKey([u8; 32]);

impl core::fmt::Debug for ApiKey {
    /// Says nothing, not even the hash.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ApiKey")
    }
}

impl ApiKey {
    /// The key that this text is.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()))
    }
}

/// Lets a request pass that carries one of `keys` as a bearer token (RFC 6750, section 2.1), or any where none is needed.
///
/// Each key is compared in constant time, and all of them are, whichever fits.
///
/// # Errors
///
/// [`Problem::WrongKey`] for a key that is none of them or one of several, [`Problem::Unauthorized`] where there is none.
pub(super) fn check_key(request: &Request<'_>, keys: &[ApiKey]) -> Result<(), Problem> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut given = request.fields.all("authorization");
    let token = given
        .next()
        .and_then(bearer_token)
        .ok_or(Problem::Unauthorized)?;
    let digest = Sha256::digest(token);
    let fits = keys.iter().fold(subtle::Choice::from(0), |fits, key| {
        fits | key.0.ct_eq(&digest)
    });
    if given.next().is_none() && fits.into() {
        Ok(())
    } else {
        Err(Problem::WrongKey)
    }
}

/// What stands behind `Bearer`, if anything does.
fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Whether a request is the delivery of a webhook, which nobody sends to this API but a server that was told to call it.
pub(super) fn is_webhook(request: &Request<'_>) -> bool {
    let has = |name| request.fields.get(name).is_some();
    has("webhook-id") && has("webhook-signature")
}

/// Whether a page of another origin than this server's is behind a request.
pub(super) fn is_cross_origin(request: &Request<'_>) -> bool {
    match request.fields.get_unique("sec-fetch-site") {
        // Asked first: a proxy that gives a request another host does not change it.
        Ok(Some(site)) => site != b"same-origin" && site != b"none",
        Ok(None) => match request.fields.get_unique("origin") {
            Ok(Some(origin)) => !is_at(origin, request.host),
            Ok(None) => false,
            Err(_) => true,
        },
        Err(_) => true,
    }
}

/// Whether `origin` is that of a page from `host`. Both leave out the port where it is the scheme's own.
fn is_at(origin: &[u8], host: &[u8]) -> bool {
    let own = origin
        .strip_prefix(b"http://")
        .or_else(|| origin.strip_prefix(b"https://"));
    own.is_some_and(|own| own.eq_ignore_ascii_case(host))
}
