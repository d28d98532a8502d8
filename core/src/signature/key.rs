//! Signing: a key worked into the hash once, for all messages.

use base64ct::{Base64, Encoding};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{
    Secret,
    hmac::{Hmac, Keyed},
};
use crate::out::Out;

/// A message id that can be signed: 1 to 128 of `A-Z a-z 0-9 _ -`.
///
/// Standard Webhooks forbids the dot, which separates the signed parts; nothing else that could
/// mean something in a header field is let in either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageId<'a>(&'a [u8]);

/// The longest message id, in bytes.
const ID_BYTES_MAX: usize = 128;

impl<'a> MessageId<'a> {
    /// The id, or `None` if it is not one.
    #[must_use]
    pub fn new(id: &'a [u8]) -> Option<Self> {
        let is_id = !id.is_empty()
            && id.len() <= ID_BYTES_MAX
            && id
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        is_id.then_some(Self(id))
    }

    /// The id's bytes, all of them ASCII.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// One `v1` signature: the 32 bytes of an HMAC-SHA256 (RFC 2104, FIPS 180-4).
///
/// It does not compare: whoever checks a signature does so with [`verify`](super::verify()), in
/// constant time.
#[derive(Debug, Clone, Copy)]
pub struct Signature(pub [u8; 32]);

/// The length of 32 bytes in Base64.
pub(super) const BASE64_BYTES: usize = 44;

/// Before the Base64 in a member of the signature list.
pub(super) const VERSION: &[u8] = b"v1,";

impl Signature {
    /// Writes `v1,BASE64`, always 47 bytes.
    pub fn write(&self, out: &mut Out<'_>) {
        out.put(VERSION);
        out.put(&self.base64());
    }

    /// The signature's only canonical Base64 text.
    pub(super) fn base64(&self) -> [u8; BASE64_BYTES] {
        let mut text = [0u8; BASE64_BYTES];
        // 32 bytes always fit; a text that was cut off would match nothing.
        if Base64::encode(&self.0, &mut text).is_err() {
            text = [0; BASE64_BYTES];
        }
        text
    }
}

/// Writes the value of `webhook-signature`: the signatures of all live keys, a space between two.
pub fn write_header(out: &mut Out<'_>, signatures: impl IntoIterator<Item = Signature>) {
    for (n, signature) in signatures.into_iter().enumerate() {
        if n > 0 {
            out.put_byte(b' ');
        }
        signature.write(out);
    }
}

/// A secret worked into the hash, ready to sign.
///
/// Making one hashes two blocks; keep it as long as the secret is live. It is 64 bytes, overwritten
/// when dropped, and `Debug` shows none of it.
#[derive(Clone)]
pub struct SigningKey(Keyed);

impl SigningKey {
    /// No key yet: all zero.
    pub(crate) const NONE: Self = Self(Keyed::NONE);

    /// The key for signing with `secret`.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(Keyed::new(secret.block()))
    }

    /// The key as a table holds it.
    pub(crate) const fn keyed(&self) -> &Keyed {
        &self.0
    }

    /// The key that a table holds.
    pub(crate) const fn from_keyed(keyed: Keyed) -> Self {
        Self(keyed)
    }

    /// Signs one attempt of a message: `timestamp_s` is the attempt's time in Unix seconds.
    #[must_use]
    pub fn sign(&self, id: MessageId<'_>, timestamp_s: u64, body: &[u8]) -> Signature {
        let mut signer = self.signer(id, timestamp_s);
        signer.update(body);
        signer.finish()
    }

    /// A secret that only this key leads to, for what `parts` name one after the other.
    #[must_use]
    pub fn derive(&self, parts: [&[u8]; 2]) -> Secret {
        let mut hmac = Hmac::new(&self.0);
        for part in parts {
            hmac.update(part);
        }
        Secret::from_random(hmac.finish())
    }

    /// Signs a message whose body comes in pieces.
    pub(crate) fn signer(&self, id: MessageId<'_>, timestamp_s: u64) -> Signer {
        let mut memory = [0u8; ID_BYTES_MAX + 22];
        let mut head = Out::new(&mut memory);
        head.put(id.as_bytes());
        head.put_byte(b'.');
        head.put_u64(timestamp_s);
        head.put_byte(b'.');
        let mut hmac = Hmac::new(&self.0);
        hmac.update(head.written());
        Signer(hmac)
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for SigningKey {}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SigningKey")
    }
}

/// A signature in the making; see [`SigningKey::signer`].
#[derive(Clone)]
#[must_use]
pub(crate) struct Signer(Hmac);

impl Signer {
    /// The next piece of the body.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The signature over all pieces.
    #[must_use]
    pub(crate) fn finish(self) -> Signature {
        Signature(self.0.finish())
    }
}

impl core::fmt::Debug for Signer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_key_is_overwritten_when_dropped() {
        fn check<T: ZeroizeOnDrop>() {}
        check::<Secret>();
        check::<SigningKey>();
        check::<Hmac>();
    }

    #[test]
    fn a_body_in_pieces_signs_as_one() {
        let key = Secret::from_random([7; 32]).signing_key();
        let id = MessageId::new(b"evt_1").unwrap();
        let body = [b'x'; 200];
        let whole = key.sign(id, 1, &body);
        for at in 0..=body.len() {
            let (a, b) = body.split_at(at);
            let mut signer = key.signer(id, 1);
            signer.update(a);
            signer.update(b);
            assert_eq!(signer.finish().0, whole.0);
        }
    }

    #[test]
    fn live_keys_share_one_header() {
        let signatures = [Signature([0; 32]), Signature([0xff; 32])];
        let mut memory = [0u8; 95];
        let mut out = Out::new(&mut memory);
        write_header(&mut out, signatures);
        assert_eq!(
            core::str::from_utf8(out.written()),
            Ok("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
                v1,//////////////////////////////////////////8=")
        );
    }

    #[test]
    fn ids_hold_nothing_that_means_something_elsewhere() {
        #[track_caller]
        fn check(id: &[u8], expect: bool) {
            assert_eq!(MessageId::new(id).is_some(), expect);
        }
        check(b"evt_01k-Z", true);
        check(&[b'a'; 128], true);
        check(&[b'a'; 129], false);
        check(b"", false);
        for byte in 0..=255u8 {
            let is_id = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            check(&[b'a', byte, b'a'], is_id);
        }
    }
}
