//! Verifying: which refusals there are, and in which order.

use subtle::{Choice, ConstantTimeEq};

use super::key::{BASE64_BYTES, VERSION};
use super::{MessageId, SigningKey};
use crate::{digits::canonical_u64, time::Timestamp};

/// How far `webhook-timestamp` may lie from the receiver's time, in seconds, if nobody says
/// otherwise: the 5 minutes that the libraries of Standard Webhooks use, both ways.
pub const TOLERANCE_S: u64 = 300;

/// The most members a signature list may have.
pub const SIGNATURES_MAX: usize = 16;

/// The longest value of `webhook-signature`, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 4_096;

/// The three header fields of a webhook, as they came, each of them there once.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// The value of `webhook-id`.
    pub id: &'a [u8],
    /// The value of `webhook-timestamp`.
    pub timestamp: &'a [u8],
    /// The value of `webhook-signature`.
    pub signature: &'a [u8],
}

/// A message whose sender knows the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'a> {
    /// The message, the same at every attempt: what a receiver remembers to do things only once.
    pub id: MessageId<'a>,
    /// The time of this attempt, in whole seconds.
    pub timestamp: Timestamp,
}

/// Why a webhook was refused. All of it is the sender's doing: answer 400, and no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum VerifyError {
    /// One of the three header fields is not there.
    MissingHeader,
    /// One of the three header fields is there twice.
    DuplicateHeader,
    /// `webhook-id` is no id.
    BadId,
    /// `webhook-timestamp` is not a decimal number without sign or leading zeros.
    BadTimestamp,
    /// The attempt was made longer ago than the tolerance allows.
    TooOld,
    /// The attempt lies further ahead than the tolerance allows.
    TooNew,
    /// `webhook-signature` has more than [`SIGNATURES_MAX`] members or [`SIGNATURE_BYTES_MAX`] bytes.
    TooMany,
    /// No member of `webhook-signature` is a `v1` signature by one of the keys.
    NoMatch,
}

impl VerifyError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingHeader => "a webhook header field is missing",
            Self::DuplicateHeader => "a webhook header field occurs twice",
            Self::BadId => "webhook-id is malformed",
            Self::BadTimestamp => "webhook-timestamp is malformed",
            Self::TooOld => "webhook-timestamp is too old",
            Self::TooNew => "webhook-timestamp lies in the future",
            Self::TooMany => "webhook-signature is too long",
            Self::NoMatch => "no signature matches",
        }
    }
}

impl core::fmt::Display for VerifyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for VerifyError {}

impl<'a> Headers<'a> {
    /// Picks the three fields out of all the fields (name, value) of a request.
    ///
    /// Names are compared without regard to case (RFC 9110 section 5.1), values lose the white space
    /// around them (section 5.5).
    ///
    /// # Errors
    ///
    /// [`VerifyError::DuplicateHeader`] and [`VerifyError::MissingHeader`].
    pub fn from_fields(
        fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, VerifyError> {
        let (mut id, mut timestamp, mut signature) = (None, None, None);
        for (name, value) in fields {
            let slot = if name.eq_ignore_ascii_case(b"webhook-id") {
                &mut id
            } else if name.eq_ignore_ascii_case(b"webhook-timestamp") {
                &mut timestamp
            } else if name.eq_ignore_ascii_case(b"webhook-signature") {
                &mut signature
            } else {
                continue;
            };
            if slot.replace(without_ows(value)).is_some() {
                return Err(VerifyError::DuplicateHeader);
            }
        }
        match (id, timestamp, signature) {
            (Some(id), Some(timestamp), Some(signature)) => Ok(Self {
                id,
                timestamp,
                signature,
            }),
            _ => Err(VerifyError::MissingHeader),
        }
    }
}

/// Checks that `body` was signed with one of `keys`, within `tolerance_s` seconds of `now`.
///
/// The edge of the tolerance is inside. Whether and where a signature matches does not show in the
/// time this takes.
///
/// # Errors
///
/// [`VerifyError`], the cheapest refusal first.
pub fn verify<'a, 'k>(
    headers: &Headers<'a>,
    body: &[u8],
    keys: impl IntoIterator<Item = &'k SigningKey>,
    now: Timestamp,
    tolerance_s: u64,
) -> Result<Verified<'a>, VerifyError> {
    let id = MessageId::new(headers.id).ok_or(VerifyError::BadId)?;
    let timestamp_s = canonical_u64(headers.timestamp).ok_or(VerifyError::BadTimestamp)?;
    let now_s = now.as_unix_seconds();
    if now_s.saturating_sub(timestamp_s) > tolerance_s {
        return Err(VerifyError::TooOld);
    }
    if timestamp_s.saturating_sub(now_s) > tolerance_s {
        return Err(VerifyError::TooNew);
    }
    if headers.signature.len() > SIGNATURE_BYTES_MAX
        || members(headers.signature).count() > SIGNATURES_MAX
    {
        return Err(VerifyError::TooMany);
    }
    let mut found = Choice::from(0);
    for key in keys {
        // Base64 has one canonical text for 32 bytes. Comparing texts therefore is comparing bytes
        // after strict decoding, and neither padding, alphabet nor unused bits can be bent.
        let expected = key.sign(id, timestamp_s, body).base64();
        for candidate in v1_members(headers.signature) {
            found |= expected.ct_eq(candidate);
        }
    }
    if bool::from(found) {
        Ok(Verified {
            id,
            timestamp: Timestamp::from_unix_ms(timestamp_s.saturating_mul(1_000)),
        })
    } else {
        Err(VerifyError::NoMatch)
    }
}

/// The members of a signature list; empty ones do not count.
fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b' ')
        .filter(|member| !member.is_empty())
}

/// The members that could be `v1` signatures, without their version.
fn v1_members(list: &[u8]) -> impl Iterator<Item = &[u8; BASE64_BYTES]> {
    members(list).filter_map(|member| member.strip_prefix(VERSION)?.try_into().ok())
}

/// `value` without the optional white space around it: spaces and tabs (RFC 9110 section 5.6.3).
fn without_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
