//! What is told, and who wants it.

use super::{Dispatcher, Event, NOT_STARTED, Subjects};
use crate::{
    delivery::Target,
    endpoint::{self, Endpoint},
    slab::{Ix, Link, List, Slab},
    time::Timestamp,
};

/// Why a subject was not admitted, or what it tells not told. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SubjectError {
    /// The driver: records were put back, and work was not begun.
    NotStarted,
    /// The driver: there is no such slot.
    Unknown,
    /// The driver: the subject is admitted already.
    Twice,
    /// The driver: what was in the slot before still owes somebody something, or endpoints are narrowed to it:
    /// [`is_settled`](Dispatcher::is_settled).
    Owing,
    /// The driver: the subject is not admitted, or has told its last.
    NotAdmitted,
    /// The driver: the event's sequence is not above that of the one before, whose id it would have.
    Sequence,
    /// There is no room. Try again later.
    Full,
}

impl SubjectError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => NOT_STARTED,
            Self::Unknown => "there is no such slot",
            Self::Twice => "the subject is admitted already",
            Self::Owing => "what was in the slot before is not settled",
            Self::NotAdmitted => "the subject is not admitted",
            Self::Sequence => "the event's sequence is not above the one before",
            Self::Full => "there is no room",
        }
    }
}

impl core::fmt::Display for SubjectError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for SubjectError {}

impl<E: Event> Dispatcher<'_, E> {
    /// Admits a subject: keeps room for so many of its `events` that cannot be overtaken, and for all that those who want
    /// them are owed then. `callback` says that it has a callback of its own.
    ///
    /// A subject that was admitted before a restart is admitted again after its records are back, before
    /// [`start`](Self::start): that keeps room for what is still to come. A slot is another subject's once the one before has
    /// told its last, was [forgotten](Self::forget_subject), and [is settled](Self::is_settled).
    ///
    /// # Errors
    ///
    /// [`SubjectError`] says why it was not.
    pub fn admit(&mut self, subject: Ix, events: u8, callback: bool) -> Result<(), SubjectError> {
        if self.outbox.is_active(subject) {
            return Err(SubjectError::Twice);
        }
        if subject.get() as usize > self.outbox.subjects_capacity() {
            return Err(SubjectError::Unknown);
        }
        #[cfg(feature = "records")]
        if self.course.has_failed() {
            return Err(SubjectError::NotStarted);
        }
        #[cfg(feature = "records")]
        if self.course.is_restoring() {
            let admitted = self.readmit(subject, events, callback);
            return if admitted {
                Ok(())
            } else {
                Err(SubjectError::Full)
            };
        }
        if !self.is_settled(subject) {
            return Err(SubjectError::Owing);
        }
        if self.outbox.admit(subject, events, u32::from(callback)) {
            Ok(())
        } else {
            Err(SubjectError::Full)
        }
    }

    /// Tells an event of a subject: whoever wants it is owed it from now on. `callback` says that the subject's own
    /// callback is to be told too, which takes every event.
    ///
    /// # Errors
    ///
    /// [`SubjectError`] says why it was not told.
    pub fn publish(
        &mut self,
        subject: Ix,
        event: E,
        callback: bool,
        subjects: &impl Subjects<E>,
    ) -> Result<(), SubjectError> {
        if !self.begin() {
            return Err(SubjectError::NotStarted);
        }
        if !self.outbox.is_active(subject) {
            return Err(SubjectError::NotAdmitted);
        }
        if !self.outbox.follows(subject, &event) {
            return Err(SubjectError::Sequence);
        }
        if self.tell(subject, event, callback, subjects) {
            Ok(())
        } else {
            Err(SubjectError::Full)
        }
    }

    /// As [`publish`](Self::publish), of a subject that is admitted. `false` where there is no room.
    pub(crate) fn tell(
        &mut self,
        subject: Ix,
        event: E,
        callback: bool,
        subjects: &impl Subjects<E>,
    ) -> bool {
        let callback = if callback {
            self.callback_lane(subject, subjects)
        } else {
            None
        };
        let targets = Targets {
            endpoints: &self.endpoints,
            event: &event,
            narrowed: self.outbox.narrowed(subject).head(),
            for_all: self.for_all.head(),
            callback,
        };
        let told = self.outbox.publish(subject, event, targets);
        if told && event.is_last() {
            self.make_way(subject, event.at(), subjects);
        }
        told
    }

    /// What the receivers of a subject's events rejected gives way to its ending, at `at`.
    fn make_way(&mut self, subject: Ix, at: Timestamp, subjects: &impl Subjects<E>) {
        while let Some(settled) = self.outbox.make_way(subject) {
            self.counters.dead += 1;
            #[cfg(feature = "lists")]
            self.log_overtaken(at, &settled, subjects);
            #[cfg(not(feature = "lists"))]
            let _ = (settled, at, subjects);
        }
    }

    /// Tells a subject's own callback nothing more: its receiver answered `410 Gone`.
    pub fn end_callback(&mut self, subject: Ix) {
        self.outbox.close_callback(subject);
    }

    /// Whether a subject has told its last, nobody is owed anything of it, dead letters included, and no endpoint is narrowed to
    /// it: its slot may be used again.
    #[must_use]
    pub fn is_settled(&self, subject: Ix) -> bool {
        self.outbox.is_settled(subject) && self.outbox.narrowed(subject).is_empty()
    }

    /// Forgets the endpoints that are narrowed to a subject which is forgotten.
    pub fn forget_subject(&mut self, subject: Ix) {
        while let Some(endpoint) = self.outbox.narrowed(subject).head() {
            self.remove(endpoint);
        }
    }

    /// The lane of a subject's callback: one of those behind the endpoints' lanes, by its host.
    pub(super) fn callback_lane(&mut self, subject: Ix, subjects: &impl Subjects<E>) -> Link {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let mut slashes = 0;
        'host: for piece in subjects.callback_url(subject, &self.text)? {
            for byte in piece {
                slashes += u32::from(*byte == b'/');
                if slashes == 3 {
                    break 'host;
                }
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        self.outbox.shared_lane(self.endpoints.capacity(), hash)
    }
}

/// Everyone who wants an event of a subject.
struct Targets<'s, 'a, E: Event> {
    endpoints: &'s Slab<'a, Endpoint<E::Filter>>,
    event: &'s E,
    narrowed: Link,
    for_all: Link,
    callback: Link,
}

impl<E: Event> Iterator for Targets<'_, '_, E> {
    type Item = Target;

    fn next(&mut self) -> Option<Target> {
        if let Some(lane) = self.callback.take() {
            return Some(Target {
                lane,
                callback: true,
            });
        }
        loop {
            let at = if self.narrowed.is_some() {
                &mut self.narrowed
            } else {
                &mut self.for_all
            };
            let ix = (*at)?;
            *at = List::<{ endpoint::WANTING }>::next(self.endpoints, ix);
            let endpoint = self.endpoints.get(ix)?;
            if endpoint.is_enabled() && self.event.passes(endpoint.filter) {
                return Some(Target {
                    lane: ix,
                    callback: false,
                });
            }
        }
    }
}
