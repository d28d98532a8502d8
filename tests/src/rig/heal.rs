//! The end of every test: all faults are over, everything must drain, and nothing be left behind.

use super::{Op, Reply, Rig, limits};
use crate::{
    dump::dump,
    model::{Debt, Standing, Step, Target},
};
use dubhook_core::{id::Id, record::Key, server::Server};

impl Rig {
    /// All faults are over: everything must come to an end, and nothing be left behind.
    pub(super) fn heal(&mut self, server: &mut Server<'_>) {
        let enable: Vec<Id> = self.model.hooks.keys().copied().collect();
        for round in 0..1_000 {
            for at in 0..enable.len() as u8 {
                self.apply(server, &Op::Enable(at, true));
                self.apply(server, &Op::Redeliver(at));
            }
            self.apply(server, &Op::Start);
            for at in 0..self.model.jobs.len() as u8 {
                self.apply(server, &Op::Report(at, Step::Complete));
            }
            self.save_all(server);
            while !self.in_flight.is_empty() {
                self.apply(server, &Op::Settle(0, Reply::Ok));
            }
            let ended = self
                .model
                .jobs
                .values()
                .all(|job| job.status().is_terminal());
            let off = self.model.hooks.values().any(|hook| !hook.enabled);
            // A dead letter for which there was no room when it was asked for is asked for again.
            let owed = self.model.count(Standing::Due).max(self.missing().len()) as u64;
            let paid = owed <= self.pushed(server) && server.service().owed().streams == 0;
            if ended && !off && paid {
                break;
            }
            let next = server.deadline().unwrap_or(self.now.instant);
            self.apply(
                server,
                &Op::Pass(next.ms_since(self.now.instant).min(60_000)),
            );
            assert!(
                round < 300,
                "L1: it does not drain: ended {ended}, off {off}, owed {owed}, {}, {:?}",
                dump(server.service()).last().expect("a summary"),
                self.model.debts
            );
        }
        self.check_debts(server);
        self.check_empty(server);
    }

    /// Writes down all there is, what came after a batch that was on its way as well.
    fn save_all(&mut self, server: &mut Server<'_>) {
        while !self.all_durable(server) {
            self.apply(server, &Op::Seal);
            self.apply(server, &Op::Sync);
        }
    }

    /// What nobody got must be a dead letter that is still there, or was pushed out.
    fn check_debts(&self, server: &Server<'_>) {
        let missing = self.missing();
        let pushed = self.pushed(server);
        assert!(
            missing.len() as u64 <= pushed,
            "S3: nobody got {missing:?}, and only {pushed} dead letters were pushed out"
        );
    }

    /// What endpoints are owed and nobody got.
    fn missing(&self) -> Vec<(&Debt, &Standing)> {
        let debts = self.model.debts.iter();
        let missing = debts.filter(|(debt, standing)| {
            !self.got.contains(debt)
                && matches!(debt.target, Target::Hook(_))
                && **standing != Standing::Open
        });
        missing.collect()
    }

    /// With everything forgotten the tables are as at the start.
    fn check_empty(&mut self, server: &mut Server<'_>) {
        for _ in 0..self.sizes.endpoints {
            self.apply(server, &Op::Remove(0));
        }
        // Dead letters of callbacks stay until room is wanted: so want all there is, at once.
        for round in 0..self.sizes.jobs {
            let before = server.service().counters().submitted;
            self.apply(server, &submit(round as u8));
            let submitted = server.service().counters().submitted;
            assert_eq!(submitted, before + 1, "L1: room for a job");
            self.apply(server, &Op::Seal);
            self.apply(server, &Op::Sync);
        }
        for at in 0..self.model.jobs.len() as u8 {
            self.apply(server, &Op::Cancel(at));
        }
        self.apply(server, &Op::Seal);
        self.apply(server, &Op::Sync);
        self.apply(server, &Op::Pass(4 * limits().retain_ms));
        self.settle_down(server);
        self.apply(server, &Op::Seal);
        self.apply(server, &Op::Sync);
        assert_eq!(server.service().jobs_len(), 0, "S10: jobs");
        assert_eq!(server.service().endpoints_len(), 0, "S10: endpoints");
        let owed = server.service().owed();
        let left = (owed.streams, owed.dead_letters, owed.events, owed.attempts);
        assert_eq!(
            left,
            (0, 0, 0, 0),
            "S10: streams, letters, events, attempts"
        );
        let rest: Vec<&Key> = self.disk.keys().filter(|key| key.slot > 0).collect();
        assert_eq!(rest, Vec::<&Key>::new(), "S10: records");
    }
}

const fn submit(body: u8) -> Op {
    Op::Submit {
        callback: false,
        key: None,
        body,
    }
}
