//! Time and chance: what everybody in the simulation shares.

use super::{net::Party, options::Options, queue::Queue, rng::Rng};
use crate::machine::START_UNIX_MS;
use dubhook_core::time::{Instant, Now, Timestamp};

/// The environment of all parties.
#[derive(Debug)]
pub(super) struct Env {
    pub(super) options: Options,
    pub(super) rng: Rng,
    pub(super) queue: Queue,
    /// Whether faults are over.
    pub(super) healed: bool,
    /// How far the wall clock was set off, in milliseconds.
    pub(super) clock_off_ms: i64,
}

impl Env {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            rng: Rng::new(options.seed ^ 0x5eed),
            queue: Queue::default(),
            healed: false,
            clock_off_ms: 0,
        }
    }

    /// Any of the servers: no caller knows which one has the records.
    pub(super) fn any_server(&mut self) -> Party {
        let servers = self.options.shared.map_or(1, |shared| shared.servers);
        let at = match servers {
            1 => 0,
            _ => self.rng.below(servers as u64) as usize,
        };
        Party::Server(at)
    }

    pub(super) const fn now_ms(&self) -> u64 {
        self.queue.now()
    }

    /// What the wall clock says.
    pub(super) const fn wall(&self) -> Timestamp {
        let unix_ms = (START_UNIX_MS + self.queue.now()) as i64 + self.clock_off_ms;
        Timestamp::from_unix_ms(unix_ms as u64)
    }

    /// Both clocks of a process that was started at `since_ms`.
    pub(super) const fn clocks(&self, since_ms: u64) -> Now {
        Now {
            instant: Instant::from_ms(self.queue.now() - since_ms),
            timestamp: self.wall(),
        }
    }

    /// True as often as an option says, while there are faults.
    pub(super) fn chance(&mut self, per_mille: impl Fn(&Options) -> u64) -> bool {
        let per_mille = per_mille(&self.options);
        // The number is drawn in any case, so that healing changes nothing else.
        self.rng.chance(per_mille) && !self.healed
    }
}
