//! What a store must do, by a database.

use super::{
    fault::Fault,
    journal::{self, Changes, key},
    lease::Moment,
    owner::Postgres,
    schema::Trouble,
    session::Session,
    sql,
};
use crate::store::{Batch, EachArchived, Ownership, Restore, Store, StoreError, Whole};
use dubhook_core::{id::Id, time::Timestamp};
use std::{sync::atomic::Ordering, time::Duration};

/// How much of the journal is read at once, in bytes.
const JOURNAL_BYTES: usize = 4 * 1024 * 1024;
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
        let mut held = self.held();
        let next = held.batch + 1;
        self.insist(&mut held, |held| {
            loop {
                self.owned(held)?;
                if held.batch == next {
                    // It was there already.
                    break;
                }
                let (session, epoch) = self.owned(held)?;
                self.folder
                    .keep_short(session, epoch, self.lease.time() / 8)?;
                let sent = Moment::now();
                let written = session.commit(epoch, next, self.folder.folded(), batch);
                // Where it is not ours, or there already, the doubt finds out.
                held.doubt = true;
                if written? {
                    (held.doubt, held.batch) = (false, next);
                    self.lease.renew(sent);
                    break;
                }
            }
            let epoch = held.epoch.unwrap_or_default();
            self.folder.added(epoch, next, journal::encoded_len(batch));
            Ok(())
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
        self.folder.end();
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
    fn unfolded(&self) -> Result<Changes, StoreError> {
        let (mut changes, newest) = (Changes::default(), self.held().batch);
        loop {
            let after = changes.batches().map_or(-1, |(_, last)| last);
            let mut rows = Vec::new();
            self.page(|session| {
                rows.clear();
                session.journal(after, newest, JOURNAL_BYTES, &mut |batch, row| {
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
