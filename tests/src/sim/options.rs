//! What can go wrong in a run, and how much of it: drawn from a seed, printed when a run fails.

use super::{mutation::Mutation, rng::Rng};
use crate::tables::Sizes;

/// Everything that a seed decides beforehand. Chances are per mille.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where all chance comes from.
    pub seed: u64,
    /// How long things go wrong, in milliseconds; after that all faults stop.
    pub chaos_ms: u64,
    /// How large the server's tables are.
    pub sizes: Sizes,
    /// How many connections the server takes.
    pub conns: usize,
    /// Who asks for translations and manages webhooks.
    pub callers: usize,
    /// Who is told.
    pub receivers: usize,
    /// How many jobs are worked on at once.
    pub workers: usize,
    /// How long a packet takes, in milliseconds, from and to.
    pub latency_ms: (u64, u64),
    /// What is sent at once arrives in pieces.
    pub split: u64,
    /// A connection is reset at some moment.
    pub reset: u64,
    /// A connection swallows everything from some moment on.
    pub black_hole: u64,
    /// All that was sent on a connection arrives once more, on another one.
    pub replay: u64,
    /// Callers close their sending side after their request.
    pub half_close: u64,
    /// Callers send what is no request, or only half of one.
    pub rude: u64,
    /// How long a batch of records takes to be durable, in milliseconds, from and to.
    pub commit_ms: (u64, u64),
    /// A batch cannot be written, and the server stops.
    pub write_failure: u64,
    /// How often the process dies, in milliseconds on the average; 0 for never.
    pub crash_every_ms: u64,
    /// How long it is down, in milliseconds, from and to.
    pub down_ms: (u64, u64),
    /// How often the wall clock is set, in milliseconds on the average; 0 for never.
    pub jump_every_ms: u64,
    /// What receivers do: take it, take it slowly, refuse it, ask for time, want no more, redirect, answer with no
    /// HTTP, cut the answer off, take it and say they did not, and not answer at all.
    pub receiver_weights: [u64; 11],
    /// What workers do: complete, fail, fall silent.
    pub worker_weights: [u64; 3],
    /// A receiver that never answers, whatever else is chance.
    pub dead_receiver: Option<usize>,
    /// How many of the callers send nothing but what is no request.
    pub rude_callers: usize,
    /// Whether callers hardly pause.
    pub rush: bool,
    /// How many clients there are.
    pub clients: usize,
    /// Who reads the stream of events.
    pub watchers: usize,
    /// A client dies, and starts again.
    pub client_crash: u64,
    /// Whether workers claim their jobs over the network.
    pub remote: bool,
    /// How long an event may take to arrive at a receiver that is not dead, in milliseconds, if that is to be held to.
    pub arrival_ms_max: Option<u64>,
    /// The same for the answer to a well-behaved request.
    pub answer_ms_max: Option<u64>,
    /// How often a server is stopped for a while, in milliseconds on the average; 0 for never.
    pub pause_every_ms: u64,
    /// For how long, in milliseconds, from and to.
    pub pause_ms: (u64, u64),
    /// A database that several servers share, in place of a disk.
    pub shared: Option<Shared>,
    /// A rule that the environment breaks on purpose.
    pub mutation: Option<Mutation>,
}

/// How servers share a database, and what goes wrong between them and it. Chances are per mille.
#[derive(Debug, Clone, Copy)]
pub struct Shared {
    /// How many servers there are.
    pub servers: usize,
    /// For how long one speaks after its last success, in milliseconds.
    pub lease_ms: u64,
    /// A question never comes.
    pub lost: u64,
    /// A question comes late, and whoever asked no longer waits for an answer.
    pub late: u64,
    /// A question comes once more, later.
    pub repeated: u64,
    /// An answer never comes.
    pub unanswered: u64,
    /// Of a statement all comes but its end.
    pub torn: u64,
    /// How often the primary dies and its standby is promoted, in milliseconds on the average; 0 for never.
    pub promote_every_ms: u64,
    /// The same for a primary that is started again.
    pub restart_every_ms: u64,
    /// The same for the standby being away for a while.
    pub away_every_ms: u64,
    /// The same for somebody ending a wait for the standby.
    pub cancel_every_ms: u64,
    /// The same for a server that is told to end.
    pub leave_every_ms: u64,
}

impl Options {
    /// What a seed stands for where servers share a database.
    #[must_use]
    pub fn shared_from_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x5a4e_d000);
        let rng = &mut rng;
        let every = |rng: &mut Rng, from_ms, to_ms| rng.below(2) * rng.within((from_ms, to_ms));
        let lease_ms = rng.within((500, 5_000));
        let shared = Shared {
            servers: rng.within((2, 3)) as usize,
            lease_ms,
            lost: often(rng, 20),
            late: often(rng, 30),
            repeated: often(rng, 50),
            unanswered: often(rng, 30),
            torn: often(rng, 10),
            promote_every_ms: every(rng, 5_000, 40_000),
            restart_every_ms: every(rng, 5_000, 40_000),
            away_every_ms: every(rng, 3_000, 20_000),
            cancel_every_ms: every(rng, 500, 5_000),
            leave_every_ms: every(rng, 5_000, 40_000),
        };
        Self {
            shared: Some(shared),
            pause_every_ms: every(rng, 3_000, 30_000),
            // Shorter than the lease, and longer.
            pause_ms: (10, 4 * lease_ms),
            ..Self::from_seed(seed)
        }
    }

    /// What a seed stands for. Each kind of fault is absent from about half of all seeds, so that none hides another.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let rng = &mut rng;
        let tight = rng.chance(500);
        let slow_disk = rng.chance(200);
        let far = rng.chance(300);
        let mut receiver_weights = [10; 11];
        for weight in &mut receiver_weights[1..] {
            *weight = often(rng, 8);
        }
        Self {
            seed,
            chaos_ms: rng.within((5_000, 90_000)),
            sizes: if tight { Sizes::TIGHT } else { ROOMY },
            conns: if tight { 3 } else { 8 },
            callers: rng.within((1, 4)) as usize,
            receivers: rng.within((1, 4)) as usize,
            workers: rng.within((1, 3)) as usize,
            latency_ms: if far { (1, 800) } else { (0, 20) },
            split: often(rng, 500),
            reset: often(rng, 200),
            black_hole: often(rng, 150),
            replay: often(rng, 150),
            half_close: often(rng, 200),
            rude: often(rng, 200),
            commit_ms: if slow_disk { (0, 3_000) } else { (0, 10) },
            write_failure: often(rng, 10),
            crash_every_ms: rng.below(2) * rng.within((3_000, 40_000)),
            down_ms: (10, rng.within((100, 20_000))),
            jump_every_ms: rng.below(2) * rng.within((5_000, 40_000)),
            receiver_weights,
            worker_weights: [10, often(rng, 5), often(rng, 5)],
            dead_receiver: None,
            rude_callers: 0,
            rush: rng.chance(200),
            clients: rng.below(3) as usize,
            client_crash: often(rng, 200),
            watchers: rng.below(2) as usize,
            remote: rng.chance(300),
            arrival_ms_max: None,
            answer_ms_max: None,
            // Longer than a lease, too.
            pause_every_ms: rng.below(2) * rng.within((5_000, 40_000)),
            pause_ms: (10, 15_000),
            shared: None,
            mutation: None,
        }
    }
}

/// Some of what may happen; nothing in half of all seeds.
const fn often(rng: &mut Rng, per_mille: u64) -> u64 {
    let most = per_mille * rng.below(2);
    rng.below(most + 1)
}

/// Room for what a run does, most of the time.
const ROOMY: Sizes = Sizes {
    jobs: 16,
    blocks: 256,
    endpoints: 8,
    keys: 24,
    events: 160,
    streams: 160,
    callback_lanes: 2,
    attempts: 8,
};
