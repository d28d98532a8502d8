//! A translator that only pretends: jobs take a random time and sometimes fail.
//!
//! It is for trying things out: a demonstration, a test, a device without a network. It starts on any
//! number of jobs at once, says how far each has come, and ends it; how long a job takes and whether it
//! fails comes from the seed, so a run can be repeated exactly.
//!
//! ```
//! use dubhook_core::simulate::{Settings, SimSlot, Simulator, Step};
//! use dubhook_core::{id::{Id, Ix}, time::Instant};
//!
//! let mut slots = [SimSlot::EMPTY; 4];
//! let settings = Settings { shortest_ms: 500, longest_ms: 500, errors_ppm: 0, steps: 2 };
//! let mut simulator = Simulator::new(&mut slots, settings, [7; 32]);
//! let (job, id) = (Ix::new(1).unwrap(), Id::from_bits(1));
//! simulator.start(Instant::ZERO, job, id);
//!
//! assert_eq!(simulator.poll_timeout(), Some(Instant::from_ms(250)));
//! assert_eq!(simulator.poll_step(Instant::from_ms(250)), Some((id, Step::Progress(50))));
//! assert_eq!(simulator.poll_step(Instant::from_ms(250)), None);
//! assert_eq!(simulator.poll_step(Instant::from_ms(500)), Some((id, Step::Completed)));
//! assert_eq!(simulator.poll_timeout(), None);
//! ```

use crate::{
    id::{Id, Prefix},
    out::Out,
    random::Random,
    slab::Ix,
    time::Instant,
    timer::{Timed, Timer, Timers},
};
use zerocopy::FromZeros;

/// What a simulated failure says.
pub const FAILURE: &str = "The translation was simulated, and so was this error.";

/// The longest silence about a job, in milliseconds: shorter than any sensible lease.
const ALIVE_MS: u64 = 15_000;

/// How jobs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The shortest time that a job takes, in milliseconds.
    pub shortest_ms: u64,
    /// The longest time that a job takes, in milliseconds; `shortest_ms` if it is less.
    pub longest_ms: u64,
    /// How many jobs of a million fail.
    pub errors_ppm: u32,
    /// In how many equal parts a job is done: progress is reported after each but the last.
    pub steps: u8,
}

impl Settings {
    /// Five to fifteen seconds, no errors, progress at each fifth.
    pub const STANDARD: Self = Self {
        shortest_ms: 5_000,
        longest_ms: 15_000,
        errors_ppm: 0,
        steps: 5,
    };
}

/// Memory for one job. All zero bytes is no job.
#[derive(Debug, Clone, Copy, FromZeros)]
pub struct SimSlot {
    id: Id,
    started: Instant,
    duration_ms: u64,
    /// Steps reported so far.
    step: u8,
    fails: bool,
    /// When it is to be heard of next.
    timer: Timer,
}

impl SimSlot {
    /// No job.
    pub const EMPTY: Self = Self {
        id: Id::NONE,
        started: Instant::ZERO,
        duration_ms: 0,
        step: 0,
        fails: false,
        timer: Timer::NONE,
    };
}

impl Timed for SimSlot {
    fn timer_mut(&mut self) -> &mut Timer {
        &mut self.timer
    }
}

/// What happens to a simulated job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// Nothing new, but it is not forgotten.
    Alive,
    /// So much is done, in percent.
    Progress(u8),
    /// It is done; [`write_output_url`] says where.
    Completed,
    /// It failed, for the reason [`FAILURE`].
    Failed,
}

/// Pretends to work on jobs. See the [module](self).
#[derive(Debug)]
pub struct Simulator<'a> {
    slots: &'a mut [SimSlot],
    timers: Timers,
    settings: Settings,
    random: Random,
}

impl<'a> Simulator<'a> {
    /// A simulator for jobs in slots up to the length of `slots`.
    #[must_use]
    pub const fn new(slots: &'a mut [SimSlot], settings: Settings, seed: [u8; 32]) -> Self {
        Self {
            slots,
            timers: Timers::NONE,
            settings,
            random: Random::new(seed),
        }
    }

    /// Starts on a job, in place of whatever was in its slot.
    pub fn start(&mut self, now: Instant, job: Ix, id: Id) {
        let settings = self.settings;
        let span_ms = settings.longest_ms.saturating_sub(settings.shortest_ms);
        let extra_ms = self.random.below(span_ms.saturating_add(1));
        let fails = self.random.below(1_000_000) < u64::from(settings.errors_ppm);
        self.timers.clear(&mut self.slots, job);
        let Some(slot) = self.slots.get_mut(job.get() as usize - 1) else {
            return;
        };
        *slot = SimSlot {
            id,
            started: now,
            duration_ms: settings.shortest_ms.saturating_add(extra_ms),
            step: 0,
            fails,
            timer: Timer::NONE,
        };
        let next = slot.next(settings.steps, now);
        self.timers.set(&mut self.slots, job, next);
    }

    /// Stops working on a job, if it is still the one in that slot.
    pub fn stop(&mut self, job: Ix, id: Id) {
        let slot = self.slots.get(job.get() as usize - 1);
        if slot.is_some_and(|slot| slot.id == id) {
            self.timers.clear(&mut self.slots, job);
        }
    }

    /// The next thing that has happened to a job by `now`.
    #[must_use]
    pub fn poll_step(&mut self, now: Instant) -> Option<(Id, Step)> {
        let job = self.timers.pop_due(&mut self.slots, now)?;
        let slot = self.slots.get_mut(job.get() as usize - 1)?;
        let steps = self.settings.steps.max(1);
        let before = slot.step;
        while slot.step < steps && slot.step_at(slot.step.saturating_add(1), steps) <= now {
            slot.step = slot.step.saturating_add(1);
        }
        let step = if slot.step == steps {
            let end = if slot.fails {
                Step::Failed
            } else {
                Step::Completed
            };
            return Some((slot.id, end));
        } else if slot.step > before {
            let percent = u32::from(slot.step).wrapping_mul(100) / u32::from(steps);
            Step::Progress(percent as u8)
        } else {
            Step::Alive
        };
        let (id, next) = (slot.id, slot.next(steps, now));
        self.timers.set(&mut self.slots, job, next);
        Some((id, step))
    }

    /// When [`poll_step`](Self::poll_step) has something to say next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

impl SimSlot {
    /// When the job is to be heard of next.
    fn next(&self, steps: u8, now: Instant) -> Instant {
        let step = self.step_at(self.step.saturating_add(1), steps.max(1));
        step.min(now.after_ms(ALIVE_MS))
    }

    /// When so many of the steps are done.
    fn step_at(&self, step: u8, steps: u8) -> Instant {
        let part_ms = u128::from(self.duration_ms).wrapping_mul(step.into()) / u128::from(steps);
        self.started.after_ms(part_ms as u64)
    }
}

/// Writes where the output of a simulated job would be: 61 bytes.
pub fn write_output_url(id: Id, out: &mut Out<'_>) {
    out.put(b"https://example.com/dubbed/");
    id.write(Prefix::Job, out);
    out.put(b".mp4");
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Runs jobs 1 to `jobs` at once to their ends: (milliseconds, job, step) in order.
    fn run(jobs: u32, settings: Settings, seed: u8) -> Vec<(u64, u128, Step)> {
        let mut slots = [SimSlot::EMPTY; 64];
        let mut simulator = Simulator::new(&mut slots, settings, [seed; 32]);
        for job in 1..=jobs {
            let id = Id::from_bits(job.into());
            simulator.start(Instant::ZERO, Ix::new(job).unwrap(), id);
        }
        let mut said = Vec::new();
        while let Some(at) = simulator.poll_timeout() {
            assert_eq!(simulator.poll_step(Instant::from_ms(at.as_ms() - 1)), None);
            let (id, step) = simulator.poll_step(at).unwrap();
            said.push((at.as_ms(), id.to_bits(), step));
        }
        said
    }

    #[test]
    fn a_job_is_never_silent_for_long() {
        let settings = Settings {
            shortest_ms: 40_000,
            longest_ms: 0,
            errors_ppm: 1_000_000,
            steps: 2,
        };
        let expect = [
            (15_000, 1, Step::Alive),
            (20_000, 1, Step::Progress(50)),
            (35_000, 1, Step::Alive),
            (40_000, 1, Step::Failed),
        ];
        assert_eq!(run(1, settings, 1), expect);
    }

    #[test]
    fn the_seed_decides_and_the_settings_hold() {
        let settings = Settings {
            errors_ppm: 250_000,
            ..Settings::STANDARD
        };
        let said = run(64, settings, 2);
        assert_eq!(said, run(64, settings, 2));
        assert_ne!(said, run(64, settings, 3));
        let count = |wanted| said.iter().filter(|(_, _, step)| *step == wanted).count();
        assert_eq!(count(Step::Completed) + count(Step::Failed), 64);
        assert!((4..32).contains(&count(Step::Failed)));
        assert_eq!(count(Step::Progress(80)), 64);
        for (at_ms, _, step) in said {
            if matches!(step, Step::Completed | Step::Failed) {
                assert!((5_000..=15_000).contains(&at_ms));
            }
        }
    }

    #[test]
    fn what_was_stopped_or_came_late_says_no_more_than_it_must() {
        let mut slots = [SimSlot::EMPTY; 2];
        let settings = Settings::STANDARD;
        let mut simulator = Simulator::new(&mut slots, settings, [4; 32]);
        let (one, two) = (Ix::new(1).unwrap(), Ix::new(2).unwrap());
        let (first, second) = (Id::from_bits(1), Id::from_bits(2));
        simulator.start(Instant::ZERO, one, first);
        simulator.start(Instant::ZERO, two, second);
        simulator.stop(one, second);
        simulator.stop(two, second);
        let late = Instant::from_ms(60_000);
        assert_eq!(simulator.poll_step(late), Some((first, Step::Completed)));
        assert_eq!(simulator.poll_step(late), None);
        // A slot that there is no memory for is left alone.
        simulator.start(late, Ix::new(3).unwrap(), first);
        assert_eq!(simulator.poll_timeout(), None);
    }

    #[test]
    fn outputs_have_urls() {
        let mut memory = [0; 61];
        let mut out = Out::new(&mut memory);
        write_output_url(Id::from_bits(7), &mut out);
        assert_eq!(out.finish(), Ok(61));
        let text = core::str::from_utf8(&memory).unwrap();
        assert!(crate::url::Url::parse(text, 61).is_ok());
    }
}
