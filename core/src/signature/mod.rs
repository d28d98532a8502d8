//! Standard Webhooks, scheme `v1`: signing what is sent, verifying what arrives.
//!
//! A webhook carries three header fields: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`. Signed is `id.timestamp.body` with HMAC-SHA256; the last field lists one
//! `v1,BASE64` for each secret that is live, so that a secret can be rotated without a gap. The
//! three fields must each be there once, the id holds no dot (or two messages could share the same
//! signed bytes), and the timestamp has one spelling and lies near the receiver's own time.
//!
//! Who sends keeps a [`SigningKey`] per secret, which holds the hash with the key already worked in:
//!
//! ```
//! use dubhook_core::out::Out;
//! use dubhook_core::signature::{MessageId, Secret, write_header};
//!
//! let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
//! let key = secret.signing_key();
//! let id = MessageId::new(b"msg_p5jXN8AQM9LWM0D4loKWxJek").unwrap();
//! let signature = key.sign(id, 1_614_265_330, b"{\"test\": 2432232314}");
//!
//! let mut memory = [0u8; 47];
//! let mut out = Out::new(&mut memory);
//! write_header(&mut out, [signature]);
//! assert_eq!(out.written(), b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
//! ```
//!
//! Who receives hands over the header fields as they came, the body's bytes as they came, and the
//! time:
//!
//! ```
//! use dubhook_core::signature::{Headers, Secret, TOLERANCE_S, verify};
//! use dubhook_core::time::Timestamp;
//!
//! let key = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap().signing_key();
//! let fields: [(&[u8], &[u8]); 3] = [
//!     (b"Webhook-Id", b"msg_p5jXN8AQM9LWM0D4loKWxJek"),
//!     (b"Webhook-Timestamp", b"1614265330"),
//!     (b"Webhook-Signature", b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
//! ];
//! let headers = Headers::from_fields(fields).unwrap();
//! let now = Timestamp::from_unix_ms(1_614_265_400_000);
//! let verified = verify(&headers, b"{\"test\": 2432232314}", &[key], now, TOLERANCE_S).unwrap();
//! assert_eq!(verified.id.as_bytes(), b"msg_p5jXN8AQM9LWM0D4loKWxJek");
//! ```
//!
//! A verified message can still be one that came before: the receiver remembers ids for twice the
//! tolerance and does nothing the second time.
//!
//! Not done here: scheme `v1a` (Ed25519). Its secrets (`whsk_`, `whpk_`) are refused, its members of
//! a signature list are passed over.

mod hmac;
mod key;
#[cfg(feature = "media")]
mod link;
mod secret;
mod verify;

pub(crate) use hmac::Keyed;
pub use key::{MessageId, Signature, SigningKey, write_header};
#[cfg(feature = "media")]
pub use link::LinkKey;
pub(crate) use secret::{KEY_BYTES_MAX, SECRET_TEXT_BYTES_MAX};
pub use secret::{Secret, SecretError};
pub use verify::{
    Headers, SIGNATURE_BYTES_MAX, SIGNATURES_MAX, TOLERANCE_S, Verified, VerifyError, verify,
};
