//! Endpoints that fail again and again: they are probed, not flooded.

use super::{Oracle, Told, Try, deliveries::is_rejected};
use crate::sim::{env::Env, limits};
use dubhook_core::{dispatch::Verdict, id::Id, service::Attempted};
use std::collections::BTreeMap;

/// How many failures, each of an attempt that began after the one before had ended, make it certain that the server
/// knows an endpoint to fail: one more than it counts itself, since one may belong to a pause that was there already.
const CERTAIN: u32 = 4;

/// How an endpoint has fared since its last success.
#[derive(Debug, Default)]
struct Faring {
    failures: u32,
    /// When the last of them ended.
    failed_at_ms: u64,
    /// Whether a first attempt has failed, or the receiver has asked for time.
    all: bool,
    /// Whether something was given up, ever: then somebody may have asked for it again, and that goes at once.
    letters: bool,
}

/// All endpoints.
#[derive(Debug, Default)]
pub(super) struct Probes(BTreeMap<Id, Faring>);

impl Probes {
    /// How an endpoint has fared counts no more; and what it was owed may have been given up.
    pub(super) fn forgive(&mut self, endpoint: Id) {
        let faring = self.0.entry(endpoint).or_default();
        faring.failures = 0;
        faring.letters = true;
    }

    /// How endpoints fared is forgotten; what was given up is not.
    pub(super) fn crashed(&mut self) {
        for faring in self.0.values_mut() {
            *faring = Faring {
                letters: faring.letters,
                ..Faring::default()
            };
        }
    }

    pub(super) fn ended(&mut self, told: &Told, began_ms: u64, now_ms: u64, attempted: &Attempted) {
        let Some(endpoint) = told.endpoint else {
            return;
        };
        let faring = self.0.entry(endpoint).or_default();
        match attempted.verdict {
            Verdict::Delivered => {
                faring.failures = 0;
                faring.all = false;
                return;
            }
            Verdict::Retry { .. } => {}
            Verdict::Dead | Verdict::Dropped | Verdict::Overtaken => faring.letters = true,
        }
        if is_rejected(attempted) {
            return;
        }
        faring.all |= attempted.number == 1 || matches!(attempted.status, 429 | 502..=504);
        if began_ms >= faring.failed_at_ms {
            faring.failures += 1;
            faring.failed_at_ms = now_ms;
        }
    }
}

impl Oracle {
    /// An attempt begins: to an endpoint that fails, only after a pause.
    pub(super) fn check_probe(&mut self, seen: &Try<'_>, env: &Env) {
        let told = seen.told;
        let Some(faring) = told.endpoint.and_then(|id| self.probes.0.get(&id)) else {
            return;
        };
        let asked = told.job.is_none() || faring.letters;
        let held = faring.all || seen.number > 1;
        if asked || !held || faring.failures < CERTAIN {
            return;
        }
        let pause_ms = u64::from(limits().outbox.probe_ms);
        let since_ms = env.now_ms() - faring.failed_at_ms;
        let (id, failures) = (seen.id, faring.failures);
        let paused = since_ms >= pause_ms / 2;
        self.ensure(paused, "S12", || {
            format!("{id} is sent {since_ms} ms after failure {failures} in a row of its endpoint")
        });
    }
}
