//! Pauses that grow while something goes wrong.

use async_io::Timer;
use dubhook_smol::entropy;
use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Pauses, each twice as long as the one before, and by chance up to half of that less: who lost the same server does
/// not come back all at once.
#[derive(Debug, Default)]
pub(super) struct Pause {
    count: u32,
}

impl Pause {
    /// Whether nothing has gone wrong since the last time that all went well.
    pub(super) const fn is_first(&self) -> bool {
        self.count == 0
    }

    /// All goes well.
    pub(super) const fn reset(&mut self) {
        self.count = 0;
    }

    /// Waits for the next pause.
    pub(super) async fn wait(&mut self) {
        let chance = entropy::seed().map_or(0, |seed| seed[0]);
        let pause = Self::length(self.count, chance);
        self.count = self.count.saturating_add(1);
        Timer::after(pause).await;
    }

    fn length(count: u32, chance: u8) -> Duration {
        let whole = FIRST.saturating_mul(1 << count.min(16)).min(LONGEST);
        whole - whole * u32::from(chance) / 512
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let lengths = [0, 1, 5, 6, u32::MAX].map(|count| Pause::length(count, 0).as_millis());
        assert_eq!(lengths, [500, 1_000, 16_000, 30_000, 30_000]);
        assert!(Pause::length(0, 255) >= FIRST / 2 && Pause::length(0, 255) < FIRST);
    }
}
