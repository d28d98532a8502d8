//! What the process writes down, and how it starts from that.

use super::{
    journal::Batch,
    keeper::Changes,
    mutation::Mutation,
    process::{Process, room},
    queue::Event,
    world::World,
};
use crate::dump::{dump, jobs};
use dubhook_core::{
    id::Id,
    record::{self, Key, Table},
    server::{Input, Server},
    service::Service,
    time::Now,
};
use std::collections::BTreeMap;

impl Process<'_> {
    pub(super) fn restore(&mut self, world: &mut World, now: Now, records: &[(Key, Vec<u8>)]) {
        for (key, value) in records {
            if let Err(error) = self.server.restore(now, *key, value) {
                world
                    .oracle
                    .fail("S14", format!("{key:?} was written and is {error:?}"));
                return;
            }
        }
        if let Err(error) = self.server.start(now) {
            let text = format!("what was written does not start: {error:?}");
            world.oracle.fail("S14", text);
        }
    }

    /// A second recovery must come out the same.
    pub(super) fn check_recovery(&self, world: &mut World, now: Now, records: &[(Key, Vec<u8>)]) {
        let mut again = room(world);
        let mut again = Server::new(again.lend(), self.config, [7; 32]).unwrap();
        let forgets = world.env.options.mutation == Some(Mutation::ForgetfulRecovery);
        let seen = records.len().saturating_sub(usize::from(forgets));
        for (key, value) in records.iter().take(seen) {
            let _ = again.restore(now, *key, value);
        }
        let _ = again.start(now);
        let service = again.service();
        let same = dump(service) == dump(self.server.service());
        world
            .oracle
            .ensure(same, "S13", || "two recoveries differ".to_owned());
        let sound = service.audit();
        let text = || format!("a recovery is out of step: {sound:?}");
        world.oracle.ensure(sound.is_ok(), "S13", text);
    }

    /// Sends a batch on its way.
    pub(super) fn commit(&mut self, world: &mut World, batch: record::Batch) {
        let mut changes = std::mem::take(&mut self.changes);
        let options = &world.env.options;
        let rows = options.sizes;
        for (key, _) in &changes {
            let most = match key.table {
                Table::Meta => 0,
                Table::Job | Table::State => rows.jobs,
                Table::Endpoint => rows.endpoints,
                Table::Event => rows.events,
                Table::Stream => rows.streams,
                Table::Key => rows.keys,
            };
            let fits = key.slot as usize <= most;
            world
                .oracle
                .ensure(fits, "S10", || format!("{key:?} is out of bounds"));
        }
        if let Some(mutation) = world.env.options.mutation {
            mutation.spoil_records(self.number, &mut changes);
        }
        let sequences = sequences(self.server.service());
        self.batch = Some(batch);
        if world.env.options.shared.is_some() {
            let records = changes;
            self.outgoing = Some(Changes { records, sequences });
            return;
        }
        world
            .journal
            .batches
            .push_back(Batch { changes, sequences });
        let range = world.env.options.commit_ms;
        let range = if world.env.healed { (0, 1) } else { range };
        let at = world.env.now_ms() + world.env.rng.within(range);
        let at = at.max(world.journal_free_at);
        world.journal_free_at = at;
        world.env.queue.push(at, Event::Synced(self.number));
        if world.env.options.mutation == Some(Mutation::AckBeforeSync) {
            self.acknowledge(world);
        }
    }

    /// The oldest batch is durable.
    pub(super) fn synced(&mut self, world: &mut World) {
        if world.env.options.mutation == Some(Mutation::NeverCommit) && world.env.healed {
            return;
        }
        self.acknowledge(world);
        let sound = self.server.service().audit();
        let text = || format!("out of step: {sound:?}");
        world.oracle.ensure(sound.is_ok(), "S10", text);
    }

    fn acknowledge(&mut self, world: &World) {
        if let Some(batch) = self.batch.take() {
            let now = self.now(world);
            let taken = self.server.handle(now, Input::Durable(batch));
            taken.expect("the machine's own batch");
        }
    }
}

/// How far each job has come.
fn sequences(service: &Service<'_>) -> BTreeMap<Id, u32> {
    let jobs = jobs(service).filter_map(|ix| service.job(ix));
    jobs.map(|job| (job.id(), job.last_event().sequence))
        .collect()
}
