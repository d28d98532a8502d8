//! A connection to the host that takes writes, with everything prepared.

use super::{
    fault::Fault,
    hosts::Place,
    journal::{self, Changes},
    parameters::Parameter,
    sql,
    watch::Shard,
    wire::{Connection, Row, Step},
};
use crate::store::Batch;
use dubhook_core::id::Id;
use std::time::Duration;

/// A connection that is ready for use.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    schema: String,
    time: Duration,
}

impl Place {
    /// A session, where the tables are there.
    pub(super) fn session(&self) -> Result<Session, Fault> {
        self.prepare(self.connect()?)
    }

    /// Makes a session of a connection.
    pub(super) fn prepare(&self, mut connection: Connection) -> Result<Session, Fault> {
        let lock_ms = self.lock_time.as_millis().max(1);
        let set = format!(
            "SET lock_timeout = {lock_ms}; {}; {}; {}",
            sql::limit(self.time),
            sql::BY_KEY,
            sql::AS_IT_IS
        );
        connection.simple(self.time, &set, &mut |_| Ok(()))?;
        for (name, statement) in sql::prepared(&self.schema) {
            connection.prepare(self.time, name, &statement)?;
        }
        Ok(Session {
            connection,
            schema: self.schema.clone(),
            time: self.time,
        })
    }

    /// A session for what nobody waits for, which may take so long.
    pub(super) fn folding(&self, time: Duration) -> Result<Session, Fault> {
        let mut session = self.session()?;
        session.limit(time);
        session.simple(&sql::limit(time))?;
        session.simple(sql::WITHOUT_WAIT)?;
        Ok(session)
    }
}

const SHARD: Parameter<'_> = Parameter::Small(sql::SHARD);

impl Session {
    fn run(&mut self, name: &str, parameters: &[Parameter<'_>]) -> Result<u64, Fault> {
        self.connection
            .run(self.time, &[(name, parameters)], &mut |_| Ok(()))
    }

    /// The same, where one row is expected at most.
    fn ask(&mut self, name: &str, parameters: &[Parameter<'_>]) -> Result<Option<Row>, Fault> {
        self.ask_all(&[(name, parameters)])
    }

    /// The same of several in one transaction.
    fn ask_all(&mut self, steps: &[Step<'_>]) -> Result<Option<Row>, Fault> {
        let mut found = None;
        self.connection.run(self.time, steps, &mut |row| {
            found = Some(row);
            Ok(())
        })?;
        Ok(found)
    }

    /// Whether it is of no use any more though the database's last word was a refusal.
    pub(super) const fn is_broken(&self) -> bool {
        self.connection.is_broken
    }

    /// How long an answer may take from here on.
    pub(super) const fn limit(&mut self, time: Duration) {
        self.time = time;
    }

    /// Runs statements of which nothing comes.
    fn simple(&mut self, statements: &str) -> Result<(), Fault> {
        let ran = self
            .connection
            .simple(self.time, statements, &mut |_| Ok(()));
        ran.map(drop)
    }

    /// Writes a batch, if the shard is still in this epoch and it is the next one. Whether it was. Up to `folded` all batches
    /// are in the records.
    pub(super) fn commit(
        &mut self,
        epoch: i64,
        number: i64,
        folded: i64,
        batch: &Batch,
    ) -> Result<bool, Fault> {
        let parameters = [
            SHARD,
            Parameter::Number(epoch),
            Parameter::Number(number),
            Parameter::Number(folded),
            Parameter::Bytes(&|buffer| journal::encode(batch, buffer)),
            Parameter::Ids(batch.archive().len(), &|each| {
                batch.archive().for_each(|(job, _)| each(job.to_bits()));
            }),
            Parameter::Values(batch.archive().len(), &|each| {
                batch.archive().for_each(|(_, json)| each(json));
            }),
        ];
        let row = self.ask(sql::COMMIT, &parameters)?;
        Ok(row.and_then(|row| row.number(0)) == Some(1))
    }

    /// Reads batches of the journal that are not folded, behind one and not behind another, in their order, until they come
    /// to so many bytes. How many they were.
    pub(super) fn journal(
        &mut self,
        after: i64,
        until: i64,
        bytes: usize,
        each: &mut dyn FnMut(i64, &[u8]),
    ) -> Result<u64, Fault> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let parameters = [
            SHARD,
            Parameter::Number(after),
            Parameter::Number(until),
            Parameter::Number(bytes),
        ];
        self.connection.run(
            self.time,
            &[(sql::PAGE_OF_JOURNAL, &parameters)],
            &mut |row| {
                if let (Some(batch), Some(records)) = (row.number(0), row.bytes(1)) {
                    each(batch, records);
                }
                Ok(())
            },
        )
    }

    /// Writes what batches come to into the records, and drops them, if all of them are there and the shard is still in this
    /// epoch. Whether it was so.
    pub(super) fn fold(&mut self, epoch: i64, changes: &Changes) -> Result<bool, Fault> {
        let Some((first, last)) = changes.batches() else {
            return Ok(true);
        };
        let gone = || changes.records().filter(|(_, value)| value.is_none());
        let put = || {
            changes
                .records()
                .filter_map(|(key, value)| Some((key, value?)))
        };
        let (gone_len, put_len) = (gone().count(), put().count());
        let parameters = [
            SHARD,
            Parameter::Number(epoch),
            Parameter::Number(first - 1),
            Parameter::Number(last),
            Parameter::Numbers(gone_len, &|each| gone().for_each(|(key, _)| each(key))),
            Parameter::Numbers(put_len, &|each| put().for_each(|(key, _)| each(key))),
            Parameter::Values(put_len, &|each| put().for_each(|(_, value)| each(value))),
        ];
        let row = self.ask(sql::FOLD, &parameters)?;
        Ok(row.and_then(|row| row.number(0)) == Some(1))
    }

    /// Ends the session that has held what is to be folded for so long.
    pub(super) fn end_folder(&mut self, time: Duration) -> Result<bool, Fault> {
        self.end(sql::END_FOLDER, time)
    }

    /// How much room the journal takes, in bytes.
    pub(super) fn room(&mut self) -> Result<usize, Fault> {
        let mut room = 0;
        self.connection
            .simple(self.time, &sql::room(&self.schema), &mut |row| {
                room = row.text(0).and_then(|text| text.parse().ok()).unwrap_or(0);
                Ok(())
            })?;
        Ok(room)
    }

    /// Lets the room of what was folded be used again.
    pub(super) fn tidy(&mut self) -> Result<(), Fault> {
        self.simple(&sql::tidy(&self.schema))
    }

    /// Says that the owner of this epoch lives. How many batches there are; nothing where another epoch has begun.
    pub(super) fn beat(&mut self, epoch: i64) -> Result<Option<i64>, Fault> {
        let row = self.ask(sql::BEAT, &[SHARD, Parameter::Number(epoch)])?;
        Ok(row.and_then(|row| row.number(0)))
    }

    /// Who owns the shard; nothing where there is none.
    pub(super) fn look(&mut self) -> Result<Option<Shard>, Fault> {
        let Some(row) = self.ask(sql::LOOK, &[SHARD])? else {
            return Ok(None);
        };
        let number = |column| row.number(column).unwrap_or(0);
        Ok(Some(Shard {
            format: u32::try_from(number(0)).unwrap_or(u32::MAX),
            epoch: number(1),
            batch: number(2),
            beat: number(3),
            lease: Duration::from_millis(u64::try_from(number(4)).unwrap_or(0)),
            owner: row.text(5).map(str::to_owned),
            url: row.text(6).map(str::to_owned),
            lost: row.number(7),
            waits: number(8) == 1,
        }))
    }

    /// Takes the shard, if it is still as it was seen. Its new epoch and how many batches there are. One of a form before is
    /// only made one of this form, and given to nobody: the next look finds it.
    pub(super) fn take(
        &mut self,
        seen: &Shard,
        owner: &str,
        lease: Duration,
        url: Option<&str>,
    ) -> Result<Option<(i64, i64)>, Fault> {
        if seen.format == sql::WITHOUT_JOURNAL {
            let upgrade = sql::upgrade(&self.schema, seen.epoch, seen.batch, seen.beat);
            self.simple(&upgrade)?;
            return Ok(None);
        }
        let parameters = [
            SHARD,
            Parameter::Number(seen.epoch),
            Parameter::Number(seen.batch),
            Parameter::Number(seen.beat),
            Parameter::Text(owner),
            Parameter::Number(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)),
            // No URL is empty.
            Parameter::Text(url.unwrap_or_default()),
        ];
        let row = self.ask_all(&[(sql::LOCK, &[SHARD]), (sql::TAKE, &parameters)])?;
        Ok(row.and_then(|row| Some((row.number(0)?, row.number(1)?))))
    }

    /// Gives the shard back.
    pub(super) fn release(&mut self, epoch: i64) -> Result<(), Fault> {
        self.run(sql::RELEASE, &[SHARD, Parameter::Number(epoch)])
            .map(drop)
    }

    /// Ends the session that has held the row for so long: of a statement that has come in part, or of one that waits for a
    /// synchronous standby that is away. Whether there was one.
    pub(super) fn end_holder(&mut self, time: Duration) -> Result<bool, Fault> {
        self.end(sql::END_HOLDER, time)
    }

    fn end(&mut self, holder: &str, time: Duration) -> Result<bool, Fault> {
        let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let parameters = [Parameter::Number(ms)];
        let steps: [Step<'_>; 2] = [(sql::AS_SELF, &[]), (holder, &parameters)];
        let ended = self.connection.run(self.time, &steps, &mut |_| Ok(()))?;
        Ok(ended > 0)
    }

    /// Notes that there were so many batches once: nobody may go on before an operator has seen it.
    pub(super) fn mark_lost(&mut self, written: i64, epoch: i64) -> Result<(), Fault> {
        let parameters = [SHARD, Parameter::Number(written), Parameter::Number(epoch)];
        self.run(sql::MARK_LOST, &parameters).map(drop)
    }

    /// Reads records behind a key, in their order, as many as are read at once.
    pub(super) fn page(
        &mut self,
        after: i64,
        each: &mut dyn FnMut(i64, &[u8]),
    ) -> Result<u64, Fault> {
        let parameters = [SHARD, Parameter::Number(after)];
        self.connection.run(
            self.time,
            &[(sql::PAGE_OF_RECORDS, &parameters)],
            &mut |row| {
                if let (Some(key), Some(value)) = (row.number(0), row.bytes(1)) {
                    each(key, value);
                }
                Ok(())
            },
        )
    }

    /// Reads jobs that have ended behind an id, in their order, as many as are read at once.
    pub(super) fn page_of_archive(
        &mut self,
        after: u128,
        each: &mut dyn FnMut(u128, &[u8]),
    ) -> Result<u64, Fault> {
        let parameters = [SHARD, Parameter::Id(after)];
        self.connection.run(
            self.time,
            &[(sql::PAGE_OF_ARCHIVE, &parameters)],
            &mut |row| {
                let id = row.bytes(0).and_then(|id| id.try_into().ok());
                if let (Some(id), Some(json)) = (id, row.bytes(1)) {
                    each(u128::from_be_bytes(id), json);
                }
                Ok(())
            },
        )
    }

    /// The JSON of a job that has ended.
    pub(super) fn find(&mut self, job: Id) -> Result<Option<Vec<u8>>, Fault> {
        let row = self.ask(sql::FIND, &[SHARD, Parameter::Id(job.to_bits())])?;
        Ok(row.and_then(|row| row.bytes(0).map(<[u8]>::to_vec)))
    }

    /// Drops some of the jobs whose ids are smaller. How many.
    pub(super) fn prune(&mut self, end: u128) -> Result<u64, Fault> {
        self.run(sql::PRUNE, &[SHARD, Parameter::Id(end)])
    }
}
