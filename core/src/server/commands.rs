//! What a front end beside the HTTP API asks for: a button, a serial line, a screen. Nothing of it waits; whoever shows what
//! came of it first sees whether that [is durable](crate::service::Service::is_durable).

use super::Server;
use crate::{
    id::Id,
    service::{
        EndpointChange, EndpointError, NewEndpoint, NewJob, ReportError, SubmitError, Submitted,
    },
    slab::Ix,
    time::Now,
};

impl Server<'_> {
    /// Accepts a job.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says why nothing was accepted.
    pub fn submit(&mut self, now: Now, new: &NewJob<'_>) -> Result<Submitted, SubmitError> {
        self.check_clock(now);
        if !self.service.may_be_accepted(new) {
            return Err(SubmitError::Invalid);
        }
        self.service.submit(now, new)
    }

    /// Accepts a job, or finds the one that the same request made before: `key` is what its sender calls it, and `request`
    /// tells it from others that are called the same. With the feature `idempotency`.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says why nothing was accepted.
    #[cfg(feature = "idempotency")]
    pub fn submit_once(
        &mut self,
        now: Now,
        new: &NewJob<'_>,
        key: &[u8],
        request: &[u8],
    ) -> Result<Submitted, SubmitError> {
        self.check_clock(now);
        if !self.service.may_be_accepted(new) {
            return Err(SubmitError::Invalid);
        }
        let key = self.service.idempotency_key(key, request);
        self.service.submit_once(now, new, key)
    }

    /// Calls a job off.
    ///
    /// # Errors
    ///
    /// [`ReportError`] says why it goes on: it has ended, or there is none.
    pub fn cancel(&mut self, now: Now, id: Id) -> Result<Ix, ReportError> {
        self.check_clock(now);
        self.service.cancel(now, id)
    }

    /// Registers an endpoint. One that is narrowed to a job that has ended is sent its ending at once.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it was not.
    pub fn create_endpoint(&mut self, now: Now, new: NewEndpoint<'_>) -> Result<Ix, EndpointError> {
        self.check_clock(now);
        self.service.create_endpoint(now, new)
    }

    /// Changes an endpoint. Enabling it again also forgives it its failures.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it is as it was.
    pub fn change_endpoint(
        &mut self,
        ix: Ix,
        change: EndpointChange<'_>,
    ) -> Result<(), EndpointError> {
        self.service.change_endpoint(ix, change)
    }

    /// Removes an endpoint, and with it all that it is owed. One that is gone already is as well.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotStarted`].
    pub fn remove_endpoint(&mut self, ix: Ix) -> Result<(), EndpointError> {
        self.service.remove_endpoint(ix)
    }

    /// Gives an endpoint a new secret; what is sent to it is signed with the old one too for a while.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it has the one it had: as many replaced ones as there is room for still sign.
    pub fn rotate_secret(&mut self, now: Now, ix: Ix) -> Result<(), EndpointError> {
        self.check_clock(now);
        self.service.rotate_secret(now, ix)
    }

    /// Sends a test event to an endpoint. Returns its id.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why none was sent.
    pub fn test_endpoint(&mut self, now: Now, ix: Ix) -> Result<Id, EndpointError> {
        self.check_clock(now);
        self.service.test_endpoint(now, ix)
    }

    /// Sends again, now, what an endpoint is owed whose event was at `since` or later, or of that only the event with this
    /// id: dead letters, those of one job in their order, and what waits for another attempt. The endpoint's pause ends.
    /// Returns how many are sent. With the feature `redelivery`.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotStarted`].
    #[cfg(feature = "redelivery")]
    pub fn redeliver(
        &mut self,
        ix: Ix,
        since: crate::time::Timestamp,
        event: Option<Id>,
    ) -> Result<usize, EndpointError> {
        self.service.redeliver(ix, since, event)
    }
}
