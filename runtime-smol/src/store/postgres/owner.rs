//! The owner of the records: how they are taken and kept, and what is done when nobody knows what became of something.

use super::{
    fault::{Fault, LOCKED},
    fold::Folder,
    lease::{Lease, Moment},
    schema::{self, Trouble},
    session::{Place, Session},
    sql,
    url::Address,
    watch::{self, Watch},
};
use crate::{
    entropy,
    store::{Ownership, StoreError},
    tls::Trust,
};
use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The shortest pause before the database is asked again.
const AGAIN: Duration = Duration::from_millis(50);
/// The longest name of a schema, in bytes.
const SCHEMA_BYTES_MAX: usize = 63;

/// How a database is used.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it is.
    pub address: Address,
    /// In which schema the tables are.
    pub schema: String,
    /// For how long a server may speak after its last success; how long others wait before they take over.
    pub lease: Duration,
    /// Which database is believed to be who it says.
    pub trust: Trust,
}

/// Records in a database, of which one server at a time is the owner.
#[derive(Debug)]
pub struct Postgres {
    pub(super) place: Place,
    /// What this server is called in the shard's row: no other one is, nor this one after a restart.
    name: String,
    pub(super) lease: Lease,
    /// What owns and writes.
    pub(super) held: Mutex<Held>,
    /// What only reads what does not change, beside it.
    reader: Mutex<Option<Session>>,
    /// What folds the journal, beside them.
    pub(super) folder: Folder,
    /// Whether nothing more is wanted.
    pub(super) closing: AtomicBool,
    /// Where this server is reached.
    pub(super) url: OnceLock<String>,
    /// What was seen last, for whoever asks while `held` waits for the database.
    seen: Mutex<Seen>,
}

/// What is known of the records' owner.
#[derive(Debug, Default)]
struct Seen {
    epoch: i64,
    url: Option<String>,
    /// Whether the database does not answer.
    silent: bool,
}

#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) session: Option<Session>,
    /// Which epoch is ours; none before the records were taken.
    pub(super) epoch: Option<i64>,
    /// How many batches there are.
    pub(super) batch: i64,
    /// Whether something was asked of which nobody knows whether it was done.
    pub(super) doubt: bool,
    pub(super) watch: Watch,
    /// Since when the database does not answer.
    pub(super) silent: Option<Instant>,
    /// How often in a row it did not.
    pub(super) failures: u32,
}

impl Postgres {
    /// A store there. Nothing is asked of the database yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the schema cannot have this name, there is no randomness, or a certificate of the URL cannot be
    /// read.
    pub fn new(options: Options) -> Result<Self, StoreError> {
        let Options {
            address,
            schema,
            lease,
            mut trust,
        } = options;
        if !(1..=SCHEMA_BYTES_MAX).contains(&schema.len())
            || schema.starts_with("pg_")
            || schema.contains('\0')
        {
            return Err(StoreError::Failed(
                "a schema has a name of 1 to 63 bytes that does not begin with pg_".into(),
            ));
        }
        if let Some(file) = &address.roots {
            trust = trust
                .with_file(file)
                .map_err(|error| StoreError::Failed(format!("sslrootcert: {error}").into()))?;
        }
        let place = Place {
            address,
            schema,
            trust,
            time: lease,
            lock_time: lease / 4,
        };
        Ok(Self {
            name: name()?,
            lease: Lease::new(lease),
            folder: Folder::new(place.clone()),
            place,
            held: Mutex::default(),
            reader: Mutex::default(),
            closing: AtomicBool::new(false),
            url: OnceLock::new(),
            seen: Mutex::default(),
        })
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that holds the lock leaves half a change behind that a doubt does not cover.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does this until the database has answered.
    pub(super) fn insist<T>(
        &self,
        held: &mut Held,
        mut step: impl FnMut(&mut Held) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        loop {
            if self.closing.load(Ordering::Acquire) {
                return Err(StoreError::Closed);
            }
            match step(held) {
                Ok(done) => {
                    self.answered(held);
                    return Ok(done);
                }
                Err(Trouble::Final(error)) => {
                    // They are no longer this server's to speak of, nor to give back.
                    self.lease.end();
                    held.epoch = None;
                    return Err(error);
                }
                Err(Trouble::Fault(fault)) if held.epoch.is_none() && fault.is_lasting() => {
                    return Err(fault.into());
                }
                // Once it has worked it can be mended: a password that is changed on one side first, a role.
                Err(Trouble::Fault(fault)) => thread::sleep(self.silent(held, &fault)),
            }
        }
    }

    fn url(&self) -> Option<&str> {
        self.url.get().map(String::as_str)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known without asking.
    pub(super) fn known(&self) -> Ownership {
        let lease_left = self.lease.left(Moment::now());
        let seen = self.seen();
        Ownership {
            epoch: seen.epoch.try_into().unwrap_or(0),
            is_own: !lease_left.is_zero(),
            url: seen.url.clone(),
            lease_left,
            answers: !seen.silent,
        }
    }

    pub(super) fn answered(&self, held: &mut Held) {
        held.failures = 0;
        self.seen().silent = false;
        if let Some(since) = held.silent.take() {
            tracing::info!(took = ?since.elapsed(), "the database answers again");
        }
    }

    /// The database does not answer: how long to wait before it is asked again.
    pub(super) fn silent(&self, held: &mut Held, fault: &Fault) -> Duration {
        if held.silent.is_none() {
            tracing::warn!(database = %self.place.address, %fault, "the database does not answer; asking again");
            held.silent = Some(Instant::now());
            self.seen().silent = true;
        }
        held.session = None;
        let pause = AGAIN * 2_u32.saturating_pow(held.failures.min(8));
        held.failures += 1;
        pause.min(self.place.lock_time).max(AGAIN)
    }

    /// A session of the owner, and its epoch. After one that broke it is a new one, and how far the batches are is asked
    /// by a write.
    pub(super) fn owned<'h>(&self, held: &'h mut Held) -> Result<(&'h mut Session, i64), Trouble> {
        let epoch = held.epoch.ok_or(StoreError::Closed)?;
        let session = match held.session.take() {
            Some(session) => session,
            None => self.place.session()?,
        };
        let session = held.session.insert(session);
        if held.doubt {
            let sent = Moment::now();
            let beaten = match session.beat(epoch) {
                // What we asked before holds the row, and its answer is not coming.
                Err(fault) if fault.code() == LOCKED => {
                    session.end_holder(self.place.lock_time)?;
                    return Err(fault.into());
                }
                beaten => beaten?,
            };
            let Some(batch) = beaten else {
                return Err(self.dispossessed(session, epoch, held.batch)?.into());
            };
            if batch < held.batch {
                return Err(self.lost(session, epoch, held.batch, batch)?.into());
            }
            held.batch = batch;
            held.doubt = false;
            self.lease.renew(sent);
        }
        Ok((session, epoch))
    }

    /// Another epoch has begun. Who took over, or that it was lost that this one has begun.
    fn dispossessed(
        &self,
        session: &mut Session,
        epoch: i64,
        batch: i64,
    ) -> Result<StoreError, Fault> {
        let found = session.look()?;
        Ok(match found {
            Some(shard) if shard.epoch > epoch => {
                if shard.batch < batch {
                    return self.lost(session, epoch, batch, shard.batch);
                }
                StoreError::TakenOver {
                    by: shard.owner.unwrap_or_else(|| "nobody yet".to_owned()),
                }
            }
            Some(shard) => return self.lost(session, epoch, batch, shard.batch),
            None => return self.lost(session, epoch, batch, 0),
        })
    }

    /// What was acknowledged is gone: it is noted, so that nobody goes on before an operator has seen it.
    fn lost(
        &self,
        session: &mut Session,
        epoch: i64,
        written: i64,
        found: i64,
    ) -> Result<StoreError, Fault> {
        session.mark_lost(written, epoch)?;
        Ok(self.lost_error(written, found))
    }

    fn lost_error(&self, written: i64, found: i64) -> StoreError {
        StoreError::Forgotten {
            found: u64::try_from(found).unwrap_or(0),
            written: u64::try_from(written).unwrap_or(0),
            accept: format!(
                "UPDATE {}.shard SET lost = NULL WHERE shard = {}",
                sql::quoted(&self.place.schema),
                sql::SHARD
            ),
        }
    }

    /// One look at the row. The epoch and the batch, if it was taken; else how long to wait.
    pub(super) fn try_to_take(&self, held: &mut Held) -> Result<Option<Duration>, Trouble> {
        if held.session.is_none() {
            held.session = Some(schema::open(&self.place)?);
        }
        let session = held.session.as_mut().ok_or(StoreError::Closed)?;
        let shard = session.look()?;
        let now = Moment::now();
        let Some(shard) = shard else {
            // Somebody has removed it since the session was made.
            return Err(Fault::Silent.into());
        };
        if let Some(written) = shard.lost {
            return Err(self.lost_error(written, shard.batch).into());
        }
        if let Some(written) = held.watch.has_lost(&shard) {
            return Err(self
                .lost(session, shard.epoch, written, shard.batch)?
                .into());
        }
        {
            let mut seen = self.seen();
            seen.epoch = shard.epoch;
            // Nobody is reached where the one who gave it back was.
            seen.url = shard.url.clone().filter(|_| shard.owner.is_some());
        }
        let pause = watch::pause(shard.lease.min(self.lease.time()));
        if !held.watch.look(&shard, now) {
            return Ok(Some(pause));
        }
        let sent = Moment::now();
        match session.take(&shard, &self.name, self.lease.time(), self.url()) {
            Ok(Some((epoch, batch))) => {
                (held.epoch, held.batch, held.doubt) = (Some(epoch), batch, false);
                self.lease.renew(sent);
                let mut seen = self.seen();
                (seen.epoch, seen.url) = (epoch, self.url().map(str::to_owned));
                let from = shard.owner.as_deref().unwrap_or("nobody");
                tracing::info!(epoch, batch, from, "owns the records");
                Ok(None)
            }
            // Its owner lives, or another one was quicker.
            Ok(None) => Ok(Some(pause)),
            Err(fault) if fault.code() == LOCKED => {
                let ended = session.end_holder(self.place.lock_time)?;
                tracing::warn!(ended, "the old owner's session holds its row");
                Ok(Some(AGAIN))
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Does this beside what is written, within the time of a lease.
    pub(super) fn beside<T>(
        &self,
        time: Duration,
        mut step: impl FnMut(&mut Session) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let until = Instant::now() + time;
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let fault = match self.reading(&mut reader, time).and_then(&mut step) {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            *reader = None;
            if Instant::now() >= until || self.closing.load(Ordering::Acquire) {
                return Err(StoreError::Unanswered(Box::new(fault)));
            }
            thread::sleep(AGAIN);
        }
    }

    fn reading<'r>(
        &self,
        reader: &'r mut Option<Session>,
        time: Duration,
    ) -> Result<&'r mut Session, Fault> {
        let session = match reader.take() {
            Some(session) => session,
            None => self.place.session()?,
        };
        let session = reader.insert(session);
        session.limit(time);
        Ok(session)
    }
}

/// What this server is called: its machine, its process, and something that nobody else has.
fn name() -> Result<String, StoreError> {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy().into_owned();
    let seed = entropy::seed().map_err(StoreError::from)?;
    let [a, b, c, d, ..] = seed;
    let run = u32::from_be_bytes([a, b, c, d]);
    Ok(format!("{machine}/{}/{run:08x}", std::process::id()))
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::Failed(Box::new(fault))
    }
}
