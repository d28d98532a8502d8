//! Who may use the API.

use crate::{http::Request, sha256::Sha256};
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

/// Whether a request carries one of `keys` as a bearer token (RFC 6750, section 2.1), or none is needed.
///
/// Each key is compared in constant time, and all of them are, whichever fits.
pub(super) fn is_allowed(request: &Request<'_>, keys: &[ApiKey]) -> bool {
    if keys.is_empty() {
        return true;
    }
    let Ok(Some(value)) = request.fields.get_unique("authorization") else {
        return false;
    };
    let Some((scheme, token)) = value.split_at_checked(7) else {
        return false;
    };
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return false;
    }
    let given = Sha256::digest(token.trim_ascii());
    let fits = keys.iter().fold(subtle::Choice::from(0), |fits, key| {
        fits | key.0.ct_eq(&given)
    });
    fits.into()
}
