//! A job that is followed.

use super::{
    command::{Command, Followed},
    error::Error,
    model::Translation,
    task::Running,
};
use dubhook_core::id::Prefix;
use std::sync::Arc;

/// A followed job: it knows the last that was heard, and when there is more.
///
/// It keeps its client running; once the last handle of it is gone, the job is followed no longer.
#[derive(Debug, Clone)]
pub struct JobHandle {
    followed: Arc<Followed>,
    running: Arc<Running>,
}

impl JobHandle {
    pub(super) const fn new(followed: Arc<Followed>, running: Arc<Running>) -> Self {
        Self { followed, running }
    }

    /// Its name: `job_…`.
    #[must_use]
    pub fn id(&self) -> String {
        self.followed.id.text(Prefix::Job).as_str().to_owned()
    }

    /// The last that was heard of it, `None` if that is nothing.
    ///
    /// # Errors
    ///
    /// [`Error::JobUnknown`], [`Error::Refused`], [`Error::Closed`].
    pub fn latest(&self) -> Result<Option<Translation>, Error> {
        self.followed.latest()
    }

    /// Waits for news: for more than event number `sequence`, or for its end. 0 waits for the first
    /// thing that is heard.
    ///
    /// # Errors
    ///
    /// As [`latest`](Self::latest).
    pub async fn after(&self, sequence: u32) -> Result<Translation, Error> {
        self.followed.after(sequence).await
    }

    /// Calls it off, and returns how it is then.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] where it has ended already, [`Error::JobUnknown`], [`Error::NoAnswer`], after which it may be called
    /// off all the same, and [`Error::Closed`].
    pub async fn cancel(&self) -> Result<Translation, Error> {
        let id = self.followed.id;
        let command = |reply| Command::Cancel(id, reply);
        self.running.ask(command).await
    }

    /// Waits for its end. It may have completed, failed or been called off:
    /// [`Translation::status`] says which.
    ///
    /// While the server is away this goes on waiting: the job may be running all the same.
    ///
    /// # Errors
    ///
    /// As [`latest`](Self::latest).
    pub async fn wait(&self) -> Result<Translation, Error> {
        let mut latest = self.after(0).await?;
        while !latest.has_ended() {
            latest = self.after(latest.sequence).await?;
        }
        Ok(latest)
    }
}
