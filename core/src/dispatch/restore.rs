//! How what a dispatcher has written down comes back.

use super::{Dispatcher, Event, Subjects};
use crate::{
    delivery::{SavedStream, Target},
    endpoint::{self, Disabled, Endpoint, Replaced, StoredSecret},
    id::Id,
    record::{FORMAT_VERSION, Key, Read, Stored, Table},
    signature::Secret,
    slab::{Ix, List},
    text::blocks_for,
    time::{Instant, Now, Ran, Timestamp},
    url::Url,
};

/// Why records could not be restored. But for [`Started`](Self::Started) the machine is of no use then: it says the same
/// again to whatever is restored, and does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RestoreError {
    /// It was written by a newer version of this program.
    Version,
    /// It names a slot that the machine's memory does not have.
    Capacity,
    /// It does not say what such a record must, contradicts another one, or is of a subject that is not back.
    Corrupt,
    /// It came after one that belongs behind it.
    Order,
    /// The driver: the machine was lent its memory as one that keeps nothing.
    Keep,
    /// Work has begun already. Nothing has changed.
    Started,
}

impl RestoreError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Version => "the data was written by a newer version",
            Self::Capacity => "the data needs a larger capacity",
            Self::Corrupt => "the data is damaged or contradicts itself",
            Self::Order => "the records came out of order",
            Self::Keep => "the machine keeps nothing",
            Self::Started => "work has begun already",
        }
    }
}

impl core::fmt::Display for RestoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for RestoreError {}

impl<E: Event> Dispatcher<'_, E> {
    /// Puts a record back, before anything else is done with a new dispatcher. Records must come in the order of their
    /// keys, and their subjects must be back already.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] says what is wrong with it.
    pub fn restore(
        &mut self,
        now: Now,
        key: Key,
        value: &[u8],
        subjects: &impl Subjects<E>,
    ) -> Result<(), RestoreError> {
        self.course.may_restore(key)?;
        let restored = self.put_back(now, key, value, subjects);
        self.course.restored(key, restored);
        restored
    }

    /// Puts a record back whose turn it is.
    pub(crate) fn put_back(
        &mut self,
        now: Now,
        key: Key,
        value: &[u8],
        subjects: &impl Subjects<E>,
    ) -> Result<(), RestoreError> {
        let mut read = Read::new(value);
        if key.table == Table::Meta {
            return self.restore_meta(now, &mut read);
        }
        let capacity = match key.table {
            Table::Endpoint => self.endpoints.capacity(),
            Table::Event => self.outbox.events_capacity(),
            Table::Stream => self.outbox.streams_capacity(),
            Table::Meta | Table::Job | Table::State | Table::Key => 0,
        };
        self.put_back_with(key, value, capacity, |this, ix, read| match key.table {
            Table::Endpoint => this.restore_endpoint(now, ix, read, subjects),
            Table::Event => this.restore_event(ix, read, subjects),
            Table::Stream => this.restore_stream(now, ix, read, subjects),
            Table::Meta | Table::Job | Table::State | Table::Key => None,
        })
    }

    /// Puts a record back into one of `capacity` slots by `restore`, which says nothing where the record is not good or
    /// there is no room for its text.
    fn put_back_with(
        &mut self,
        key: Key,
        value: &[u8],
        capacity: usize,
        restore: impl FnOnce(&mut Self, Ix, &mut Read<'_>) -> Option<()>,
    ) -> Result<(), RestoreError> {
        let ix = Ix::new(key.slot).ok_or(RestoreError::Corrupt)?;
        if key.slot as usize > capacity {
            return Err(RestoreError::Capacity);
        }
        let roomy = self.has_text_room(value);
        let mut read = Read::new(value);
        match restore(self, ix, &mut read) {
            Some(()) if read.is_done() => Ok(()),
            None if !roomy => Err(RestoreError::Capacity),
            _ => Err(RestoreError::Corrupt),
        }
    }

    /// Whether there is room for the text of a record, which is shorter than the record.
    pub(crate) fn has_text_room(&self, record: &[u8]) -> bool {
        self.text.room() >= blocks_for(record.len())
    }

    /// Begins work after all records are back and all subjects are admitted again. Where nothing was put back, work begins
    /// by itself.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] where the records contradict each other, or work has begun already.
    pub fn start(&mut self) -> Result<(), RestoreError> {
        self.course.may_start()?;
        self.rebuild();
        let started = if self.outbox.fits() {
            Ok(())
        } else {
            Err(RestoreError::Capacity)
        };
        self.course.started(started);
        started
    }

    /// Keeps room again for a subject that is back after a restart.
    pub(crate) fn readmit(&mut self, subject: Ix, events: u8, callback: bool) -> bool {
        let mut targets_own = u32::from(callback);
        let mut endpoint = self.outbox.narrowed(subject).head();
        while let Some(at) = endpoint {
            targets_own += 1;
            endpoint = List::<{ endpoint::WANTING }>::next(&self.endpoints, at);
        }
        self.outbox.restore_active(subject, events, targets_own)
    }

    /// Puts endpoints and what they are owed in order, after all records are back.
    pub(crate) fn rebuild(&mut self) {
        // By id, which counts up whatever the clock does: the order in which they were made.
        self.newest_endpoints
            .sort(&mut self.endpoints, |a, b| a.id > b.id);
        let mut at = self.newest_endpoints.head();
        while let Some(ix) = at {
            at = self.older_endpoint(ix);
            self.start_endpoint(ix);
        }
        self.outbox.restore_done();
    }

    fn restore_meta(&mut self, now: Now, read: &mut Read<'_>) -> Result<(), RestoreError> {
        let version = read.u8();
        if version > FORMAT_VERSION {
            return Err(RestoreError::Version);
        }
        let master = read.array();
        let ran = if version > 1 { read.ran() } else { Ran::ZERO };
        if !read.is_done() {
            return Err(RestoreError::Corrupt);
        }
        self.set_master(master);
        self.ran_before_ms = ran.as_ms().wrapping_sub(now.instant.as_ms());
        self.ran_noted = ran;
        // What an older version cannot read, it must not try to.
        self.master_dirty = version < FORMAT_VERSION;
        Ok(())
    }

    /// A call of its own, for the stack it takes.
    #[inline(never)]
    fn restore_endpoint(
        &mut self,
        now: Now,
        ix: Ix,
        read: &mut Read<'_>,
        subjects: &impl Subjects<E>,
    ) -> Option<()> {
        let mut endpoint = Endpoint::empty(E::NO_FILTER);
        endpoint.id = Id::from_bits(read.u128());
        endpoint.created_at = read.timestamp();
        endpoint.filter = E::Filter::read(read)?;
        endpoint.disabled = *Disabled::ALL.get(usize::from(read.u8()))?;
        endpoint.for_all = read.bool();
        endpoint.subject = read.link();
        // It hangs in one list of the two, by one and the same link.
        if endpoint.for_all != endpoint.subject.is_none() {
            return None;
        }
        endpoint.secret = stored_secret(read.bytes())?;
        let ran = self.ran(now.instant);
        let before = read.bytes();
        let left_ms = read.timestamp().ms_since(now.timestamp);
        let until = ran.after_ms(left_ms.min(self.limits.secret_overlap_ms));
        restore_replaced(&mut endpoint.replaced, 0, before, until)?;
        endpoint.failing.attempts = u32::from(read.timestamp() > Timestamp::EPOCH);
        endpoint.failing.last = ran;
        let strings = [read.text(), read.text()];
        let [url, description] = strings;
        Url::parse(url, self.limits.url_bytes_max).ok()?;
        if description.len() > self.limits.description_bytes_max {
            return None;
        }
        endpoint.text = self.text.store(strings.map(str::bytes))?;
        if !read.is_done() {
            endpoint.failing.attempts = read.u32();
            endpoint.failing.ms = read.u64();
            endpoint.failing.last = read.ran();
            for place in 0..read.u8() {
                let (key, until) = (read.bytes(), read.ran());
                restore_replaced(&mut endpoint.replaced, place, key, until)?;
            }
        }
        let known = endpoint
            .subject
            .is_none_or(|subject| subjects.id(subject).is_some());
        if endpoint.id.slot() != Some(ix) || !known {
            return None;
        }
        self.endpoints.insert_at(ix, endpoint)?;
        self.newest_endpoints.push_front(&mut self.endpoints, ix);
        // A lane that stays closed may still have to let go of something.
        self.outbox.set_filter(ix, endpoint.filter);
        let open =
            !endpoint.is_enabled() || self.outbox.open_lane(ix, endpoint.filter, endpoint.for_all);
        open.then_some(())
    }

    fn restore_event(
        &mut self,
        ix: Ix,
        read: &mut Read<'_>,
        subjects: &impl Subjects<E>,
    ) -> Option<()> {
        let subject = read.link();
        let event = E::read(read)?;
        let known = subject.is_none_or(|subject| subjects.id(subject).is_some());
        (known && self.outbox.restore_event(ix, subject, event)).then_some(())
    }

    fn restore_stream(
        &mut self,
        now: Now,
        ix: Ix,
        read: &mut Read<'_>,
        subjects: &impl Subjects<E>,
    ) -> Option<()> {
        let mut saved = SavedStream {
            subject: read.link(),
            target: Target {
                lane: read.link()?,
                callback: read.bool(),
            },
            event: read.link()?,
            attempts: read.u8(),
            dead: read.bool(),
            solo: read.bool(),
            due: Instant::ZERO,
        };
        let (due, pause_ms) = (read.timestamp(), read.u64());
        // A clock that was set back does not lengthen a pause.
        let left_ms = due.ms_since(now.timestamp).min(pause_ms);
        if left_ms > 0 {
            saved.due = now.instant.after_ms(left_ms);
        }
        if saved.target.callback {
            // The number of lanes may have changed; the URL has not.
            saved.target.lane = self.callback_lane(saved.subject?, subjects)?;
        } else if self.endpoints.get(saved.target.lane).is_none() {
            // Its endpoint was removed in the same moment: nothing is owed.
            self.outbox.forget_stream(ix);
            return Some(());
        }
        self.outbox.restore_stream(ix, &saved).then_some(())
    }
}

/// Puts a secret that was replaced back into its place, unless there is none for it: a machine with less room than the one that
/// wrote it keeps the newest.
fn restore_replaced(replaced: &mut [Replaced], place: u8, key: &[u8], until: Ran) -> Option<()> {
    if !key.is_empty() {
        Secret::from_bytes(key).ok()?;
    }
    if let Some(room) = replaced.get_mut(usize::from(place)) {
        room.set(key, until);
    }
    Some(())
}

fn stored_secret(bytes: &[u8]) -> Option<StoredSecret> {
    if bytes.is_empty() {
        return Some(StoredSecret::NONE);
    }
    Some(StoredSecret::new(&Secret::from_bytes(bytes).ok()?))
}
