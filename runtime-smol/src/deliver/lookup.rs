//! Looking names up, so that a name server that does not answer holds up nobody else.
//!
//! A look-up blocks a thread, for longer than an attempt may take, and cannot be called back. So those who want the same
//! name at the same time wait for the same look-up, and there are only so many look-ups at once: threads are left for the
//! store, which takes its own from the same pool. What was found is for those who waited for it and is then forgotten;
//! a later connection has the name looked up anew.

use crate::resolve::Resolve;
use event_listener::Event;
use smol::unblock;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Look-ups at once: half of the threads that the pool has.
const LOOKUPS_MAX: usize = 250;

/// The look-ups under way.
#[derive(Debug)]
pub(crate) struct Lookups(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    resolver: Arc<dyn Resolve>,
    under_way: Mutex<HashMap<String, Arc<Lookup>>>,
    /// Told whenever one has ended.
    ended: Event,
}

/// One look-up: the addresses, once they are found; none where they were not.
type Lookup = OnceLock<Vec<IpAddr>>;

impl Lookups {
    pub(crate) fn new(resolver: Arc<dyn Resolve>) -> Self {
        Self(Arc::new(Shared {
            resolver,
            under_way: Mutex::default(),
            ended: Event::new(),
        }))
    }

    /// All addresses that the name has right now; none where there are none or they cannot be found.
    pub(crate) async fn resolve(&self, name: &str) -> Vec<IpAddr> {
        let lookup = loop {
            let ended = self.0.ended.listen();
            match self.join(name) {
                Some(lookup) => break lookup,
                None => ended.await,
            }
        };
        loop {
            let ended = self.0.ended.listen();
            match lookup.get() {
                Some(found) => return found.clone(),
                None => ended.await,
            }
        }
    }

    /// The look-up of this name that is under way, or a new one. `None` where there are too many.
    fn join(&self, name: &str) -> Option<Arc<Lookup>> {
        let mut under_way = self.0.lock();
        if let Some(lookup) = under_way.get(name) {
            return Some(Arc::clone(lookup));
        }
        if under_way.len() == LOOKUPS_MAX {
            return None;
        }
        let lookup = Arc::new(Lookup::new());
        under_way.insert(name.to_owned(), Arc::clone(&lookup));
        let running = Running {
            shared: Arc::clone(&self.0),
            name: name.to_owned(),
            lookup: Arc::clone(&lookup),
        };
        unblock(move || running.run()).detach();
        Some(lookup)
    }
}

impl Shared {
    /// Whoever holds it only adds and removes, so a panic leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Lookup>>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look-up on its thread. It has ended when this is dropped, though the resolver panics.
struct Running {
    shared: Arc<Shared>,
    name: String,
    lookup: Arc<Lookup>,
}

impl Running {
    fn run(self) {
        let found = self.shared.resolver.resolve(&self.name);
        self.lookup.get_or_init(|| found.unwrap_or_default());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lookup.get_or_init(Vec::new);
        self.shared.lock().remove(&self.name);
        self.shared.ended.notify(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_io::block_on;
    use futures_lite::future;
    use smol::channel::{Receiver, Sender, bounded};
    use std::{io, net::Ipv4Addr};

    const FOUND: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Says which name it was asked for, and answers once it is let go on.
    #[derive(Debug)]
    struct Slow {
        asked: Sender<String>,
        go: Receiver<()>,
    }

    impl Resolve for Slow {
        fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
            self.asked.send_blocking(name.to_owned()).unwrap();
            match (self.go.recv_blocking(), name) {
                (_, "panic") => panic!("as the test wants it"),
                (Ok(()), "good") => Ok(vec![FOUND]),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    fn slow() -> (Lookups, Receiver<String>, Sender<()>) {
        let ((asked, names), (let_go, go)) = (bounded(1_000), bounded(1_000));
        (Lookups::new(Arc::new(Slow { asked, go })), names, let_go)
    }

    #[test]
    fn who_wants_the_same_name_waits_for_the_same_look_up() {
        let (lookups, names, let_go) = slow();
        block_on(async {
            for _ in 0..2 {
                let both = future::zip(lookups.resolve("good"), lookups.resolve("good"));
                let go_on = async {
                    assert_eq!(names.recv().await.unwrap(), "good");
                    let_go.send(()).await.unwrap();
                };
                let (found, ()) = future::zip(both, go_on).await;
                assert_eq!(found, (vec![FOUND], vec![FOUND]));
            }
            // Each time anew, and only once each time.
            assert!(names.is_empty());
        });
    }

    #[test]
    fn names_that_nobody_answers_for_leave_threads_for_others() {
        let (lookups, names, let_go) = slow();
        block_on(async {
            // Nobody waits for them any more, and still they are there.
            for number in 0..2 * LOOKUPS_MAX {
                let name = format!("{number}.test");
                let asked = lookups.resolve(&name);
                assert_eq!(future::poll_once(asked).await, None);
            }
            assert_eq!(lookups.0.lock().len(), LOOKUPS_MAX);
            assert_eq!(unblock(|| 17).await, 17, "the store has a thread");
            // One that ends makes room for another.
            let good = lookups.resolve("good");
            let go_on = async {
                while names.recv().await.unwrap() != "good" {
                    let_go.send(()).await.unwrap();
                }
                let_go.send(()).await.unwrap();
            };
            assert_eq!(future::zip(good, go_on).await.0, [FOUND]);
        });
    }

    #[test]
    fn a_resolver_that_panics_has_found_nothing() {
        let (lookups, _names, let_go) = slow();
        block_on(async {
            let_go.send(()).await.unwrap();
            assert!(lookups.resolve("panic").await.is_empty());
        });
        assert!(lookups.0.lock().is_empty());
    }
}
