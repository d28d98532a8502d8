//! What is known, posted where every handle can read it.

use super::{Error, Event, Translation, desk::Command};
use dubhook_core::{id::Id, model::NewestStatus};
use event_listener::Event as Signal;
use smol::channel::{Sender, TrySendError};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Whoever holds a lock here only moves values, so a panic leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What concerns no single job.
#[derive(Debug)]
pub(super) struct Board {
    newest: Mutex<Option<NewestStatus>>,
    /// `None` once nothing will come any more.
    subscribers: Mutex<Option<Vec<Subscriber>>>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            newest: Mutex::new(None),
            subscribers: Mutex::new(Some(Vec::new())),
        }
    }
}

/// Where one stream's events go.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) events: Sender<Event>,
    /// How many did not fit.
    pub(super) missed: Arc<AtomicU64>,
}

impl Board {
    pub(super) fn newest(&self) -> Option<NewestStatus> {
        *lock(&self.newest)
    }

    pub(super) fn set_newest(&self, status: Option<NewestStatus>) {
        *lock(&self.newest) = status;
    }

    pub(super) fn subscribe(&self, subscriber: Subscriber) {
        if let Some(subscribers) = &mut *lock(&self.subscribers) {
            subscribers.push(subscriber);
        }
    }

    /// Hands an event to everybody who still listens.
    pub(super) fn publish(&self, event: &Event) {
        let mut subscribers = lock(&self.subscribers);
        let all = subscribers.iter_mut().flatten();
        for subscriber in all {
            if let Err(TrySendError::Full(_)) = subscriber.events.try_send(event.clone()) {
                subscriber.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some(subscribers) = &mut *subscribers {
            subscribers.retain(|subscriber| !subscriber.events.is_closed());
        }
    }

    /// Nothing will come any more.
    pub(super) fn close(&self) {
        *lock(&self.subscribers) = None;
    }
}

/// What is known of one job. It is followed for as long as somebody holds this.
#[derive(Debug)]
pub(super) struct JobBoard {
    pub(super) id: Id,
    known: Mutex<Result<Option<Translation>, Error>>,
    changed: Signal,
    commands: Sender<Command>,
}

impl Drop for JobBoard {
    fn drop(&mut self) {
        let _ = self.commands.try_send(Command::Unfollow(self.id));
    }
}

impl JobBoard {
    pub(super) const fn new(id: Id, commands: Sender<Command>) -> Self {
        Self {
            id,
            known: Mutex::new(Ok(None)),
            changed: Signal::new(),
            commands,
        }
    }

    /// Posts what was told. An end stays an end.
    pub(super) fn post(&self, told: Result<Translation, Error>) {
        let mut known = lock(&self.known);
        let is_news = match (&*known, &told) {
            (Ok(Some(known)), Ok(told)) => told.sequence > known.sequence,
            (Ok(Some(known)), Err(_)) => !known.has_ended(),
            (Ok(None), _) => true,
            (Err(_), _) => false,
        };
        if is_news {
            *known = told.map(Some);
            drop(known);
            self.changed.notify(usize::MAX);
        }
    }

    /// The last that was heard.
    pub(super) fn latest(&self) -> Result<Option<Translation>, Error> {
        lock(&self.known).clone()
    }

    /// Waits for more than event number `sequence`.
    pub(super) async fn after(&self, sequence: u32) -> Result<Translation, Error> {
        loop {
            let changed = self.changed.listen();
            match self.latest()? {
                Some(latest) if latest.sequence > sequence || latest.has_ended() => {
                    return Ok(latest);
                }
                _ => changed.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dubhook_core::{job::Status, time::Timestamp};
    use smol::channel::unbounded;

    fn translation(sequence: u32, status: Status) -> Translation {
        Translation {
            id: Id::from_bits(1),
            sequence,
            status,
            progress: 0,
            video_url: String::new(),
            source_language: None,
            target_language: String::new(),
            output_url: None,
            error: None,
            reference: None,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            callback_secret: None,
        }
    }

    #[test]
    fn a_job_never_moves_back_and_an_end_is_an_end() {
        let board = JobBoard::new(Id::NONE, unbounded().0);
        let latest = |board: &JobBoard| board.latest().unwrap().unwrap().sequence;
        assert_eq!(board.latest().unwrap(), None);
        board.post(Ok(translation(3, Status::Processing)));
        board.post(Ok(translation(2, Status::Pending)));
        assert_eq!(latest(&board), 3);
        board.post(Ok(translation(4, Status::Completed)));
        board.post(Err(Error::Closed));
        assert_eq!(latest(&board), 4);
        let ended = smol::block_on(board.after(4)).unwrap();
        assert_eq!(ended.status, Status::Completed);

        let board = JobBoard::new(Id::NONE, unbounded().0);
        board.post(Err(Error::JobUnknown("job_1".into())));
        board.post(Ok(translation(1, Status::Pending)));
        assert!(matches!(board.latest(), Err(Error::JobUnknown(_))));
    }
}
