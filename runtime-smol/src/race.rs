//! Connecting to whoever has several addresses, some of which may lead nowhere (RFC 8305, "happy eyeballs").
//!
//! The families take turns, each new attempt begins 250 ms after the one before it, or at once when that has failed, and
//! none is called off before one has come through. Which one did is remembered for a while, and tried first.

use async_io::Timer;
use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// How long an attempt has the field for itself (RFC 8305, section 5).
const NEXT: Duration = Duration::from_millis(250);
/// How long the address that came through is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many are remembered at once.
const REMEMBERED_MAX: usize = 1_024;

/// How many connections may be under way besides the first one of each race. Where there are none left, a new attempt
/// takes the place of the one that has tried for the longest.
#[derive(Debug)]
pub(crate) struct Spare(AtomicUsize);

impl Spare {
    pub(crate) const fn new(connections: usize) -> Self {
        Self(AtomicUsize::new(connections))
    }

    fn take(&self) -> Option<Taken<'_>> {
        let less = |left: usize| left.checked_sub(1);
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.is_ok().then(|| Taken(self))
    }
}

/// One that was taken; it is given back.
struct Taken<'s>(&'s Spare);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An attempt under way.
struct Attempt<'s, F> {
    address: SocketAddr,
    connecting: Pin<Box<F>>,
    /// None for the first one.
    _spare: Option<Taken<'s>>,
}

/// Has `connect` try one address after the other until one comes through: which one, and what came of it. `host` is by
/// what name it is remembered.
///
/// # Errors
///
/// What went wrong with the last of them, where none did.
pub(crate) async fn first<T, F>(
    host: &str,
    addresses: impl IntoIterator<Item = SocketAddr>,
    spare: &Spare,
    mut connect: impl FnMut(SocketAddr) -> F,
) -> io::Result<(SocketAddr, T)>
where
    F: Future<Output = io::Result<T>>,
{
    let remembered = remembered(host);
    let mut left = in_turns(addresses.into_iter().collect(), remembered).into_iter();
    let mut under_way: Vec<Attempt<'_, F>> = Vec::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut next: Option<Timer> = None;
    loop {
        if next.is_none()
            && let Some(address) = left.next()
        {
            let taken = if under_way.is_empty() {
                None
            } else {
                let taken = spare.take();
                if taken.is_none() {
                    under_way.remove(0);
                }
                taken
            };
            let connecting = Box::pin(connect(address));
            under_way.push(Attempt {
                address,
                connecting,
                _spare: taken,
            });
            next = Some(Timer::after(NEXT));
        }
        if under_way.is_empty() {
            return Err(last);
        }
        match poll_fn(|cx| poll(cx, &mut under_way, &mut next)).await {
            None => next = None,
            Some((address, Ok(connection))) => {
                remember(host, address);
                return Ok((address, connection));
            }
            Some((_, Err(error))) => {
                last = error;
                next = None;
            }
        }
    }
}

/// What has come of any attempt; none where it is time for the next one.
fn poll<T, F: Future<Output = io::Result<T>>>(
    cx: &mut Context<'_>,
    under_way: &mut Vec<Attempt<'_, F>>,
    next: &mut Option<Timer>,
) -> Poll<Option<(SocketAddr, io::Result<T>)>> {
    for index in 0..under_way.len() {
        let attempt = &mut under_way[index];
        if let Poll::Ready(done) = attempt.connecting.as_mut().poll(cx) {
            return Poll::Ready(Some((under_way.remove(index).address, done)));
        }
    }
    match next {
        Some(timer) => Pin::new(timer).poll(cx).map(|_| None),
        None => Poll::Pending,
    }
}

/// The addresses in the order in which they are tried: the one that is remembered, and then the families in turns, the
/// first one's first (RFC 8305, section 4).
fn in_turns(addresses: Vec<SocketAddr>, remembered: Option<IpAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        let before = ordered.len();
        ordered.extend(first.next());
        ordered.extend(second.next());
        if ordered.len() == before {
            break;
        }
    }
    let found = ordered
        .iter()
        .position(|address| Some(address.ip()) == remembered);
    if let Some(found) = found {
        ordered[..=found].rotate_right(1);
    }
    ordered
}

/// Which address came through last, by host.
static WINNERS: LazyLock<Mutex<HashMap<String, (IpAddr, Instant)>>> = LazyLock::new(Mutex::default);

fn remembered(host: &str) -> Option<IpAddr> {
    let winners = WINNERS.lock().unwrap_or_else(PoisonError::into_inner);
    let (address, since) = winners.get(host)?;
    (since.elapsed() < REMEMBERED).then_some(*address)
}

fn remember(host: &str, address: SocketAddr) {
    let mut winners = WINNERS.lock().unwrap_or_else(PoisonError::into_inner);
    if winners.len() >= REMEMBERED_MAX && !winners.contains_key(host) {
        winners.retain(|_, (_, since)| since.elapsed() < REMEMBERED);
        if winners.len() >= REMEMBERED_MAX {
            winners.clear();
        }
    }
    winners.insert(host.to_owned(), (address.ip(), Instant::now()));
}

/// Whoever answered there failed: all addresses are as good as another again.
pub(crate) fn forget(host: &str) {
    let mut winners = WINNERS.lock().unwrap_or_else(PoisonError::into_inner);
    winners.remove(host);
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_io::block_on;
    use std::{cell::RefCell, future};

    fn address(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 80)
    }

    #[test]
    fn families_take_turns_and_who_is_remembered_is_first() {
        let all = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"].map(address);
        let order = in_turns(all.to_vec(), None);
        assert_eq!(order, [all[0], all[3], all[1], all[2]]);
        let order = in_turns(all.to_vec(), Some(all[2].ip()));
        assert_eq!(order, [all[2], all[0], all[3], all[1]]);
        // Only one that it still has.
        let order = in_turns(all[..2].to_vec(), Some(all[2].ip()));
        assert_eq!(order, all[..2]);
    }

    /// Races to addresses of which `good` takes connections, those in `refusing` refuse them, and others are silent.
    fn race(host: &str, good: &str, refusing: &[&str], all: &[&str]) -> (String, Vec<String>) {
        let tried = RefCell::new(Vec::new());
        let connect = |address: SocketAddr| {
            let ip = address.ip().to_string();
            tried.borrow_mut().push(ip.clone());
            async move {
                match ip.as_str() {
                    ip if ip == good => Ok(17),
                    ip if refusing.contains(&ip) => Err(io::ErrorKind::ConnectionRefused.into()),
                    _ => future::pending().await,
                }
            }
        };
        let spare = Spare::new(1);
        let all = all.iter().map(|text| address(text));
        let (through, connection) = block_on(first(host, all, &spare, connect)).unwrap();
        assert_eq!(connection, 17);
        assert_eq!(spare.0.into_inner(), 1, "all is given back");
        (through.ip().to_string(), tried.into_inner())
    }

    #[test]
    fn who_is_silent_or_refuses_holds_nobody_up_and_the_winner_is_tried_first() {
        let all = ["::2", "::3", "192.0.2.1", "192.0.2.2"];
        let (through, tried) = race("race.test", "192.0.2.2", &["::3"], &all);
        assert_eq!(through, "192.0.2.2");
        assert_eq!(tried, ["::2", "192.0.2.1", "::3", "192.0.2.2"]);
        let (_, tried) = race("race.test", "192.0.2.2", &[], &all);
        assert_eq!(tried, ["192.0.2.2"]);
        forget("race.test");
        let (_, tried) = race("race.test", "::2", &[], &all);
        assert_eq!(tried, ["::2"]);
    }

    #[test]
    fn where_nobody_is_the_last_reason_is_told() {
        let refuse = |_| async { Err::<(), _>(io::ErrorKind::ConnectionRefused.into()) };
        let all = ["192.0.2.1", "::1"].map(address);
        let error = block_on(first("none.test", all, &Spare::new(1), refuse)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = block_on(first("none.test", [], &Spare::new(1), refuse)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
