//! What arrived at the receiver, each held against all that arrived before it.

use crate::wire::{Arrival, Hearer};
use std::collections::{BTreeMap, BTreeSet};

/// What was told last of a job at one address.
#[derive(Debug, Clone)]
pub struct Told {
    /// The number of the event.
    pub sequence: u64,
    /// The job's status.
    pub status: String,
    kind: String,
}

impl Told {
    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        ["completed", "error", "canceled"].contains(&self.status.as_str())
    }

    /// Whether `next` may be what is told after this one. Overtaken progress may be left out, a change of state never.
    fn may_come_before(&self, next: &Self) -> bool {
        let follows = next.sequence == self.sequence + 1;
        match self.kind.as_str() {
            "translation.pending" => {
                follows && ["processing", "canceled", "error"].contains(&next.status.as_str())
            }
            "translation.processing" | "translation.progress" => {
                // Only progress can lie between, and another start cannot.
                next.kind != "translation.processing"
            }
            _ => false,
        }
    }
}

/// Everything that arrived.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// By path and job.
    last: BTreeMap<(String, String), Told>,
    /// Of each event, its `webhook-id` and its body: the same at every attempt and at every address.
    events: BTreeMap<(String, u64), (String, Vec<u8>)>,
    ids: BTreeSet<String>,
    count: usize,
    repeated: usize,
}

impl Arrivals {
    /// Takes what has arrived since.
    pub fn take(&mut self, hearer: &Hearer) {
        self.extend(hearer.arrived());
    }

    /// Takes several, in the order in which they arrived.
    pub fn extend(&mut self, arrivals: impl IntoIterator<Item = Arrival>) {
        for arrival in arrivals {
            self.add(arrival);
        }
    }

    /// Takes one that has arrived.
    ///
    /// # Panics
    ///
    /// If it contradicts what arrived before.
    pub fn add(&mut self, arrival: Arrival) {
        let json = arrival.json();
        let text = |name: &str| json["data"][name].as_str().expect("text").to_owned();
        let job = text("id");
        let told = Told {
            sequence: json["data"]["sequence"].as_u64().expect("a number"),
            status: text("status"),
            kind: arrival.kind(),
        };
        self.count += 1;
        let webhook_id = arrival.fields["webhook-id"].clone();
        let event = (job.clone(), told.sequence);
        match self.events.get(&event) {
            Some((known, body)) => {
                assert_eq!(*known, webhook_id, "one event, two ids");
                assert_eq!(*body, arrival.body, "one event, two bodies");
            }
            None => {
                assert!(self.ids.insert(webhook_id.clone()), "two events, one id");
                self.events.insert(event, (webhook_id, arrival.body));
            }
        }
        let narrow = arrival.path != "/hook" && !arrival.path.ends_with("/callback");
        match self.last.get(&(arrival.path.clone(), job.clone())) {
            Some(last) if told.sequence <= last.sequence => {
                self.repeated += 1;
                return;
            }
            Some(last) => assert!(last.may_come_before(&told), "{told:?} after {last:?}"),
            None => assert!(
                narrow || told.sequence == 1,
                "the first of {job} is {told:?}"
            ),
        }
        self.last.insert((arrival.path, job), told);
    }

    /// What was told last of a job at an address.
    #[must_use]
    pub fn last(&self, path: &str, job: &str) -> Option<&Told> {
        self.last.get(&(path.to_owned(), job.to_owned()))
    }

    /// Every job that anything was told of.
    #[must_use]
    pub fn jobs(&self) -> BTreeSet<&str> {
        self.events.keys().map(|(job, _)| job.as_str()).collect()
    }

    /// How much it holds.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self {
            count, repeated, ..
        } = self;
        format!("{count} arrivals, {repeated} of them again")
    }
}
