//! Watching the owner: when its place may be taken.

use super::lease::Moment;
use std::time::Duration;

/// The row of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) format: u32,
    pub(super) epoch: i64,
    pub(super) batch: i64,
    pub(super) beat: i64,
    /// The lease of its owner.
    pub(super) lease: Duration,
    /// Who owns it; nobody where it was given back, or never taken.
    pub(super) owner: Option<String>,
    /// Where its owner is reached.
    pub(super) url: Option<String>,
    /// How many batches there were once, where it was found out that there are fewer.
    pub(super) lost: Option<i64>,
}

/// What has been seen of an owner.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: Option<(Shard, Moment)>,
}

impl Watch {
    /// Looks at the row that was received at this moment. Whether it may be taken, as it is.
    pub(super) fn look(&mut self, shard: &Shard, now: Moment) -> bool {
        if shard.owner.is_none() {
            return true;
        }
        match &self.seen {
            Some((seen, since)) if seen == shard => now.since(*since) >= patience(shard.lease),
            _ => {
                self.seen = Some((shard.clone(), now));
                false
            }
        }
    }

    /// Of the batches that were there the last ones are gone: how many there were.
    pub(super) fn has_lost(&self, shard: &Shard) -> Option<i64> {
        let (seen, _) = self.seen.as_ref()?;
        (shard.epoch < seen.epoch || shard.batch < seen.batch).then_some(seen.batch)
    }
}

/// How long to wait before the row is looked at again: a small part of what a takeover takes in any case.
pub(super) fn pause(lease: Duration) -> Duration {
    (lease / 16).clamp(Duration::from_millis(10), Duration::from_millis(250))
}

/// How long an owner may be silent: its lease and a tenth, for clocks that run apart.
fn patience(lease: Duration) -> Duration {
    lease + lease / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(batch: i64, beat: i64) -> Shard {
        Shard {
            format: 1,
            epoch: 1,
            batch,
            beat,
            lease: Duration::from_millis(3_000),
            owner: Some("a".to_owned()),
            url: None,
            lost: None,
        }
    }

    #[test]
    fn an_owner_that_is_silent_for_its_lease_and_a_tenth_is_gone() {
        let at = Moment::at_ms;
        let mut watch = Watch::default();
        assert!(!watch.look(&shard(5, 5), at(9_000_000)));
        assert!(!watch.look(&shard(5, 6), at(9_000_100)));
        assert!(!watch.look(&shard(5, 6), at(9_003_399)));
        assert!(watch.look(&shard(5, 6), at(9_003_400)));
        // Any sign of life counts.
        assert!(!watch.look(&shard(6, 7), at(9_003_401)));
        let nobody = Shard {
            owner: None,
            ..shard(6, 8)
        };
        assert!(watch.look(&nobody, at(9_003_402)));
    }

    #[test]
    fn what_goes_back_is_lost() {
        let mut watch = Watch::default();
        assert_eq!(watch.has_lost(&shard(5, 5)), None);
        watch.look(&shard(5, 5), Moment::at_ms(1));
        assert_eq!(watch.has_lost(&shard(5, 1)), None);
        assert_eq!(watch.has_lost(&shard(4, 9)), Some(5));
    }
}
