//! Watching the owner: when its place may be taken.

use super::lease::Moment;
use std::time::Duration;

/// The row of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// The number of the tables' form.
    pub format: u32,
    /// How many owners there were.
    pub epoch: i64,
    /// How many batches they have written.
    pub batch: i64,
    /// Moves with every sign of life.
    pub beat: i64,
    /// The lease of its owner.
    pub lease: Duration,
    /// Who owns it; nobody where it was given back, or never taken.
    pub owner: Option<String>,
    /// Where its owner is reached.
    pub url: Option<String>,
    /// How many batches there were once, where it was found out that there are fewer.
    pub lost: Option<i64>,
    /// Whether a commit waits for a standby of the database: then what can be read need not be acknowledged yet.
    pub waits: bool,
}

/// What has been seen of an owner.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The row, since when it was so, and when it was looked at last.
    seen: Option<(Shard, Moment, Moment)>,
    /// The epoch and the batch that were acknowledged for certain.
    acknowledged: (i64, i64),
}

impl Watch {
    /// Looks at the row that was received at this moment. Whether it may be taken, as it is.
    ///
    /// Where nobody could look for a while, since the database was away, its owner could not show a sign of life either: it has all
    /// of its time from here on, and goes on rather than somebody else.
    pub(super) fn look(&mut self, shard: &Shard, now: Moment) -> bool {
        if let Some((seen, since, looked)) = &mut self.seen
            && seen == shard
        {
            // An owner asks again after a quarter of its lease at the latest.
            if now.since(*looked) > shard.lease / 4 * 3 {
                *since = now;
            }
            *looked = now;
            return shard.owner.is_none() || now.since(*since) >= patience(shard.lease);
        }
        self.learn(shard);
        self.seen = Some((shard.clone(), now, now));
        shard.owner.is_none()
    }

    /// The database has said something else until this moment, such as that somebody holds the row: it was not away.
    pub(super) const fn heard(&mut self, now: Moment) {
        if let Some((.., looked)) = &mut self.seen {
            *looked = now;
        }
    }

    /// What a row says of what came before it. An owner asks for nothing more before the last thing is acknowledged, so of the
    /// batches that can be read only the newest one may not be.
    fn learn(&mut self, shard: &Shard) {
        let (epoch, batch) = &mut self.acknowledged;
        if !shard.waits {
            (*epoch, *batch) = (shard.epoch, shard.batch);
            return;
        }
        if let Some((seen, ..)) = &self.seen
            && (seen.epoch, seen.batch + 1) == (shard.epoch, shard.batch)
        {
            *epoch = shard.epoch;
        }
        *batch = (shard.batch - 1).max(*batch);
    }

    /// Of the batches that were acknowledged the last ones are gone: how many there were.
    pub(super) fn has_lost(&self, shard: &Shard) -> Option<i64> {
        let (epoch, batch) = self.acknowledged;
        (shard.epoch < epoch || shard.batch < batch).then_some(batch)
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
            waits: false,
        }
    }

    #[test]
    fn an_owner_that_is_silent_for_its_lease_and_a_tenth_is_gone() {
        let at = Moment::at_ms;
        let mut watch = Watch::default();
        assert!(!watch.look(&shard(5, 5), at(9_000_000)));
        assert!(!watch.look(&shard(5, 6), at(9_000_100)));
        for looked in [1_600, 3_000, 3_399] {
            assert!(!watch.look(&shard(5, 6), at(9_000_000 + looked)));
        }
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
    fn an_owner_whose_database_was_away_has_its_time_anew() {
        let at = Moment::at_ms;
        let mut watch = Watch::default();
        assert!(!watch.look(&shard(5, 6), at(9_000_000)));
        // Nobody could look.
        assert!(!watch.look(&shard(5, 6), at(9_100_000)));
        for looked in [1_000, 2_000, 3_000, 3_299] {
            assert!(!watch.look(&shard(5, 6), at(9_100_000 + looked)));
        }
        assert!(watch.look(&shard(5, 6), at(9_103_300)));
    }

    #[test]
    fn what_goes_back_is_lost() {
        let mut watch = Watch::default();
        assert_eq!(watch.has_lost(&shard(5, 5)), None);
        watch.look(&shard(5, 5), Moment::at_ms(1));
        assert_eq!(watch.has_lost(&shard(5, 1)), None);
        assert_eq!(watch.has_lost(&shard(4, 9)), Some(5));
    }

    #[test]
    fn what_a_standby_of_the_database_may_not_have_is_not_lost() {
        let waiting = |epoch, batch, beat| Shard {
            waits: true,
            epoch,
            ..shard(batch, beat)
        };
        let mut watch = Watch::default();
        watch.look(&waiting(1, 5, 5), Moment::at_ms(1));
        // The fifth batch could be read, and nobody knows whether its owner has heard of it; nor of the epoch.
        assert_eq!(watch.has_lost(&waiting(0, 4, 4)), None);
        assert_eq!(watch.has_lost(&waiting(1, 3, 3)), Some(4));
        // With the sixth one the fifth is acknowledged, and the epoch.
        watch.look(&waiting(1, 6, 6), Moment::at_ms(2));
        assert_eq!(watch.has_lost(&waiting(1, 5, 5)), None);
        assert_eq!(watch.has_lost(&waiting(1, 4, 4)), Some(5));
        assert_eq!(watch.has_lost(&waiting(0, 6, 6)), Some(5));
    }
}
