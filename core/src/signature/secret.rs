//! A shared secret: how it is read, made, shown, and forgotten.

use base64ct::{Base64, Encoding};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::SigningKey;
use crate::out::Out;

/// The text form starts with this.
const PREFIX: &str = "whsec_";
const KEY_BYTES_MIN: usize = 24;
pub(crate) const KEY_BYTES_MAX: usize = 64;
/// The Base64 text of the longest key: three bytes become four characters, the last ones padded.
const TEXT_BYTES_MAX: usize = KEY_BYTES_MAX.div_ceil(3) * 4;
/// The longest text of a secret, in bytes, its prefix included.
pub(crate) const SECRET_TEXT_BYTES_MAX: usize = PREFIX.len() + TEXT_BYTES_MAX;

/// A secret shared with one receiver: 24 to 64 random bytes (Standard Webhooks, "Signature scheme").
///
/// It is overwritten when dropped, and does not show its bytes in `Debug`.
#[derive(Clone)]
pub struct Secret {
    /// The key, filled up with zeros.
    bytes: [u8; KEY_BYTES_MAX],
    /// 24 to 64.
    len: u8,
}

/// Why a text or a key is no secret for scheme `v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SecretError {
    /// A key of scheme `v1a` (`whsk_`, `whpk_`), which is not supported.
    Asymmetric,
    /// What follows the optional `whsec_` is not canonical Base64 (RFC 4648 section 4).
    NotBase64,
    /// The key has fewer than 24 or more than 64 bytes.
    Length,
}

impl SecretError {
    /// A sentence for people, without the full stop.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asymmetric => "keys for asymmetric signatures (v1a) are not supported",
            Self::NotBase64 => "the secret is not Base64",
            Self::Length => "the secret must have 24 to 64 bytes",
        }
    }
}

impl core::fmt::Display for SecretError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for SecretError {}

impl Secret {
    /// Reads `whsec_BASE64`, the prefix being optional.
    ///
    /// # Errors
    ///
    /// [`SecretError`] says what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if text.starts_with("whsk_") || text.starts_with("whpk_") {
            return Err(SecretError::Asymmetric);
        }
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        if text.len() > TEXT_BYTES_MAX {
            return Err(SecretError::Length);
        }
        // Room for the longest text: 88 characters without padding are 66 bytes.
        let mut memory = [0u8; TEXT_BYTES_MAX / 4 * 3];
        let secret = match Base64::decode(text, &mut memory) {
            Ok(bytes) => Self::from_bytes(bytes),
            Err(_) => Err(SecretError::NotBase64),
        };
        memory.zeroize();
        secret
    }

    /// The secret whose key is `bytes`.
    ///
    /// # Errors
    ///
    /// [`SecretError::Length`] unless there are 24 to 64 of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.len() < KEY_BYTES_MIN {
            return Err(SecretError::Length);
        }
        let mut secret = Self {
            bytes: [0; KEY_BYTES_MAX],
            len: bytes.len() as u8,
        };
        secret
            .bytes
            .get_mut(..bytes.len())
            .ok_or(SecretError::Length)?
            .copy_from_slice(bytes);
        Ok(secret)
    }

    /// A new secret from 32 bytes that nobody can guess.
    #[must_use]
    pub fn from_random(mut random: [u8; 32]) -> Self {
        let mut bytes = [0; KEY_BYTES_MAX];
        for (to, from) in bytes.iter_mut().zip(&random) {
            *to = *from;
        }
        random.zeroize();
        Self { bytes, len: 32 }
    }

    /// The key's bytes, for keeping it in a record.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Writes `whsec_BASE64`, as the receiver is shown it.
    pub fn write_text(&self, out: &mut Out<'_>) {
        out.put(PREFIX.as_bytes());
        let mut memory = [0u8; TEXT_BYTES_MAX];
        if let Ok(text) = Base64::encode(self.bytes(), &mut memory) {
            out.put(text.as_bytes());
        }
        memory.zeroize();
    }

    /// The key as the hash takes it: one block, filled up with zeros (RFC 2104 section 2).
    pub(super) const fn block(&self) -> &[u8; KEY_BYTES_MAX] {
        &self.bytes
    }

    /// The key ready to sign with.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::new(self)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_there_and_back_for_every_length() {
        for len in 0..=80 {
            let key = [0xa5; 80];
            let secret = Secret::from_bytes(&key[..len]);
            if !(24..=64).contains(&len) {
                assert_eq!(secret.err(), Some(SecretError::Length));
                continue;
            }
            let mut memory = [0u8; 94];
            let mut out = Out::new(&mut memory);
            secret.unwrap().write_text(&mut out);
            let text = core::str::from_utf8(out.written()).unwrap();
            assert!(text.starts_with("whsec_"));
            assert_eq!(Secret::parse(text).unwrap().bytes(), &key[..len]);
        }
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        #[track_caller]
        fn check(text: &str, expect: SecretError) {
            assert_eq!(Secret::parse(text).err(), Some(expect));
        }
        check("", SecretError::Length);
        check("whsec_", SecretError::Length);
        check("whsec_AAAA", SecretError::Length);
        check(
            "whsec_whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            SecretError::NotBase64,
        );
        check(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-",
            SecretError::NotBase64,
        );
        check(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwa2s",
            SecretError::NotBase64,
        );
        check(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwa2t=",
            SecretError::NotBase64,
        );
        check(
            "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
            SecretError::Asymmetric,
        );
    }

    #[test]
    fn debug_tells_nothing() {
        struct Text([u8; 32], usize);
        impl core::fmt::Write for Text {
            fn write_str(&mut self, text: &str) -> core::fmt::Result {
                let end = self.1 + text.len();
                self.0[self.1..end].copy_from_slice(text.as_bytes());
                self.1 = end;
                Ok(())
            }
        }
        let secret = Secret::from_random([0x41; 32]);
        let mut text = Text([0; 32], 0);
        core::fmt::write(
            &mut text,
            format_args!("{secret:?} {:?}", secret.signing_key()),
        )
        .unwrap();
        assert_eq!(&text.0[..text.1], b"Secret SigningKey");
    }
}
