//! Folding the journal into the records, beside what goes on.
//!
//! A commit adds a row to the journal and changes no record, so it costs one row however many records it has. What the oldest
//! rows come to is written into the records by a session of its own, on a thread of its own, once there is enough of it to be
//! worth it: what was written and deleted in between, or written ten times, costs the records nothing or once. It is no
//! matter for how long nothing is folded but for the room that it takes and the time that a start needs to read it. So where
//! the journal is long, a commit waits for what is being folded, or folds some of it itself.
//!
//! What was folded leaves dead rows, of which the room is used again when they were swept up. That is done here too, when as
//! much has gone as a quarter of what is there: a database that sweeps up late, or cannot for a stranger's old transaction, makes
//! the journal's table large and nothing slow.

use super::{
    hosts::Place,
    journal::{Changes, row_bytes},
    schema::Trouble,
    session::Session,
};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

const MIB: usize = 1024 * 1024;
/// From so many bytes on, what is in the journal is folded.
const ENOUGH_BYTES: usize = 8 * MIB;
/// What is folded at once beside what goes on, in bytes.
const FOLD_BYTES: usize = 8 * MIB;
/// From so many bytes on, commits wait.
const LONG_BYTES: usize = 64 * MIB;
/// What a commit folds itself then, in bytes: it keeps nobody waiting for long.
const INLINE_BYTES: usize = MIB / 2;
/// From so many bytes on, room is made usable again.
const TIDY_BYTES: usize = 16 * MIB;
/// How long the database may take for it, where nobody waits.
const TIME: Duration = Duration::from_secs(60);
/// The pause after what failed.
const AGAIN: Duration = Duration::from_secs(1);

/// What folds.
#[derive(Debug)]
pub(super) struct Folder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    place: Place,
    state: Mutex<State>,
    /// Raised when there is more to fold, less, or nothing is wanted any more.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whose batches they are.
    epoch: i64,
    /// The newest batch.
    newest: i64,
    /// Up to which batch all is in the records, as far as is known here.
    folded: i64,
    /// What is not folded, in bytes.
    bytes: usize,
    /// What was folded since room was made usable again, in bytes.
    gone: usize,
    /// Whether there is a thread for it.
    runs: bool,
    /// Whether it is at it.
    busy: bool,
    ended: bool,
}

impl Folder {
    pub(super) fn new(place: Place) -> Self {
        Self(Arc::new(Shared {
            place,
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// Up to which batch all is in the records, as far as is known here.
    pub(super) fn folded(&self) -> i64 {
        self.0.state().folded
    }

    /// A batch was written.
    pub(super) fn added(&self, epoch: i64, batch: i64, records: usize) {
        let mut state = self.0.state();
        (state.epoch, state.newest) = (epoch, batch);
        state.bytes += row_bytes(records);
        if state.bytes < ENOUGH_BYTES {
            return;
        }
        self.0.changed.notify_all();
        if state.runs {
            return;
        }
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("dubhook-fold".to_owned());
        match thread.spawn(move || shared.run()) {
            Ok(_) => state.runs = true,
            // A commit does it, once it must.
            Err(error) => tracing::warn!(%error, "no thread to fold the journal"),
        }
    }

    /// So much was found in the journal at the start.
    pub(super) fn found(&self, bytes: usize) {
        self.0.state().bytes = bytes;
    }

    /// Keeps a commit waiting while the journal is long, but not for long: for who is folding it, or, where nobody is, by folding
    /// some of it.
    pub(super) fn keep_short(
        &self,
        session: &mut Session,
        epoch: i64,
        patience: Duration,
    ) -> Result<(), Trouble> {
        let shared = &self.0;
        let state = shared.state();
        if state.bytes < LONG_BYTES {
            return Ok(());
        }
        if !state.busy {
            let newest = state.newest;
            drop(state);
            return shared.fold(session, epoch, newest, INLINE_BYTES).map(drop);
        }
        let is_long = |state: &mut State| state.busy && state.bytes >= LONG_BYTES;
        drop(shared.changed.wait_timeout_while(state, patience, is_long));
        Ok(())
    }

    /// Nothing is wanted any more.
    pub(super) fn end(&self) {
        self.0.state().ended = true;
        self.0.changed.notify_all();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers, each of which is right by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Folds whenever there is enough of it.
    fn run(&self) {
        let (mut session, mut failing) = (None, false);
        while let Some((epoch, newest)) = self.wait() {
            let since = Instant::now();
            self.state().busy = true;
            let done = self.step(&mut session, epoch, newest);
            self.state().busy = false;
            match done {
                Ok(Some(())) => {
                    if failing {
                        tracing::info!("the journal is folded again");
                    }
                    failing = false;
                    // Half of the time is for what goes on, unless that must wait.
                    self.rest(since.elapsed(), LONG_BYTES / 2);
                }
                Ok(None) => self.rest(AGAIN, usize::MAX),
                Err(trouble) => {
                    session = None;
                    if !failing {
                        tracing::warn!(%trouble, "the journal is not folded; trying again");
                    }
                    failing = true;
                    self.rest(AGAIN, usize::MAX);
                }
            }
        }
    }

    /// Waits until there is enough. Whose it is, and the newest batch; nothing at the end.
    fn wait(&self) -> Option<(i64, i64)> {
        let waits = |state: &mut State| {
            !state.ended && (state.bytes < ENOUGH_BYTES || state.folded + 1 >= state.newest)
        };
        let waited = self.changed.wait_while(self.state(), waits);
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        (!state.ended).then_some((state.epoch, state.newest))
    }

    /// Lets others go on for so long, while the journal is shorter than this.
    fn rest(&self, time: Duration, bytes: usize) {
        let rests = |state: &mut State| !state.ended && state.bytes < bytes;
        drop(self.changed.wait_timeout_while(self.state(), time, rests));
    }

    fn step(
        &self,
        kept: &mut Option<Session>,
        epoch: i64,
        newest: i64,
    ) -> Result<Option<()>, Trouble> {
        let session = match kept.take() {
            Some(session) => session,
            None => self.place.folding(TIME)?,
        };
        let session = kept.insert(session);
        if self.fold(session, epoch, newest, FOLD_BYTES)?.is_none() {
            // One that was given up may still hold what it wanted to fold.
            session.end_folder(TIME)?;
            return Ok(None);
        }
        let gone = self.state().gone;
        if gone >= TIDY_BYTES && gone >= session.room()? / 4 {
            session.tidy()?;
            self.state().gone -= gone;
        }
        Ok(Some(()))
    }

    /// Folds the oldest batches, but never the newest one, until they come to so many bytes. Nothing where somebody else folds
    /// them, or is the owner.
    fn fold(
        &self,
        session: &mut Session,
        epoch: i64,
        newest: i64,
        bytes: usize,
    ) -> Result<Option<()>, Trouble> {
        let mut changes = Changes::default();
        let mut damage = None;
        session.journal(-1, newest - 1, bytes, &mut |batch, row| {
            if damage.is_none() {
                damage = changes.add(batch, row).err();
            }
        })?;
        if let Some(error) = damage {
            return Err(error.into());
        }
        let Some((_, last)) = changes.batches() else {
            // The newest one is all there is.
            let mut state = self.state();
            state.folded = state.folded.max(newest - 1);
            return Ok(Some(()));
        };
        if !session.fold(epoch, &changes)? {
            return Ok(None);
        }
        let mut state = self.state();
        state.folded = state.folded.max(last);
        state.bytes = state.bytes.saturating_sub(changes.bytes());
        state.gone += changes.bytes();
        drop(state);
        self.changed.notify_all();
        Ok(Some(()))
    }
}
