//! A caller that makes requests until the server is gone, and notes what it was told.

use dubhook_core::random::Random;
use dubhook_tests::{
    ledger::{Ledger, Sent},
    wire::Asker,
};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// A caller with a number of its own.
#[derive(Debug)]
pub(crate) struct Caller {
    number: u64,
    random: Random,
}

impl Caller {
    pub(crate) fn new(number: u64, random: Random) -> Self {
        Self { number, random }
    }

    /// Makes requests until one is not answered.
    pub(crate) fn work(mut self, mut asker: Asker, ledger: &Mutex<Ledger>, acked: &AtomicUsize) {
        for count in 0.. {
            let told = match self.random.below(20) {
                0..=15 => self.submit(&mut asker, ledger, count),
                16..=17 => self.cancel(&mut asker, ledger),
                18 => self.register(&mut asker, ledger, count),
                _ => self.remove(&mut asker, ledger),
            };
            if told.is_none() {
                return;
            }
            acked.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn submit(&mut self, asker: &mut Asker, ledger: &Mutex<Ledger>, count: usize) -> Option<()> {
        let key = format!("key-{}-{count}", self.number);
        let with_callback = self.random.below(2) == 0;
        let place = lock(ledger).add(Sent::new(key, with_callback));
        let request = lock(ledger).request(place);
        let told = request.send(asker)?;
        lock(ledger).accepted(place, &told);
        Some(())
    }

    fn cancel(&mut self, asker: &mut Asker, ledger: &Mutex<Ledger>) -> Option<()> {
        let Some(place) = lock(ledger).recent(&mut self.random) else {
            return Some(());
        };
        let path = lock(ledger).path(place)?;
        let answer = asker.try_call("POST", &format!("{path}/cancel"), "", "");
        let answer = answer.ok()?;
        assert!([200, 409].contains(&answer.status), "{answer:?}");
        if answer.status == 200 {
            lock(ledger).ended(place, "canceled");
        }
        Some(())
    }

    fn register(&mut self, asker: &mut Asker, ledger: &Mutex<Ledger>, count: usize) -> Option<()> {
        let name = format!("hook-{}-{count}", self.number);
        let body = lock(ledger).registration(&name);
        let answer = asker.try_call("POST", "/v1/webhooks", "", &body).ok()?;
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        lock(ledger).registered(id, name);
        Some(())
    }

    fn remove(&mut self, asker: &mut Asker, ledger: &Mutex<Ledger>) -> Option<()> {
        let Some(id) = lock(ledger).begin_removal(&mut self.random) else {
            return Some(());
        };
        let answer = asker.try_call("DELETE", &format!("/v1/webhooks/{id}"), "", "");
        let answer = answer.ok()?;
        assert!([204, 404].contains(&answer.status), "{answer:?}");
        lock(ledger).removed(&id);
        Some(())
    }
}

fn lock(ledger: &Mutex<Ledger>) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().expect("a ledger")
}
