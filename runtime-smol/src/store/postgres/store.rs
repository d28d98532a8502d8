//! What a store must do, by a database.

use super::{
    driver::Postgres,
    fault::Fault,
    owner::{Answer, Moment, Operation, Want},
    session::Session,
    sql,
};
use crate::store::{Batch, EachArchived, Ownership, Restore, Store, StoreError, Whole};
use dubhook_core::{id::Id, record::Key, time::Timestamp};
use std::{sync::atomic::Ordering, time::Duration};

/// Nothing is written or read beside what the owner asks itself.
fn nothing(_: &mut Session, _: &Operation) -> Result<Answer, Fault> {
    Ok(Answer::Done)
}

impl Store for Postgres {
    fn take(&self) -> Result<Option<Duration>, StoreError> {
        self.fulfil(Want::Take, &mut nothing)
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
        let written = self.fulfil(Want::Write, &mut |session, operation| match operation {
            Operation::Write { epoch, number } => {
                session.commit(*epoch, *number, batch).map(Answer::Written)
            }
            _ => Ok(Answer::Done),
        });
        written.map(drop)
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
        self.fulfil(Want::Beat, &mut nothing).map(drop)
    }

    fn release(&self) {
        self.closing.store(true, Ordering::Release);
        self.lease.end();
        if let Err(fault) = self.fulfil(Want::Release, &mut nothing) {
            tracing::warn!(%fault, "the records were not given back; another server waits for the lease");
        }
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
        let mut len = 0;
        self.fulfil(Want::Read, &mut |session, _| {
            len = read(session)?;
            Ok(Answer::Done)
        })?;
        Ok(len)
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
