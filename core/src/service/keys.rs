//! Requests that are repeated: the feature `idempotency`.

use super::{NewJob, Service, SubmitError, Submitted};
use crate::{
    id::Id,
    idempotency::{Found, KeyHash, RequestHash},
    sha256::Sha256,
    time::Now,
};
#[cfg(feature = "records")]
use crate::{
    idempotency::Entry,
    record::{Read, Write},
    slab::Ix,
    time::{Ran, Timestamp},
};

/// Keys forgotten in one call at most.
const STEP: usize = 64;

/// What a request is known by when it comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdempotencyKey {
    key: KeyHash,
    request: RequestHash,
}

impl Service<'_> {
    /// What a request with this idempotency key and body is known by.
    #[must_use]
    pub(crate) fn idempotency_key(&self, key: &[u8], body: &[u8]) -> IdempotencyKey {
        let mut hash = Sha256::new();
        hash.update(&self.dispatch.master);
        hash.update(b"idempotency key");
        hash.update(key);
        let [a @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash.finish();
        let digest = Sha256::digest(body);
        let (request, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        IdempotencyKey {
            key: a,
            request: *request,
        }
    }

    /// What a request is known by that makes or changes an endpoint: the one with this id, or a new one. No request for a job
    /// is known by the same.
    #[cfg(feature = "webhook-api")]
    #[must_use]
    pub(crate) fn webhook_key(&self, key: &[u8], endpoint: Id, body: &[u8]) -> IdempotencyKey {
        let mut hash = Sha256::new();
        hash.update(b"webhook");
        hash.update(&endpoint.to_bits().to_be_bytes());
        hash.update(body);
        self.idempotency_key(key, &hash.finish())
    }

    /// What the same request made or changed before. Where there is nothing, there is room to [remember](Self::remember) it.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] where the key came with another request, or there is no room.
    pub(crate) fn recall(
        &mut self,
        now: Now,
        key: &IdempotencyKey,
    ) -> Result<Option<Id>, SubmitError> {
        self.forget_expired_keys(now);
        match self.keys.find(&key.key, &key.request) {
            Some(Found::Other) => Err(SubmitError::KeyReused),
            Some(Found::Same(id)) => Ok(Some(id)),
            None if !self.make_key_room() => Err(self.refuse()),
            None => Ok(None),
        }
    }

    /// Whether a request came with this key before, the same or another.
    #[cfg(feature = "media")]
    #[must_use]
    pub(crate) fn is_remembered(&self, key: &IdempotencyKey) -> bool {
        self.keys.find(&key.key, &key.request).is_some()
    }

    /// Keeps in mind what a request made or changed.
    pub(crate) fn remember(&mut self, now: Now, key: &IdempotencyKey, made: Id) {
        let expires = self.dispatch.ran(now.instant).after_ms(self.limits.key_ms);
        self.keys.insert(key.key, key.request, made, expires);
    }

    /// Accepts a job, or finds the one that the same request made before.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says why nothing was accepted.
    pub(crate) fn submit_once(
        &mut self,
        now: Now,
        new: &NewJob<'_>,
        key: IdempotencyKey,
    ) -> Result<Submitted, SubmitError> {
        if !self.begin() {
            return Err(SubmitError::NotStarted);
        }
        if let Some(id) = self.recall(now, &key)? {
            let job = self.find_job(id).ok_or(SubmitError::KeyForgotten(id))?;
            return Ok(Submitted {
                job,
                repeated: true,
            });
        }
        let submitted = self.make(now, new)?;
        if let Some(id) = self.jobs.get(submitted.job).map(|job| job.id) {
            self.remember(now, &key, id);
        }
        Ok(submitted)
    }

    pub(super) fn forget_expired_keys(&mut self, now: Now) {
        let ran = self.dispatch.ran(now.instant);
        for _ in 0..STEP {
            match self.keys.oldest() {
                Some(oldest) if oldest.expires <= ran => self.forget_oldest_key(),
                _ => return,
            }
        }
    }

    /// Room for one more key: the oldest one goes if its job has ended. `false` where there is none.
    pub(super) fn make_key_room(&mut self) -> bool {
        if !self.keys.is_full() {
            return true;
        }
        let under_way = self
            .keys
            .oldest()
            .and_then(|oldest| self.find_job(oldest.made))
            .and_then(|ix| self.jobs.get(ix))
            .is_some_and(|job| !job.state().status.is_terminal());
        if under_way || self.keys.is_empty() {
            return false;
        }
        self.forget_oldest_key();
        true
    }

    pub(super) fn forget_oldest_key(&mut self) {
        self.keys.forget_oldest();
    }

    /// Writes the next record of a key that has changed: its slot, and whether there is a key.
    #[cfg(feature = "records")]
    pub(super) fn write_next_key(&mut self, write: &mut Write<'_>) -> Option<(Ix, bool)> {
        let ix = self.keys.pop_marked()?;
        let entry = self.keys.get(ix);
        if let Some(entry) = entry {
            write.raw(&entry.key);
            write.raw(&entry.request);
            write.u128(entry.made.to_bits());
            // Format 1 had the day here on which it is forgotten.
            write.timestamp(Timestamp::EPOCH);
            write.ran(entry.expires);
        }
        Some((ix, entry.is_some()))
    }

    #[cfg(feature = "records")]
    pub(super) fn restore_key(&mut self, now: Now, ix: Ix, read: &mut Read<'_>) -> Option<()> {
        let mut entry = Entry {
            key: read.array(),
            request: read.array(),
            made: Id::from_bits(read.u128()),
            expires: Ran::ZERO,
        };
        let left_ms = read.timestamp().ms_since(now.timestamp);
        entry.expires = if read.is_done() {
            let left_ms = left_ms.clamp(1, self.limits.key_ms.max(1));
            self.dispatch.ran(now.instant).after_ms(left_ms)
        } else {
            read.ran()
        };
        self.keys.restore(ix, entry).then_some(())
    }
}
