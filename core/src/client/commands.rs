//! What a client is told to do: begin, follow, translate, list, call off, end.

use super::{
    CLOSE_TRIES, Call, Client, CommandError, Exchange, Known, ListQuery, Registration, Retry,
    registration::Trigger,
};
use crate::{
    id::Id,
    model::NewTranslation,
    signature::SigningKey,
    time::{Instant, Now},
};

impl Client<'_> {
    /// Begins: registers the webhook if there is one, then asks for the newest status and about every
    /// followed job. Later it begins again where the server had refused.
    pub fn start(&mut self, now: Now) {
        if self.closing.is_some() {
            return;
        }
        if self.config.webhook.is_some() && !self.is_called_back() {
            self.step(Trigger::Start);
            self.unregistrable = (0, Instant::ZERO);
        }
        if self.registration != Registration::Wanted {
            self.ask_everything(now.instant);
        }
        self.hurry(now.instant);
    }

    /// Asks for the newest status, as soon as may be.
    pub fn ask_status(&mut self, now: Now) {
        self.newest.want(now.instant);
        self.hurry(now.instant);
    }

    /// Follows a job, and asks about it as soon as may be: [`Update::Job`](super::Update::Job) or [`Update::Current`](super::Update::Current) tells
    /// how it is.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoRoom`] and [`CommandError::Closed`].
    pub fn follow(&mut self, now: Now, id: Id) -> Result<(), CommandError> {
        if self.closing.is_some() {
            return Err(CommandError::Closed);
        }
        let found = self.jobs.find(id).and_then(|ix| self.jobs.get(ix));
        let is_followed = found.is_some_and(Known::is_followed);
        // The job that is being submitted has its slot already.
        let kept = usize::from(self.submission.is_translation());
        if !is_followed && self.jobs.room() <= kept {
            return Err(CommandError::NoRoom);
        }
        let ix = self.jobs.follow(id).ok_or(CommandError::NoRoom)?;
        self.jobs.want(ix);
        self.hurry(now.instant);
        Ok(())
    }

    /// Follows a job no longer, and makes room for another one.
    pub fn unfollow(&mut self, id: Id) {
        if let Some(ix) = self.jobs.find(id) {
            self.jobs.unfollow(ix);
        }
    }

    /// Asks for a translation. [`Update::Submitted`](super::Update::Submitted) tells its job, which is followed from then on, or
    /// [`Update::Refused`](super::Update::Refused) why there is none.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn submit(&mut self, now: Now, new: &NewTranslation<&str>) -> Result<(), CommandError> {
        self.check_free()?;
        if self.jobs.room() == 0 {
            return Err(CommandError::NoRoom);
        }
        match &self.config.webhook {
            Some(webhook) if webhook.as_callback && new.callback_url.is_none() => {
                webhook.with_url(|url| {
                    let new = NewTranslation {
                        callback_url: Some(url),
                        ..*new
                    };
                    self.submission.translate(&new, &mut self.random)
                })?;
            }
            _ => self.submission.translate(new, &mut self.random)?,
        }
        self.hurry(now.instant);
        Ok(())
    }

    /// Asks for a page of the list of translations. [`Update::List`](super::Update::List) has it, or [`Update::Refused`](super::Update::Refused) tells why not. It shares its
    /// memory with translations that are submitted: there is one of the two at a time.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn list(&mut self, now: Now, query: &ListQuery<'_>) -> Result<(), CommandError> {
        self.check_free()?;
        self.submission.list(query)?;
        self.hurry(now.instant);
        Ok(())
    }

    /// Asks for the translation, or the page, no longer. If the server has the request already, there may be a job
    /// all the same.
    pub const fn withdraw(&mut self) {
        self.submission.end();
    }

    /// Calls a job off, whether it is followed or not. [`Canceled`](super::Update::Canceled) tells when it is; [`Refused`](super::Update::Refused) that it had
    /// ended before, or why it goes on.
    ///
    /// # Errors
    ///
    /// [`CommandError::Busy`] while another one is to be called off, and [`CommandError::Closed`].
    pub fn cancel(&mut self, now: Now, id: Id) -> Result<(), CommandError> {
        if self.closing.is_some() {
            return Err(CommandError::Closed);
        }
        if self.canceling.is_some_and(|other| other != id) {
            return Err(CommandError::Busy);
        }
        self.canceling = Some(id);
        self.hurry(now.instant);
        Ok(())
    }

    /// Whether the memory for a request's text is free.
    fn check_free(&self) -> Result<(), CommandError> {
        let text = |e: &Exchange| matches!(e.call, Call::Translate | Call::List);
        let under_way = self.in_flight.as_ref().is_some_and(text);
        if self.closing.is_some() {
            Err(CommandError::Closed)
        } else if under_way || self.submission.call().is_some() {
            Err(CommandError::Busy)
        } else {
            Ok(())
        }
    }

    /// Accepts signatures by another key as well, for the time in which the server's secret is
    /// rotated. The key before the last is dropped.
    pub fn add_key(&mut self, key: SigningKey) {
        let [newest, older] = &mut self.keys;
        *older = newest.replace(key);
    }

    /// Wants to be told no longer: the registration is removed, and nothing else is asked.
    /// [`is_closed`](Self::is_closed) tells when that is done.
    pub fn close(&mut self) {
        if self.closing.is_none() {
            self.closing = Some(CLOSE_TRIES);
            self.step(Trigger::Close);
            self.retry = Retry::NONE;
        }
    }

    /// Cuts a pause short: somebody waits for an answer. Not one that the server asked for.
    fn hurry(&mut self, now: Instant) {
        if !self.retry.asked_for {
            self.retry.not_before = self.retry.not_before.min(now);
        }
    }
}
