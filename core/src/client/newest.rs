//! What `GET /status` would say: the newest job's status, kept up to date by events.
//!
//! The answer to `GET /status` names no job, and an event on its way may be newer than an answer. So
//! an event that was heard while the question was under way wins over its answer, and where the two
//! disagree the question is asked again. Ids sort by the time they were made: an event of a job older
//! than the newest one known says nothing here.

use crate::{event::Kind, id::Id, model::NewestStatus, time::Instant};

/// The newest job's status, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Newest {
    status: Option<NewestStatus>,
    /// The newest job that events told of, and its latest sequence.
    job: Option<(Id, u32)>,
    /// When the question is to be asked.
    wanted: Option<Instant>,
    /// An event told something since the question was sent.
    heard: bool,
}

impl Newest {
    pub(super) const fn status(&self) -> Option<NewestStatus> {
        self.status
    }

    /// When the question is to be asked, if it is.
    pub(super) const fn wanted(&self) -> Option<Instant> {
        self.wanted
    }

    pub(super) const fn want(&mut self, at: Instant) {
        self.wanted = Some(at);
    }

    /// The question is under way.
    pub(super) const fn asked(&mut self) {
        self.wanted = None;
        self.heard = false;
    }

    /// The server answered, `None` for "no job yet". Returns whether it settles the matter.
    pub(super) fn answered(&mut self, status: Option<NewestStatus>) -> bool {
        if self.status == status {
            return true;
        }
        if self.heard {
            return false;
        }
        // The answer speaks of another job than the one that was heard of, or of a later state.
        self.status = status;
        self.job = None;
        true
    }

    /// An event told of a job.
    pub(super) fn hear(&mut self, now: Instant, job: Id, sequence: u32, kind: Kind) {
        let is_news = match self.job {
            Some((newest, last)) if newest == job => {
                sequence > last && self.status == Some(NewestStatus::Pending)
            }
            Some((newest, _)) => job > newest,
            // What begins is the newest.
            None if sequence == 1 || self.status.is_none() => true,
            // Nobody knows whether this one is. Where it makes no difference, that may stay so.
            None if self.status == Some(kind.status().into()) => false,
            None => {
                self.wanted = Some(now);
                true
            }
        };
        if is_news {
            self.job = Some((job, sequence));
            self.status = Some(kind.status().into());
            self.heard = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NewestStatus::{Completed, Error, Pending};

    const fn id(n: u128) -> Id {
        Id::from_bits(n)
    }

    #[test]
    fn events_of_the_newest_job_count() {
        let mut newest = Newest::default();
        let mut check = |job, sequence, kind, expect| {
            newest.hear(Instant::ZERO, id(job), sequence, kind);
            assert_eq!(newest.status(), Some(expect), "{job} {sequence} {kind:?}");
        };
        check(5, 1, Kind::Pending, Pending);
        check(5, 3, Kind::Completed, Completed);
        check(5, 2, Kind::Processing, Completed);
        check(4, 9, Kind::Error, Completed);
        check(5, 4, Kind::Error, Completed);
        check(6, 1, Kind::Pending, Pending);
        check(5, 4, Kind::Error, Pending);
        check(6, 2, Kind::Canceled, Error);
        assert_eq!(newest.wanted(), None);
    }

    #[test]
    fn an_answer_never_overtakes_an_event() {
        let mut newest = Newest::default();
        newest.want(Instant::ZERO);
        newest.asked();
        newest.hear(Instant::ZERO, id(5), 3, Kind::Completed);
        assert!(!newest.answered(Some(Pending)), "ask again");
        assert_eq!(newest.status(), Some(Completed));
        newest.asked();
        assert!(newest.answered(Some(Completed)));
        // Asked in peace, an answer that differs tells of another job.
        newest.asked();
        assert!(newest.answered(Some(Error)));
        assert_eq!(newest.status(), Some(Error));
        newest.asked();
        assert!(newest.answered(None));
        assert_eq!(newest.status(), None);
    }

    #[test]
    fn an_event_of_a_job_of_unknown_age_is_believed_and_checked() {
        let mut newest = Newest::default();
        newest.asked();
        assert!(newest.answered(Some(Pending)));
        newest.hear(Instant::ZERO, id(5), 3, Kind::Processing);
        assert_eq!(newest.wanted(), None, "it makes no difference");
        newest.hear(Instant::ZERO, id(5), 4, Kind::Completed);
        assert_eq!(newest.status(), Some(Completed));
        assert_eq!(newest.wanted(), Some(Instant::ZERO));
        // It was an old job's: the newest one is still pending.
        newest.asked();
        assert!(newest.answered(Some(Pending)));
        assert_eq!(newest.status(), Some(Pending));
        assert_eq!(newest.wanted(), None);
    }
}
