//! What happened to a job, and who wants to hear of it.
//!
//! An [`Event`] is small: which number it has inside its job, what kind it is, when it was and how
//! far the job had come. All else that its JSON says is fixed once the job has said it, so the body
//! is rendered anew at each attempt and is the same bytes each time; see
//! the `view` module for the JSON.
//!
//! ```
//! use dubhook_core::event::{Filter, Kind};
//!
//! let mut filter = Filter::NONE;
//! assert!(filter.add("translation.completed"));
//! assert!(filter.add("translation.error"));
//! assert!(!filter.add("translation.finished"));
//! assert!(filter.matches(Kind::Error) && !filter.matches(Kind::Progress));
//! ```

use crate::time::Timestamp;
use zerocopy::FromZeros;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Kind {
    /// `translation.pending`: accepted, or given back by a worker that was lost.
    Pending = 0,
    /// `translation.processing`: a worker has it.
    Processing = 1,
    /// `translation.progress`: more is done.
    Progress = 2,
    /// `translation.completed`: done.
    Completed = 3,
    /// `translation.error`: failed.
    Error = 4,
    /// `translation.canceled`: called off.
    Canceled = 5,
    /// `webhook.test`: somebody asked whether the endpoint works; no job is behind it.
    Test = 6,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Processing,
        Self::Progress,
        Self::Completed,
        Self::Error,
        Self::Canceled,
        Self::Test,
    ];

    /// The name on the wire: an event's `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "translation.pending",
            Self::Processing => "translation.processing",
            Self::Progress => "translation.progress",
            Self::Completed => "translation.completed",
            Self::Error => "translation.error",
            Self::Canceled => "translation.canceled",
            Self::Test => "webhook.test",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|kind| kind.as_str() == name).copied()
    }

    /// Whether the job has ended with it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Error | Self::Canceled)
    }

    /// The kind with that number, as records hold it.
    #[must_use]
    pub(crate) fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// Something that happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Its number inside the job: 1, 2, 3…
    pub sequence: u32,
    /// What.
    pub kind: Kind,
    /// How much of the job was done, 0 to 100.
    pub progress: u8,
}

impl Event {
    /// Nothing has happened yet: all zero.
    pub const NOTHING_YET: Self = Self {
        at: Timestamp::EPOCH,
        sequence: 0,
        kind: Kind::Pending,
        progress: 0,
    };
}

/// Which kinds of event an endpoint wants, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
pub struct Filter(u8);

impl Filter {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything: `*`.
    pub const ALL: Self = Self(0x7f);
    /// Everything about translations: `translation.*`.
    pub const TRANSLATION: Self = Self(0x3f);

    /// What can be wanted by name.
    const NAMES: [(&str, Self); 9] = {
        let mut names = [("*", Self::ALL); 9];
        let [_, translation, kinds @ ..] = &mut names;
        *translation = ("translation.*", Self::TRANSLATION);
        let mut rest: (&mut [_], &[Kind]) = (kinds, &Kind::ALL);
        while let ([name, names @ ..], [kind, kinds @ ..]) = rest {
            *name = (kind.as_str(), Self(1 << *kind as u8));
            rest = (names, kinds);
        }
        names
    };

    /// Adds what a filter's name stands for: `*`, `translation.*` or a kind's name. `false` for
    /// anything else.
    #[must_use]
    pub fn add(&mut self, name: &str) -> bool {
        self.add_where(|known| known == name)
    }

    /// Adds what the name stands for that `is` finds, as [`add`](Self::add) does.
    pub(crate) fn add_where(&mut self, is: impl Fn(&str) -> bool) -> bool {
        let more = Self::NAMES.iter().find(|(name, _)| is(name));
        self.0 |= more.map_or(0, |(_, kinds)| kinds.0);
        more.is_some()
    }

    /// Whether it lets `kind` through. A test always gets through: somebody asked for it.
    #[must_use]
    pub const fn matches(self, kind: Kind) -> bool {
        matches!(kind, Kind::Test) || self.0 & (1 << kind as u8) != 0
    }

    /// The shortest list of names that stand for it, for showing.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let is_whole = self == Self::ALL || self == Self::TRANSLATION;
        let shown = Self::NAMES.iter().filter(move |(_, kinds)| {
            if is_whole {
                *kinds == self
            } else {
                kinds.0.is_power_of_two() && kinds.0 & self.0 != 0
            }
        });
        shown.map(|(name, _)| *name)
    }

    /// The set as a number, for records.
    #[must_use]
    pub const fn to_bits(self) -> u8 {
        self.0
    }

    /// The set that a record holds.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[track_caller]
    fn check(names: &[&str], shown: &[&str], lets_through: &[Kind]) {
        let mut filter = Filter::NONE;
        assert!(names.iter().all(|name| filter.add(name)));
        assert_eq!(filter.names().collect::<Vec<_>>(), shown);
        for kind in Kind::ALL {
            let expect = lets_through.contains(&kind) || kind == Kind::Test;
            assert_eq!(filter.matches(kind), expect, "{names:?} {kind:?}");
        }
        assert_eq!(Filter::from_bits(filter.to_bits()), filter);
    }

    #[test]
    fn filters_are_sets_of_kinds() {
        check(&[], &[], &[]);
        check(&["*"], &["*"], &Kind::ALL);
        check(&["translation.*"], &["translation.*"], &Kind::ALL);
        check(
            &[
                "translation.error",
                "translation.completed",
                "translation.error",
            ],
            &["translation.completed", "translation.error"],
            &[Kind::Completed, Kind::Error],
        );
        check(&["translation.pending", "*"], &["*"], &Kind::ALL);
        for bad in ["", "translation", "translation.", "TRANSLATION.ERROR", "**"] {
            assert!(!Filter::NONE.clone().add(bad), "{bad}");
        }
    }

    #[test]
    fn kinds_go_there_and_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            assert_eq!(Kind::from_u8(kind as u8), Some(kind));
        }
        assert_eq!(Kind::from_u8(7), None);
    }
}
