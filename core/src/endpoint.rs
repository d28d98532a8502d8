//! One registered webhook: where to, what of, signed with what, and how it fares.
//!
//! ```
//! use dubhook_core::{
//!     endpoint::Disabled, event::Filter, record::Keep, server::{Config, Server, ServerStorage},
//!     dispatch::{EndpointChange, NewEndpoint}, id::Prefix, time::{Instant, Now, Timestamp},
//! };
//!
//! let now = Now { instant: Instant::ZERO, timestamp: Timestamp::from_unix_ms(1_795_510_800_000) };
//! let mut storage = ServerStorage::<4, 2, 1, 2>::new();
//! let mut server = Server::new(storage.lend(Keep::Nothing), Config::DEVICE, [7; 32]).unwrap();
//! let slot = server.create_endpoint(now, NewEndpoint::new("http://ward.test/jobs", Filter::ALL).unwrap()).unwrap();
//!
//! let endpoint = server.service().endpoint(slot).unwrap();
//! assert!(endpoint.id.text(Prefix::Endpoint).starts_with("ep_") && endpoint.is_enabled());
//! assert!(endpoint.secret().is_some(), "one was made up: show it to whoever registers, and never again");
//!
//! server.change_endpoint(slot, EndpointChange { enabled: Some(false), ..EndpointChange::default() }).unwrap();
//! let endpoint = server.service().endpoint(slot).unwrap();
//! assert_eq!(endpoint.disabled, Disabled::ByRequest);
//! assert_eq!(endpoint.disabled.as_str(), Some("switched off by request"));
//! ```

use crate::{
    id::Id,
    signature::{KEY_BYTES_MAX, Keyed, Secret, SigningKey},
    slab::{Link, Links, Node},
    text::Text,
    time::{Ran, Timestamp},
};
use zerocopy::FromZeros;

/// The most bytes of key that a secret may have.
pub(crate) const SECRET_BYTES_MAX: usize = KEY_BYTES_MAX;

/// A secret as a table holds it, and what it does to the hash, so that this is worked out once and not for each message.
#[derive(Clone, Copy, FromZeros)]
pub(crate) struct StoredSecret {
    len: u8,
    bytes: [u8; SECRET_BYTES_MAX],
    keyed: Keyed,
}

impl core::fmt::Debug for StoredSecret {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("StoredSecret")
    }
}

impl StoredSecret {
    /// No secret: all zero.
    pub(crate) const NONE: Self = Self {
        len: 0,
        bytes: [0; SECRET_BYTES_MAX],
        keyed: Keyed::NONE,
    };

    /// Holds a secret's key.
    #[must_use]
    pub(crate) fn new(secret: &Secret) -> Self {
        let mut stored = Self::NONE;
        let key = secret.bytes();
        if let Some(room) = stored.bytes.get_mut(..key.len()) {
            room.copy_from_slice(key);
            stored.len = key.len() as u8;
            stored.keyed = *secret.signing_key().keyed();
        }
        stored
    }

    /// The key; empty if there is none.
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    /// The secret, if there is one.
    #[must_use]
    pub(crate) fn secret(&self) -> Option<Secret> {
        Secret::from_bytes(self.bytes()).ok()
    }

    /// The key ready to sign with, if there is one.
    #[must_use]
    pub(crate) fn signing_key(&self) -> Option<SigningKey> {
        (self.len > 0).then(|| SigningKey::from_keyed(self.keyed))
    }
}

/// How many secrets that were replaced can be alive beside the current one: the memory of an endpoint has room for so many,
/// on a server (the feature `hub`) and on a device.
pub(crate) const REPLACED_MAX: usize = if cfg!(feature = "hub") { 4 } else { 1 };

/// A secret that was replaced by a newer one, and signs too for a while. What it does to the hash is worked out for each
/// message: an endpoint that has none should not carry the room for four.
#[derive(Clone, Copy, FromZeros)]
pub(crate) struct Replaced {
    len: u8,
    bytes: [u8; SECRET_BYTES_MAX],
    /// When it ends.
    pub(crate) until: Ran,
}

impl core::fmt::Debug for Replaced {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Replaced")
    }
}

impl Replaced {
    /// None: all zero.
    pub(crate) const NONE: Self = Self {
        len: 0,
        bytes: [0; SECRET_BYTES_MAX],
        until: Ran::ZERO,
    };

    /// Becomes this key, which signs until then.
    pub(crate) fn set(&mut self, key: &[u8], until: Ran) {
        self.bytes = [0; SECRET_BYTES_MAX];
        if let Some(room) = self.bytes.get_mut(..key.len()) {
            room.copy_from_slice(key);
            self.len = key.len() as u8;
            self.until = until;
        }
    }

    /// The key; empty if there is none.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn signing_key(&self) -> Option<SigningKey> {
        Some(Secret::from_bytes(self.bytes()).ok()?.signing_key())
    }

    /// Whether it signs at `at`.
    pub(crate) fn is_live(&self, at: Ran) -> bool {
        at < self.until
    }
}

/// How long every attempt at an endpoint has failed: only time in which the machine ran and tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
pub(crate) struct Failing {
    /// Attempts since the last success.
    pub(crate) attempts: u32,
    /// From the first of them to the last, in milliseconds.
    pub(crate) ms: u64,
    /// When the last of them was.
    pub(crate) last: Ran,
}

/// How long it counts as trying, from one attempt to the next, in milliseconds: as long as a receiver can ask to wait.
const TRYING_MS_MAX: u64 = 24 * 60 * 60_000;
/// How many attempts have failed at least before an endpoint is beyond hope.
const ATTEMPTS_MIN: u32 = 10;
/// How much time passes at most until it is written down again for how long an endpoint has failed, in milliseconds.
const NOTED_MS: u64 = 60 * 60_000;

impl Failing {
    /// No attempt has failed since the last success: all zero.
    pub(crate) const NOT: Self = Self {
        attempts: 0,
        ms: 0,
        last: Ran::ZERO,
    };

    /// Whether the last attempt failed.
    pub(crate) const fn is_so(&self) -> bool {
        self.attempts > 0
    }

    /// Counts an attempt that failed at `now`. Returns whether that is to be written down.
    pub(crate) fn count(&mut self, now: Ran) -> bool {
        let noted = self.ms / NOTED_MS;
        if self.attempts > 0 {
            self.ms += now.ms_since(self.last).min(TRYING_MS_MAX);
        }
        self.last = now;
        self.attempts = self.attempts.saturating_add(1);
        self.attempts <= ATTEMPTS_MIN || self.ms / NOTED_MS > noted
    }

    /// Whether it is beyond hope: for longer than `disable_after_ms`, and often enough to mean it.
    pub(crate) const fn is_hopeless(&self, disable_after_ms: u64) -> bool {
        self.ms >= disable_after_ms && self.attempts >= ATTEMPTS_MIN
    }
}

/// Why an endpoint is not enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Disabled {
    /// It is enabled.
    No = 0,
    /// Somebody switched it off.
    ByRequest = 1,
    /// It answered `410 Gone`.
    Gone = 2,
    /// Nothing got through for too long.
    Failing = 3,
}

impl Disabled {
    /// Every value, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::No, Self::ByRequest, Self::Gone, Self::Failing];

    /// The reason as a sentence; `None` while enabled.
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::ByRequest => Some("switched off by request"),
            Self::Gone => Some("the receiver answered 410 Gone"),
            Self::Failing => Some("every attempt failed for too long"),
        }
    }
}

/// The strings of an endpoint, by their place in its [`Text`].
pub(crate) mod field {
    /// Where deliveries go.
    pub(crate) const URL: usize = 0;
    /// What somebody wrote to tell it from others.
    pub(crate) const DESCRIPTION: usize = 1;
}

/// A registered webhook.
#[derive(Debug, Clone, Copy, FromZeros)]
pub struct Endpoint<F> {
    /// Its name.
    pub id: Id,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Which events it wants.
    pub filter: F,
    /// Why nothing is sent to it, if nothing is.
    pub disabled: Disabled,
    /// The only subject whose events it gets; none for every one's.
    pub subject: Link,
    /// URL and description.
    pub(crate) text: Text<2>,
    /// What deliveries are signed with.
    pub(crate) secret: StoredSecret,
    /// What they were signed with before, and are too for a while: newest first, and behind the last of them none.
    pub(crate) replaced: [Replaced; REPLACED_MAX],
    /// How long every attempt has failed.
    pub(crate) failing: Failing,
    /// Whether it was removed and only waits for its deliveries to let go of it.
    pub(crate) removed: bool,
    /// Whether it gets every subject's events.
    pub(crate) for_all: bool,
    /// The batch of records that makes it durable at all.
    pub(crate) made: u64,
    /// The batch of records that makes it durable as it is.
    pub(crate) changed: u64,
    /// How many lines the attempt log has had for it.
    pub(crate) logged: u64,
    pub(crate) of_all: Links,
    pub(crate) wanting: Links,
}

/// The list of all endpoints, newest first.
pub(crate) const ALL: u8 = 0;
/// The list of endpoints that want the events of one subject, or of every one.
pub(crate) const WANTING: u8 = 1;

impl<F> Endpoint<F> {
    /// A filler for empty slots; with a filter that is all zero it is all zero.
    #[must_use]
    pub(crate) const fn empty(filter: F) -> Self {
        Self {
            id: Id::NONE,
            created_at: Timestamp::EPOCH,
            filter,
            disabled: Disabled::No,
            subject: None,
            text: Text::EMPTY,
            secret: StoredSecret::NONE,
            replaced: [Replaced::NONE; REPLACED_MAX],
            failing: Failing::NOT,
            removed: false,
            for_all: false,
            made: 0,
            changed: 0,
            logged: 0,
            of_all: Links::NONE,
            wanting: Links::NONE,
        }
    }

    /// Whether events are sent to it.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn is_enabled(&self) -> bool {
        self.disabled == Disabled::No && !self.removed
    }

    /// The secret that deliveries are signed with.
    #[must_use]
    pub fn secret(&self) -> Option<Secret> {
        self.secret.secret()
    }

    /// Makes `secret` the current one at `at`, and keeps the one before alive until `until`. `false`, and nothing has
    /// changed, where as many replaced ones are still alive as there is room for.
    pub(crate) fn rotate(&mut self, secret: &Secret, at: Ran, until: Ran) -> bool {
        if self
            .replaced
            .last()
            .is_some_and(|oldest| oldest.is_live(at))
        {
            return false;
        }
        self.replaced.rotate_right(1);
        if let Some(newest) = self.replaced.first_mut() {
            newest.set(self.secret.bytes(), until);
        }
        self.secret = StoredSecret::new(secret);
        true
    }

    /// The keys that are live at `at`, newest first.
    pub(crate) fn live_keys(&self, at: Ran) -> impl Iterator<Item = SigningKey> + '_ {
        let replaced = self.replaced.iter().filter(move |old| old.is_live(at));
        self.secret
            .signing_key()
            .into_iter()
            .chain(replaced.filter_map(Replaced::signing_key))
    }
}

impl<F> Node<ALL> for Endpoint<F> {
    fn links(&self) -> &Links {
        &self.of_all
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.of_all
    }
}

impl<F> Node<WANTING> for Endpoint<F> {
    fn links(&self) -> &Links {
        &self.wanting
    }
    fn links_mut(&mut self) -> &mut Links {
        &mut self.wanting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_a_while_after_a_rotation_both_secrets_sign() {
        let at = Ran::from_ms;
        let mut endpoint = Endpoint::empty(());
        endpoint.secret = StoredSecret::new(&Secret::from_random([0; 32]));
        let most = REPLACED_MAX as u64;
        for n in 1..=most {
            let secret = Secret::from_random([n as u8; 32]);
            assert!(endpoint.rotate(&secret, at(n), at(1_000 + n)));
            assert_eq!(endpoint.live_keys(at(n)).count() as u64, n + 1);
        }
        let shown = |endpoint: &Endpoint<()>| endpoint.secret().unwrap().bytes()[0];
        let more = Secret::from_random([9; 32]);
        assert!(!endpoint.rotate(&more, at(1_000), at(2_000)));
        assert_eq!(u64::from(shown(&endpoint)), most);
        assert_eq!(endpoint.live_keys(at(1_000 + most - 1)).count(), 2);
        assert!(endpoint.rotate(&more, at(1_001), at(2_001)));
        assert_eq!(shown(&endpoint), 9);
        assert_eq!(endpoint.live_keys(at(1_000 + most)).count(), 2);
        assert_eq!(endpoint.live_keys(at(2_001)).count(), 1);
        endpoint.disabled = Disabled::Gone;
        assert!(!endpoint.is_enabled());
    }
}
