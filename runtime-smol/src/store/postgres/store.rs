//! What a store must do, by a database.

use super::{
    driver::Postgres,
    fault::Fault,
    journal::{self, Changes, key},
    owner::{Answer, Moment, Operation, Want},
    schema::Trouble,
    session::Session,
    sql,
};
use crate::store::{Batch, EachArchived, Ownership, Restore, Store, StoreError, Whole};
use dubhook_core::{id::Id, time::Timestamp};
use std::{sync::atomic::Ordering, time::Duration};

/// How much of the journal is read at once, in bytes.
const JOURNAL_BYTES: usize = 4 * 1024 * 1024;
/// How often the journal is read before a gap in it counts.
const JOURNAL_READINGS: u32 = 3;

/// Nothing is written or read beside what the owner asks itself.
fn nothing(_: &mut Session, _: &Operation) -> Result<Answer, Trouble> {
    Ok(Answer::Done)
}

impl Store for Postgres {
    fn take(&self) -> Result<Option<Duration>, StoreError> {
        self.fulfil(Want::Take, &mut nothing)
    }

    fn load(&self, each: &mut Restore<'_>) -> Result<(), StoreError> {
        // The journal first: what is folded meanwhile is in both then.
        let changes = self.unfolded()?;
        self.folder.found(changes.bytes());
        let mut changes = changes.into_records().peekable();
        let mut put = |number: i64, value: &[u8]| {
            let key =
                key(number).ok_or_else(|| StoreError::UnknownKey(number.to_be_bytes().into()))?;
            each(key, value).map_err(|error| StoreError::Restore {
                key: Some(key),
                error,
            })
        };
        let (mut after, mut page) = (-1, Page::default());
        loop {
            let len = self.page(|session| {
                page.clear();
                session.page(after, &mut |key, value| page.add(key, value))
            })?;
            for (number, value) in page.rows() {
                after = number;
                while let Some((changed, new)) = changes.next_if(|(changed, _)| *changed < number) {
                    new.map_or(Ok(()), |new| put(changed, &new))?;
                }
                match changes.next_if(|(changed, _)| *changed == number) {
                    Some((_, new)) => new.map_or(Ok(()), |new| put(number, &new))?,
                    None => put(number, value)?,
                }
            }
            if len < sql::PAGE {
                break;
            }
        }
        for (changed, new) in changes {
            new.map_or(Ok(()), |new| put(changed, &new))?;
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        // As which it was sent last.
        let mut sent = None;
        self.fulfil(Want::Write, &mut |session, operation| match operation {
            Operation::Write { epoch, number } => {
                sent = Some((*epoch, *number));
                self.folder
                    .keep_short(session, *epoch, self.lease.time() / 8)?;
                let folded = self.folder.folded();
                Ok(Answer::Written(
                    session.commit(*epoch, *number, folded, batch)?,
                ))
            }
            _ => Ok(Answer::Done),
        })?;
        if let Some((epoch, number)) = sent {
            self.folder
                .added(epoch, number, journal::encoded_len(batch));
        }
        Ok(())
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
        self.folder.end();
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

/// Records that were read at once, in memory that serves again.
#[derive(Default)]
struct Page {
    rows: Vec<(i64, usize)>,
    bytes: Vec<u8>,
}

impl Page {
    fn clear(&mut self) {
        self.rows.clear();
        self.bytes.clear();
    }

    fn add(&mut self, number: i64, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.rows.push((number, self.bytes.len()));
    }

    fn rows(&self) -> impl Iterator<Item = (i64, &[u8])> {
        let mut start = 0;
        self.rows.iter().map(move |(number, end)| {
            let value = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            (*number, value)
        })
    }
}

impl Postgres {
    /// What is in the journal and not in the records yet.
    ///
    /// Between two pages whoever folds may take the batches that come next, since a fold of the epoch before can be on its way
    /// still; so what looks like a gap is read anew. Damage stays.
    fn unfolded(&self) -> Result<Changes, StoreError> {
        for _ in 1..JOURNAL_READINGS {
            match self.read_journal() {
                Err(StoreError::Failed(_)) => {}
                read => return read,
            }
        }
        self.read_journal()
    }

    fn read_journal(&self) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        loop {
            let after = changes.batches().map_or(-1, |(_, last)| last);
            let mut rows = Vec::new();
            self.page(|session| {
                rows.clear();
                session.journal(after, i64::MAX, JOURNAL_BYTES, &mut |batch, row| {
                    rows.push((batch, row.to_vec()));
                })
            })?;
            if rows.is_empty() {
                return Ok(changes);
            }
            for (batch, row) in rows {
                changes.add(batch, &row)?;
            }
        }
    }

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
