//! One registered webhook: where to, what of, signed with what, and how it fares.

use crate::{
    id::Id,
    signature::{KEY_BYTES_MAX, Keyed, Secret, SigningKey},
    slab::{Link, Links, Node},
    text::Text,
    time::Timestamp,
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
    /// What they were signed with before, and are too until `previous_until`.
    pub(crate) previous: StoredSecret,
    /// When the previous secret ends.
    pub(crate) previous_until: Timestamp,
    /// Since when every attempt has failed; the epoch while that is not so.
    pub(crate) failing_since: Timestamp,
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
            previous: StoredSecret::NONE,
            previous_until: Timestamp::EPOCH,
            failing_since: Timestamp::EPOCH,
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

    /// Makes `secret` the current one, and keeps the one before alive until `until`.
    pub(crate) fn rotate(&mut self, secret: &Secret, until: Timestamp) {
        self.previous = self.secret;
        self.previous_until = until;
        self.secret = StoredSecret::new(secret);
    }

    /// The keys that are live at `at`, newest first.
    pub(crate) fn live_keys(&self, at: Timestamp) -> impl Iterator<Item = SigningKey> + '_ {
        let previous = (at < self.previous_until).then_some(&self.previous);
        [Some(&self.secret), previous]
            .into_iter()
            .flatten()
            .filter_map(StoredSecret::signing_key)
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
        let (now, later) = (
            Timestamp::from_unix_ms(1_000),
            Timestamp::from_unix_ms(2_000),
        );
        let mut endpoint = Endpoint::empty(());
        endpoint.rotate(&Secret::from_random([1; 32]), now);
        endpoint.rotate(&Secret::from_random([2; 32]), later);
        assert_eq!(endpoint.live_keys(now).count(), 2);
        assert_eq!(endpoint.live_keys(later).count(), 1);
        let shown = endpoint.secret().unwrap();
        assert_eq!(shown.bytes(), Secret::from_random([2; 32]).bytes());
        endpoint.disabled = Disabled::Gone;
        assert!(!endpoint.is_enabled());
    }
}
