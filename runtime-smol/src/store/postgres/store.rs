//! What a store must do, by a database.

use super::{fault::Fault, lease::Moment, owner::Postgres, schema::Trouble, session::Session, sql};
use crate::store::{Batch, EachArchived, Ownership, Restore, Store, StoreError, Whole};
use dubhook_core::{id::Id, record::Key, time::Timestamp};
use std::{sync::atomic::Ordering, time::Duration};

/// How long giving the records back may take: whoever stands by takes them in any case.
const RELEASE: Duration = Duration::from_secs(2);

impl Store for Postgres {
    fn take(&self) -> Result<Option<Duration>, StoreError> {
        let mut held = self.held();
        if held.epoch.is_some() {
            return Ok(None);
        }
        match self.try_to_take(&mut held) {
            Ok(pause) => {
                self.answered(&mut held);
                Ok(pause)
            }
            Err(Trouble::Final(error)) => Err(error),
            Err(Trouble::Fault(fault)) if fault.is_lasting() => Err(fault.into()),
            Err(Trouble::Fault(fault)) => Ok(Some(self.silent(&mut held, &fault))),
        }
    }

    fn load(&self, each: &mut Restore<'_>) -> Result<(), StoreError> {
        let mut after = -1;
        loop {
            let mut page = Vec::new();
            let len = self.page(|session| {
                page.clear();
                session.page(after, &mut |key, value| page.push((key, value.to_vec())))
            })?;
            for (number, value) in page {
                after = number;
                let key = key(number)
                    .ok_or_else(|| StoreError::UnknownKey(number.to_be_bytes().into()))?;
                each(key, &value).map_err(|error| StoreError::Restore {
                    key: Some(key),
                    error,
                })?;
            }
            if len < sql::PAGE {
                return Ok(());
            }
        }
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut held = self.held();
        let next = held.batch + 1;
        self.insist(&mut held, |held| {
            loop {
                self.owned(held)?;
                if held.batch == next {
                    // It was there already.
                    return Ok(());
                }
                let (session, epoch) = self.owned(held)?;
                let sent = Moment::now();
                let written = session.commit(epoch, next, batch);
                // Where it is not ours, or there already, the doubt finds out.
                held.doubt = true;
                if written? {
                    (held.doubt, held.batch) = (false, next);
                    self.lease.renew(sent);
                    return Ok(());
                }
            }
        })
    }

    fn find(&self, job: Id) -> Result<Option<Vec<u8>>, StoreError> {
        self.beside(self.lease.time(), |session| session.find(job))
    }

    fn prune(&self, before: Timestamp) -> Result<bool, StoreError> {
        // Ids begin with the time when they were made, and sort by it.
        let end = u128::from(before.as_unix_ms()) << 80;
        // The thread that writes waits for it.
        let pruned = self.beside(self.lease.time() / 4, |session| session.prune(end))?;
        Ok(pruned == sql::PRUNED_MAX)
    }

    fn advertise(&self, url: &str) {
        // It is said once.
        let _ = self.url.set(url.to_owned());
    }

    fn ownership(&self) -> Option<Ownership> {
        Some(self.known())
    }

    fn holds(&self) -> bool {
        self.lease.holds(Moment::now())
    }

    fn beat_every(&self) -> Option<Duration> {
        Some(self.lease.time() / 4)
    }

    fn beat(&self) -> Result<(), StoreError> {
        let mut held = self.held();
        // A commit is as good, and so is a beat that has just come through.
        if self.lease.is_fresh(Moment::now(), self.lease.time() / 8) {
            return Ok(());
        }
        self.insist(&mut held, |held| {
            held.doubt = true;
            self.owned(held).map(drop)
        })
    }

    fn release(&self) {
        self.closing.store(true, Ordering::Release);
        self.lease.end();
        let mut held = self.held();
        let Some(epoch) = held.epoch.take() else {
            return;
        };
        let Some(session) = &mut held.session else {
            return;
        };
        session.limit(RELEASE);
        match session.release(epoch) {
            Ok(()) => tracing::info!("gave the records back"),
            Err(fault) => {
                tracing::warn!(%fault, "the records were not given back; another server waits for the lease")
            }
        }
        held.session = None;
    }
}

impl Whole for Postgres {
    fn archived(&self, each: &mut EachArchived<'_>) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let mut page = Vec::new();
            let len = self.page(|session| {
                page.clear();
                session.page_of_archive(after, &mut |id, json| page.push((id, json.to_vec())))
            })?;
            for (id, json) in page {
                after = id;
                each(Id::from_bits(id), &json)?;
            }
            if len < sql::PAGE {
                return Ok(());
            }
        }
    }
}

impl Postgres {
    /// Reads some of what is there, and says between two pages that the owner lives.
    fn page(
        &self,
        mut read: impl FnMut(&mut Session) -> Result<u64, Fault>,
    ) -> Result<u64, StoreError> {
        let mut held = self.held();
        self.insist(&mut held, |held| {
            held.doubt |= !self.lease.is_fresh(Moment::now(), self.lease.time() / 4);
            let (session, _) = self.owned(held)?;
            let len = read(session);
            held.doubt |= len.is_err();
            Ok(len?)
        })
    }
}

/// The key of a record.
fn key(number: i64) -> Option<Key> {
    let number = u64::try_from(number).ok()?;
    let bytes: [u8; 8] = number.to_be_bytes();
    match bytes {
        [0, 0, 0, table, a, b, c, d] => Key::from_bytes([table, a, b, c, d]),
        _ => None,
    }
}
