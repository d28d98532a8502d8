//! What happens to endpoints: they are registered, changed, tested, and removed.

use super::{CHANGED, Dispatcher, EndpointChange, EndpointError, Event, NewEndpoint, Subjects};
use crate::{
    delivery::Target,
    endpoint::{self, Disabled, Endpoint, Failing, REPLACED_MAX, Replaced, StoredSecret},
    id::Id,
    note::note,
    out::Out,
    signature::Secret,
    slab::{Ix, Link},
    text::{Source, Text},
    time::Now,
    url::Url,
};

/// Endpoints let go of in one call at most.
const STEP: usize = 64;
/// Deliveries of each kind looked at for one request at most.
#[cfg(feature = "redelivery")]
const REDELIVER_MAX: usize = 10_000;

impl<E: Event> Dispatcher<'_, E> {
    /// Registers an endpoint. Returns its slot; its id and secret are in what [`endpoint`](Self::endpoint) shows of that.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it was not.
    pub fn create_endpoint(
        &mut self,
        now: Now,
        new: NewEndpoint<'_, E::Filter>,
    ) -> Result<Ix, EndpointError> {
        let narrowed = new.subject;
        if narrowed.is_some_and(|subject| !self.outbox.is_active(subject)) {
            return Err(EndpointError::Subject);
        }
        self.create_checked(now, &new)
    }

    /// As [`create_endpoint`](Self::create_endpoint), for a subject of which its user knows that it is there.
    pub(crate) fn create_checked(
        &mut self,
        now: Now,
        new: &NewEndpoint<'_, E::Filter>,
    ) -> Result<Ix, EndpointError> {
        if !self.begin() {
            return Err(EndpointError::NotStarted);
        }
        self.check_strings(Some(new.url), Some(new.description))?;
        self.create(now, new).ok_or_else(|| {
            self.counters.refused += 1;
            EndpointError::Full
        })
    }

    /// Makes an endpoint, if there is room for it. A call of its own, for the stack it takes.
    #[inline(never)]
    fn create(&mut self, now: Now, new: &NewEndpoint<'_, E::Filter>) -> Link {
        if self.endpoints.room() == 0 {
            self.reap_endpoints();
        }
        let ix = self.endpoints.vacant()?;
        let text = self
            .text
            .store([new.url.bytes(), new.description.bytes()])?;
        let for_all = new.subject.is_none();
        let room = self.outbox.is_vacant(ix)
            && new
                .subject
                .is_none_or(|subject| self.outbox.admit_target(subject))
            && self.outbox.open_lane(ix, new.filter, for_all);
        if !room {
            self.text.free(text);
            return None;
        }
        let secret = match &new.secret {
            Some(secret) => secret.clone(),
            None => Secret::from_random(self.random.bytes()),
        };
        let previous = self.newest_endpoint().and_then(|ix| self.endpoints.get(ix));
        let previous = previous.map(|endpoint| endpoint.id);
        let mut endpoint = Endpoint::empty(E::NO_FILTER);
        endpoint.id = Id::after(previous, now.timestamp, ix, &mut self.random);
        endpoint.created_at = now.timestamp;
        endpoint.filter = new.filter;
        endpoint.subject = new.subject;
        endpoint.text = text;
        endpoint.secret = StoredSecret::new(&secret);
        endpoint.for_all = for_all;
        endpoint.made = self.outbox.batch();
        self.endpoints.insert(endpoint)?;
        self.newest_endpoints.push_front(&mut self.endpoints, ix);
        self.tie(ix);
        self.want(ix);
        self.touch_endpoint(ix);
        note!(info, "endpoint in slot {}: registered", ix.get());
        Some(ix)
    }

    /// Changes an endpoint. Enabling it again also forgives it its failures.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it is as it was.
    pub fn change_endpoint(
        &mut self,
        ix: Ix,
        change: EndpointChange<'_, E::Filter>,
    ) -> Result<(), EndpointError> {
        if !self.begin() {
            return Err(EndpointError::NotStarted);
        }
        self.check_strings(change.url, change.description)?;
        let endpoint = self.endpoints.get(ix).ok_or(EndpointError::Unknown)?;
        let was_enabled = endpoint.is_enabled();
        let enabled = change.enabled.unwrap_or(was_enabled);
        let filter = change.filter.unwrap_or(endpoint.filter);
        let (old_text, for_all) = (endpoint.text, endpoint.for_all);
        let text = match (change.url, change.description) {
            (None, None) => None,
            (url, description) => Some(
                self.copy_text(old_text, url, description)
                    .ok_or(EndpointError::Full)?,
            ),
        };
        if enabled && !was_enabled && !self.outbox.open_lane(ix, filter, for_all) {
            if let Some(text) = text {
                self.text.free(text);
            }
            return Err(EndpointError::Full);
        }
        if let Some(text) = text {
            self.text.free(old_text);
            if let Some(endpoint) = self.endpoints.get_mut(ix) {
                endpoint.text = text;
            }
        }
        if change.url.is_some() {
            // How the one before has fared says nothing of this one.
            self.outbox.forgive(ix);
        }
        if let Some(endpoint) = self.endpoints.get_mut(ix) {
            endpoint.filter = filter;
        }
        self.outbox.set_filter(ix, filter);
        if change.enabled == Some(true) {
            // Somebody has seen to it: nothing need wait.
            #[cfg(feature = "redelivery")]
            self.outbox.hasten_all(ix, REDELIVER_MAX, |_, _| true);
            self.outbox.forgive(ix);
        }
        match (was_enabled, enabled) {
            (false, true) => {
                if let Some(endpoint) = self.endpoints.get_mut(ix) {
                    endpoint.disabled = Disabled::No;
                    endpoint.failing = Failing::NOT;
                }
                self.want(ix);
            }
            (true, false) => self.disable(ix, Disabled::ByRequest),
            _ => {}
        }
        self.touch_endpoint(ix);
        Ok(())
    }

    /// Removes an endpoint, and with it all that it is owed. One that is gone already is as well.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotStarted`].
    pub fn remove_endpoint(&mut self, ix: Ix) -> Result<(), EndpointError> {
        if !self.begin() {
            return Err(EndpointError::NotStarted);
        }
        self.remove(ix);
        Ok(())
    }

    pub(super) fn remove(&mut self, ix: Ix) {
        let Some(endpoint) = self.endpoints.get(ix) else {
            return;
        };
        if endpoint.removed {
            return;
        }
        let (subject, text) = (endpoint.subject, endpoint.text);
        self.unwant(ix);
        self.untie(ix);
        if let Some(subject) = subject {
            self.outbox.close_target(subject, to(ix), true);
        }
        self.outbox.close_lane(ix, true);
        self.newest_endpoints.remove(&mut self.endpoints, ix);
        self.text.free(text);
        #[cfg(feature = "lists")]
        self.log.clear(ix);
        if let Some(endpoint) = self.endpoints.get_mut(ix) {
            endpoint.removed = true;
            endpoint.secret = StoredSecret::NONE;
            endpoint.replaced = [Replaced::NONE; REPLACED_MAX];
            endpoint.text = Text::EMPTY;
        }
        self.touch_endpoint(ix);
        self.leaving.push_back(&mut self.endpoints, ix);
        note!(info, "endpoint in slot {}: removed", ix.get());
    }

    /// Gives an endpoint a new secret; the old one signs too for a while.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it has the one it had.
    pub fn rotate_secret(&mut self, now: Now, ix: Ix) -> Result<(), EndpointError> {
        if !self.begin() {
            return Err(EndpointError::NotStarted);
        }
        let at = self.ran(now.instant);
        let until = at.after_ms(self.limits.secret_overlap_ms);
        let secret = Secret::from_random(self.random.bytes());
        let endpoint = self.endpoints.get_mut(ix).ok_or(EndpointError::Unknown)?;
        if !endpoint.rotate(&secret, at, until) {
            return Err(EndpointError::Secrets);
        }
        self.touch_endpoint(ix);
        Ok(())
    }

    /// Sends an event to one endpoint, whatever its filter and apart from what else it is owed: one that came too late for
    /// the event of a subject, or one of no subject, which is a test. Returns the event's id.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says why it was not sent. Where there is no such subject the endpoint is unknown to it.
    pub fn send(
        &mut self,
        ix: Ix,
        subject: Link,
        event: E,
        subjects: &impl Subjects<E>,
    ) -> Result<Id, EndpointError> {
        if !self.begin() {
            return Err(EndpointError::NotStarted);
        }
        let id = self.event_id(subject, ix, &event, subjects);
        let id = id.ok_or(EndpointError::Unknown)?;
        if !self.outbox.send(subject, event, to(ix)) {
            return Err(EndpointError::Full);
        }
        Ok(id)
    }

    /// Sends again, now, what an endpoint is owed whose event was at `since` or later, or of that only the event with this
    /// id: dead letters, those of one subject in their order, and what waits for another attempt. The endpoint's pause ends.
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
        subjects: &impl Subjects<E>,
    ) -> Result<usize, EndpointError> {
        if !self.begin() {
            return Err(EndpointError::NotStarted);
        }
        let own = self.endpoints.get(ix).map(|endpoint| endpoint.id);
        Ok(self.outbox.redeliver(ix, REDELIVER_MAX, |subject, letter| {
            let is_it = |id| {
                let origin = match subject {
                    Some(subject) => subjects.id(subject),
                    None => own,
                };
                origin.map(|origin| origin.event(letter.sequence(), letter.at())) == Some(id)
            };
            letter.at() >= since && event.is_none_or(is_it)
        }))
    }

    /// Disables an endpoint: nothing is sent to it until somebody enables it again.
    pub(super) fn disable(&mut self, ix: Ix, why: Disabled) {
        self.unwant(ix);
        let Some(endpoint) = self.endpoints.get_mut(ix) else {
            return;
        };
        if !endpoint.is_enabled() {
            return;
        }
        endpoint.disabled = why;
        note!(warn, "endpoint in slot {}: disabled, {:?}", ix.get(), why);
        self.outbox.close_lane(ix, false);
        self.touch_endpoint(ix);
    }

    /// Hangs an enabled endpoint among those that want every subject's events.
    fn want(&mut self, ix: Ix) {
        if self.endpoints.get(ix).is_some_and(|e| e.for_all) {
            self.for_all.push_back(&mut self.endpoints, ix);
        }
    }

    fn unwant(&mut self, ix: Ix) {
        if let Some(endpoint) = self.endpoints.get(ix)
            && endpoint.for_all
            && endpoint.is_enabled()
        {
            self.for_all.remove(&mut self.endpoints, ix);
        }
    }

    /// Hangs an endpoint that is narrowed to a subject on that, enabled or not: it is forgotten with it.
    fn tie(&mut self, ix: Ix) {
        let subject = self.endpoints.get(ix).and_then(|endpoint| endpoint.subject);
        if let Some(narrowed) = subject.and_then(|subject| self.outbox.narrowed_mut(subject)) {
            narrowed.push_back(&mut self.endpoints, ix);
        }
    }

    fn untie(&mut self, ix: Ix) {
        let subject = self.endpoints.get(ix).and_then(|endpoint| endpoint.subject);
        if let Some(narrowed) = subject.and_then(|subject| self.outbox.narrowed_mut(subject)) {
            narrowed.remove(&mut self.endpoints, ix);
        }
    }

    /// Puts a restored endpoint where it belongs.
    #[cfg(feature = "records")]
    pub(super) fn start_endpoint(&mut self, ix: Ix) {
        self.tie(ix);
        if self.endpoints.get(ix).is_some_and(Endpoint::is_enabled) {
            self.want(ix);
        }
    }

    /// Frees the slots of removed endpoints that their deliveries have let go of.
    pub(crate) fn reap_endpoints(&mut self) {
        for _ in 0..STEP {
            let Some(ix) = self.leaving.head() else {
                return;
            };
            self.leaving.remove(&mut self.endpoints, ix);
            if self.outbox.is_vacant(ix) {
                self.endpoints.remove(ix);
                self.endpoints.mark(ix, CHANGED);
            } else {
                self.leaving.push_back(&mut self.endpoints, ix);
                return;
            }
        }
    }

    pub(super) fn touch_endpoint(&mut self, ix: Ix) {
        if let Some(endpoint) = self.endpoints.get_mut(ix) {
            endpoint.changed = self.outbox.batch();
        }
        self.endpoints.mark(ix, CHANGED);
    }

    /// Whether these strings are what a record of them can hold, and deliveries count on.
    fn check_strings(
        &mut self,
        url: Option<Source<'_>>,
        description: Option<Source<'_>>,
    ) -> Result<(), EndpointError> {
        let len = |text: Option<Source<'_>>| text.map_or(0, Source::bytes_len);
        if len(url) > self.limits.url_bytes_max
            || len(description) > self.limits.description_bytes_max
        {
            return Err(EndpointError::TooLong);
        }
        let is_url = |url| {
            let text = self.plain(url);
            text.is_some_and(|url| Url::parse(url, usize::MAX).is_ok())
        };
        if url.is_none_or(is_url) {
            Ok(())
        } else {
            Err(EndpointError::Url)
        }
    }

    /// A string in one piece: as it came, or in the scratch memory.
    pub(crate) fn plain<'s>(&'s mut self, text: Source<'s>) -> Option<&'s str> {
        if let Some(text) = text.plain() {
            return Some(text);
        }
        self.rendered = (Id::NONE, 0);
        let mut out = Out::new(self.scratch);
        for byte in text.bytes() {
            out.put_byte(byte);
        }
        let len = out.finish().ok()?;
        core::str::from_utf8(self.scratch.get(..len)?).ok()
    }

    /// Stores an endpoint's strings anew, with some of them replaced.
    fn copy_text(
        &mut self,
        text: Text<2>,
        url: Option<Source<'_>>,
        description: Option<Source<'_>>,
    ) -> Option<Text<2>> {
        // What stays is copied through the scratch memory: a pool cannot read while it writes.
        self.rendered = (Id::NONE, 0);
        let mut out = Out::new(self.scratch);
        if url.is_none() {
            self.text.write(&text, endpoint::field::URL, &mut out);
        }
        let split = out.len();
        if description.is_none() {
            self.text
                .write(&text, endpoint::field::DESCRIPTION, &mut out);
        }
        let len = out.finish().ok()?;
        let kept = core::str::from_utf8(self.scratch.get(..len)?).ok()?;
        let (kept_url, kept_description) = kept.split_at_checked(split)?;
        let url = url.unwrap_or(Source::Plain(kept_url));
        let description = description.unwrap_or(Source::Plain(kept_description));
        self.text.store([url.bytes(), description.bytes()])
    }
}

/// The endpoint in a slot, as the outbox knows it.
const fn to(lane: Ix) -> Target {
    Target {
        lane,
        callback: false,
    }
}
