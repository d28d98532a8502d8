//! A store that asks a database what its [owner](super::owner) wants to know.

use super::{
    fault::{Fault, LOCKED},
    fold::Folder,
    hosts::Place,
    owner::{Answer, End, Failure, Lease, Moment, Operation, Owner, Step, Want},
    schema::{self, Trouble},
    session::Session,
    sql,
    url::Address,
};
use crate::{
    entropy,
    store::{Ownership, StoreError},
    tls::Trust,
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long to wait before the archive is asked again.
const AGAIN: Duration = Duration::from_millis(50);
/// How long giving the records back may take: whoever stands by takes them in any case.
const RELEASE: Duration = Duration::from_secs(2);
/// How long another reason why the database does not answer is kept from the log.
const TOLD_AGAIN: Duration = Duration::from_secs(10);
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

/// Writes a batch, or reads records, on a session: whether a batch was written, and what came of reading.
pub(super) type Work<'w> = dyn FnMut(&mut Session, &Operation) -> Result<Answer, Trouble> + 'w;

/// Records in a database, of which one server at a time is the owner.
#[derive(Debug)]
pub struct Postgres {
    place: Place,
    /// What this server is called in the shard's row: no other one is, nor this one after a restart.
    name: String,
    pub(super) lease: Arc<Lease>,
    /// What owns and writes.
    held: Mutex<Held>,
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
    /// Since when the database does not answer, or takes nothing.
    silent: Option<Moment>,
}

/// The owner, and its connection.
#[derive(Debug)]
struct Held {
    owner: Owner,
    session: Option<Session>,
    /// Why there was no answer the last time.
    trouble: Option<StoreError>,
    /// What was told the operator of that last, and when.
    told: Option<(String, Instant)>,
    /// Whether it has answered once.
    has_worked: bool,
    warned: schema::Warned,
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
        let name = name()?;
        let time = lease;
        let lease = Arc::new(Lease::new(time));
        let owner = Owner::new(name.clone(), Arc::clone(&lease));
        let place = Place {
            address,
            schema,
            trust,
            time,
            lock_time: time / 4,
        };
        Ok(Self {
            name,
            lease,
            folder: Folder::new(place.clone()),
            place,
            held: Mutex::new(Held {
                owner,
                session: None,
                trouble: None,
                told: None,
                has_worked: false,
                warned: None,
            }),
            reader: Mutex::default(),
            closing: AtomicBool::new(false),
            url: OnceLock::new(),
            seen: Mutex::default(),
        })
    }

    /// Does what is wanted, and waits until it is done; `work` is what is to be written or read. Only who wants to have the
    /// records does not wait: where they cannot be had yet, it is told how long to stay away.
    pub(super) fn fulfil(
        &self,
        want: Want,
        work: &mut Work<'_>,
    ) -> Result<Option<Duration>, StoreError> {
        // Nothing that holds the lock leaves half a change behind that a doubt does not cover.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = &mut *held;
        held.owner.want(Moment::now(), want);
        loop {
            if self.closing.load(Ordering::Acquire) {
                held.owner.close();
            }
            match held.owner.poll(Moment::now()) {
                Step::Ask(operation) => {
                    let answer = self.ask(held, &operation, work);
                    let answer = answer.map_err(|trouble| self.failed(held, trouble));
                    held.owner.handle(Moment::now(), answer);
                    self.note(held);
                }
                Step::Pause(pause) if want == Want::Take => {
                    // Whoever comes sooner looks sooner.
                    held.owner.put_off();
                    return Ok(Some(pause));
                }
                Step::Pause(pause) => thread::sleep(pause),
                Step::Done(Ok(())) => return Ok(None),
                Step::Done(Err(end)) => return Err(self.error(held, end)),
                // Each question is answered before the next step.
                Step::Wait => return Err(StoreError::Closed),
            }
        }
    }

    /// Asks the database, on a connection that is made where there is none.
    fn ask(
        &self,
        held: &mut Held,
        operation: &Operation,
        work: &mut Work<'_>,
    ) -> Result<Answer, Trouble> {
        let session = match held.session.take() {
            Some(session) => session,
            // It is not worth a connection.
            None if matches!(operation, Operation::Release { .. }) => {
                return Err(Fault::Silent.into());
            }
            None if held.owner.epoch().is_some() => schema::reopen(&self.place, &mut held.warned)?,
            None => schema::open(&self.place, &mut held.warned)?,
        };
        let session = held.session.insert(session);
        match operation {
            Operation::Look => {
                let row = session.look()?;
                held.has_worked = true;
                Ok(Answer::Row(row))
            }
            Operation::Take(seen) => {
                let time = self.lease.time();
                let taken = session.take(seen, &self.name, time, self.url())?;
                if let Some((epoch, batch)) = taken {
                    let from = seen.owner.as_deref().unwrap_or("nobody");
                    tracing::info!(epoch, batch, from, "owns the records");
                }
                Ok(Answer::Taken(taken))
            }
            Operation::Write { .. } | Operation::Read => work(session, operation),
            Operation::Beat { epoch } => Ok(Answer::Beaten(session.beat(*epoch)?)),
            Operation::EndHolder => {
                let ended = session.end_holder(self.place.lock_time)?;
                tracing::warn!(ended, "another session holds the owner's row");
                Ok(Answer::Done)
            }
            Operation::MarkLost { epoch, written, .. } => {
                session.mark_lost(*written, *epoch)?;
                Ok(Answer::Done)
            }
            Operation::Release { epoch } => {
                session.limit(RELEASE);
                session.release(*epoch)?;
                held.session = None;
                tracing::info!("gave the records back");
                Ok(Answer::Done)
            }
        }
    }

    /// What it means that there is no answer.
    fn failed(&self, held: &mut Held, trouble: Trouble) -> Failure {
        let (failure, error) = match trouble {
            Trouble::Fault(fault) if fault.code() == LOCKED => (Failure::Locked, fault.into()),
            // What has worked can be mended: a role, a password that is changed here first, a rule that a new host lacks.
            Trouble::Fault(fault)
                if fault.is_lasting() && !(held.has_worked && fault.is_mendable()) =>
            {
                (Failure::Lasting, fault.into())
            }
            Trouble::Fault(fault) => (Failure::Unknown, fault.into()),
            Trouble::Final(error) => (Failure::Lasting, error),
        };
        let is_usable = failure == Failure::Locked;
        held.session = held
            .session
            .take()
            .filter(|session| is_usable && !session.is_broken());
        held.trouble = Some(error);
        failure
    }

    /// Notes what is known now, and tells the operator of a database that is silent.
    fn note(&self, held: &mut Held) {
        let is_silent = held.owner.is_silent();
        if is_silent {
            self.tell(held);
        } else if held.told.take().is_some() {
            let since = self.seen().silent.unwrap_or_else(Moment::now);
            let took = Moment::now().since(since);
            tracing::info!(?took, "the database answers again");
        }
        let (epoch, url) = held.owner.seen();
        let is_own = held.owner.epoch().is_some();
        let url = if is_own { self.url() } else { url };
        let mut seen = self.seen();
        seen.epoch = epoch;
        seen.silent = match is_silent {
            true => seen.silent.or_else(|| Some(Moment::now())),
            false => None,
        };
        if seen.url.as_deref() != url {
            seen.url = url.map(str::to_owned);
        }
    }

    /// Says that the database does not answer, and why; again where it is for another reason by now, but not all the time.
    fn tell(&self, held: &mut Held) {
        let why = held.trouble.as_ref().map(ToString::to_string);
        let why = why.unwrap_or_default();
        if let Some((told, at)) = &held.told
            && (*told == why || at.elapsed() < TOLD_AGAIN)
        {
            return;
        }
        tracing::warn!(database = %self.place.address, fault = why, "the database does not answer; asking again");
        held.told = Some((why, Instant::now()));
    }

    fn error(&self, held: &mut Held, end: End) -> StoreError {
        match end {
            End::TakenOver { by } => StoreError::TakenOver {
                by: by.unwrap_or_else(|| "nobody yet".to_owned()),
            },
            End::Lost { found, written } => StoreError::Forgotten {
                found: u64::try_from(found).unwrap_or(0),
                written: u64::try_from(written).unwrap_or(0),
                accept: format!(
                    "UPDATE {}.shard SET lost = NULL WHERE shard = {}",
                    sql::quoted(&self.place.schema),
                    sql::SHARD
                ),
            },
            End::Closed => StoreError::Closed,
            End::Failed => held.trouble.take().unwrap_or(StoreError::Closed),
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
        let now = Moment::now();
        let lease_left = self.lease.left(now);
        let seen = self.seen();
        Ownership {
            epoch: seen.epoch.try_into().unwrap_or(0),
            is_own: !lease_left.is_zero(),
            url: seen.url.clone(),
            lease_left,
            answers: seen.silent.is_none(),
            silent_for: seen.silent.map_or(Duration::ZERO, |since| now.since(since)),
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
