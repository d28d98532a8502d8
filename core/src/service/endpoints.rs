//! The endpoints of a service: its dispatcher's, narrowed to jobs and tested.

use super::Service;
use crate::{
    dispatch::{self, EndpointError},
    endpoint,
    event::{Event, Filter, Kind},
    id::Id,
    slab::Ix,
    time::{Now, Timestamp},
};

/// A registered webhook.
pub(crate) type Endpoint = endpoint::Endpoint<Filter>;

/// An endpoint that somebody registers. Its subject is the only job whose events it gets.
pub(crate) type NewEndpoint<'a> = dispatch::NewEndpoint<'a, Filter>;

/// What of an endpoint to change. What is `None` stays.
pub(crate) type EndpointChange<'a> = dispatch::EndpointChange<'a, Filter>;

impl Service<'_> {
    /// Registers an endpoint. One that is narrowed to a job that has ended is sent its ending at once.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it was not.
    pub(crate) fn create_endpoint(
        &mut self,
        now: Now,
        new: NewEndpoint<'_>,
    ) -> Result<Ix, EndpointError> {
        let (subject, filter) = (new.subject, new.filter);
        if subject.is_some_and(|job| self.jobs.get(job).is_none()) {
            return Err(EndpointError::Subject);
        }
        let ix = self.dispatch.create_checked(now, &new)?;
        if let Some(event) = subject.and_then(|job| Some(self.jobs.get(job)?.last))
            && event.kind.is_terminal()
            && filter.matches(event.kind)
        {
            // Without room nothing is sent; the reply to the registration tells the ending too.
            let _ = self.dispatch.send(ix, subject, event, &self.jobs);
        }
        Ok(ix)
    }

    /// Changes an endpoint. Enabling it again also forgives it its failures.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it is as it was.
    pub(crate) fn change_endpoint(
        &mut self,
        ix: Ix,
        change: EndpointChange<'_>,
    ) -> Result<(), EndpointError> {
        self.dispatch.change_endpoint(ix, change)
    }

    /// Removes an endpoint, and with it all that it is owed.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotStarted`].
    pub(crate) fn remove_endpoint(&mut self, ix: Ix) -> Result<(), EndpointError> {
        self.dispatch.remove_endpoint(ix)
    }

    /// Gives an endpoint a new secret; the old one signs too for a while.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it has the one it had.
    pub(crate) fn rotate_secret(&mut self, now: Now, ix: Ix) -> Result<(), EndpointError> {
        self.dispatch.rotate_secret(now, ix)
    }

    /// Until when nothing is sent to an endpoint, as far as a pause goes, and why.
    pub(crate) fn paused(&self, now: Now, ix: Ix) -> Option<(Timestamp, &'static str)> {
        let (until, why) = self.dispatch.outbox.pause(ix)?;
        let left_ms = until.ms_since(now.instant);
        Some((now.timestamp.after_ms(left_ms), why.as_str()))
    }

    /// Sends a test event to an endpoint. Returns its id.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why none was sent.
    pub(crate) fn test_endpoint(&mut self, now: Now, ix: Ix) -> Result<Id, EndpointError> {
        let event = Event {
            at: now.timestamp,
            sequence: self.dispatch.random.u64() as u32 >> 8,
            kind: Kind::Test,
            progress: 0,
        };
        self.dispatch.send(ix, None, event, &self.jobs)
    }

    /// Sends again, now, what an endpoint is owed whose event was at `since` or later, or of that only the event with this
    /// id: dead letters, those of one job in their order, and what waits for another attempt. The endpoint's pause ends.
    /// Returns how many are sent. With the feature `redelivery`.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotStarted`].
    #[cfg(feature = "redelivery")]
    pub(crate) fn redeliver(
        &mut self,
        ix: Ix,
        since: crate::time::Timestamp,
        event: Option<Id>,
    ) -> Result<usize, EndpointError> {
        self.dispatch.redeliver(ix, since, event, &self.jobs)
    }
}
