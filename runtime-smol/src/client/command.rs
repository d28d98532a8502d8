//! What handles want done, and what they get for it: answers, and jobs that are followed.

use super::{
    error::Error,
    lock::lock,
    model::{Request, Translation},
};
use dubhook_core::{id::Id, model::NewestStatus};
use event_listener::Event as Signal;
use smol::channel::Sender;
use std::sync::{Arc, Mutex};

/// Where an answer goes. Whoever waited for it may be gone.
pub(super) type Reply<T> = Sender<Result<T, Error>>;

/// What a handle wants done.
#[derive(Debug)]
pub(super) enum Command {
    /// Say when the webhook is registered.
    Register(Reply<()>),
    /// Ask for the newest job's status.
    Status(Reply<Option<NewestStatus>>),
    /// Submit a translation.
    Translate(Request, Reply<Arc<Followed>>),
    /// Follow a job.
    Follow(Id, Reply<Arc<Followed>>),
    /// Call a job off.
    Cancel(Id, Reply<Translation>),
    /// Nobody holds a job any more.
    Unfollow(Id),
    /// End, and say when that is done.
    Close(Reply<()>),
}

/// What is known of one job. It is followed for as long as somebody holds this.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) id: Id,
    known: Mutex<Result<Option<Translation>, Error>>,
    changed: Signal,
    commands: Sender<Command>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.commands.try_send(Command::Unfollow(self.id));
    }
}

impl Followed {
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
        let job = Followed::new(Id::NONE, unbounded().0);
        let latest = |job: &Followed| job.latest().unwrap().unwrap().sequence;
        assert_eq!(job.latest().unwrap(), None);
        job.post(Ok(translation(3, Status::Processing)));
        job.post(Ok(translation(2, Status::Pending)));
        assert_eq!(latest(&job), 3);
        job.post(Ok(translation(4, Status::Completed)));
        job.post(Err(Error::Closed));
        assert_eq!(latest(&job), 4);
        let ended = async_io::block_on(job.after(4)).unwrap();
        assert_eq!(ended.status, Status::Completed);

        let job = Followed::new(Id::NONE, unbounded().0);
        job.post(Err(Error::JobUnknown("job_1".into())));
        job.post(Ok(translation(1, Status::Pending)));
        assert!(matches!(job.latest(), Err(Error::JobUnknown(_))));
    }
}
