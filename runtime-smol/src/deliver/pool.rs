//! Connections that wait for the next attempt to the same origin.

use super::known::Known;
use crate::net::Stream;
use dubhook_core::{time::Instant, url::Url};
use std::{collections::HashMap, net::IpAddr, rc::Rc};

/// How long a connection is kept unused, in milliseconds: less than most servers wait.
const IDLE_MS: u64 = 30_000;
/// How often is looked for such connections, in milliseconds.
const SWEEP_MS: u64 = 10_000;
/// Connections kept for one origin at most: as many as an endpoint may have attempts in flight.
const PER_ORIGIN_MAX: usize = 32;

/// A connection that carries no attempt.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) stream: Stream,
    /// The address that it leads to.
    pub(crate) address: IpAddr,
    /// Where that is.
    pub(crate) known: Rc<Known>,
}

/// What there is for an attempt.
#[derive(Debug)]
pub(crate) enum Kept {
    /// A connection.
    Idle(Idle),
    /// Connections, and a name that is to be looked up before one of them is used.
    Stale(Rc<Known>),
    /// None.
    Nothing,
}

/// What is kept of one origin.
#[derive(Debug)]
struct Origin {
    known: Rc<Known>,
    /// The newest last.
    idle: Vec<(Instant, Idle)>,
}

/// The connections kept.
#[derive(Debug)]
pub(crate) struct Pool {
    /// The one that was put there last, and when. Whoever puts one there often wants one of the same origin next.
    latest: Option<(Instant, Idle)>,
    /// All others, by their origin.
    kept: HashMap<Rc<str>, Origin>,
    len: usize,
    len_max: usize,
    /// When to look for old ones; none where nothing is kept.
    sweep: Option<Instant>,
    /// Memory for an origin that is looked for.
    wanted: String,
}

impl Pool {
    pub(crate) fn new(len_max: usize) -> Self {
        Self {
            latest: None,
            kept: HashMap::new(),
            len: 0,
            len_max,
            sweep: None,
            wanted: String::new(),
        }
    }

    /// The connection to where `url` leads that was used last, if one still stands.
    pub(crate) fn take(&mut self, now: Instant, url: &Url<'_>) -> Kept {
        self.wanted.clear();
        write_origin(url, &mut self.wanted);
        if let Some((_, latest)) = &self.latest
            && *latest.known.origin == *self.wanted
        {
            if latest.known.is_stale(now) {
                return Kept::Stale(Rc::clone(&latest.known));
            }
            if let Some((_, idle)) = self.latest.take() {
                self.len -= 1;
                if idle.stream.is_quiet() {
                    return Kept::Idle(idle);
                }
            }
        }
        let Some(origin) = self.kept.get_mut(self.wanted.as_str()) else {
            return Kept::Nothing;
        };
        if !origin.idle.is_empty() && origin.known.is_stale(now) {
            return Kept::Stale(Rc::clone(&origin.known));
        }
        while let Some((_, idle)) = origin.idle.pop() {
            self.len -= 1;
            if idle.stream.is_quiet() {
                return Kept::Idle(idle);
            }
        }
        Kept::Nothing
    }

    /// Takes note of which addresses an origin has, and closes what leads elsewhere. `again` says whether they may change.
    pub(crate) fn looked_up(
        &mut self,
        now: Instant,
        origin: &str,
        addresses: Vec<IpAddr>,
        again: bool,
    ) -> Rc<Known> {
        self.sweep.get_or_insert(now.after_ms(SWEEP_MS));
        let Some(kept) = self.kept.get_mut(origin) else {
            let known = Rc::new(Known::new(origin));
            known.looked_up(now, addresses, again);
            let kept = Origin {
                known: Rc::clone(&known),
                idle: Vec::new(),
            };
            self.kept.insert(Rc::clone(&known.origin), kept);
            return known;
        };
        let known = Rc::clone(&kept.known);
        known.looked_up(now, addresses, again);
        let before = kept.idle.len();
        kept.idle.retain(|(_, idle)| known.has(idle.address));
        self.len -= before - kept.idle.len();
        let leads_elsewhere = |latest: &mut (Instant, Idle)| {
            Rc::ptr_eq(&latest.1.known, &known) && !known.has(latest.1.address)
        };
        if self.latest.take_if(leads_elsewhere).is_some() {
            self.len -= 1;
        }
        known
    }

    /// An attempt at this origin has failed.
    pub(crate) fn doubt(&self, origin: &str) {
        if let Some(origin) = self.kept.get(origin) {
            origin.known.doubt();
        }
    }

    /// Keeps a connection, unless there are enough, or its address is not its origin's any more.
    pub(crate) fn put(&mut self, now: Instant, idle: Idle) {
        if self.len == self.len_max || !idle.known.has(idle.address) {
            return;
        }
        self.len += 1;
        self.sweep.get_or_insert(now.after_ms(SWEEP_MS));
        if let Some(before) = self.latest.replace((now, idle)) {
            self.put_aside(before);
        }
    }

    fn put_aside(&mut self, before: (Instant, Idle)) {
        let known = &before.1.known;
        let kept = match self.kept.get_mut(&known.origin) {
            Some(kept) => kept,
            None => self
                .kept
                .entry(Rc::clone(&known.origin))
                .or_insert_with(|| Origin {
                    known: Rc::clone(known),
                    idle: Vec::new(),
                }),
        };
        if kept.idle.len() < PER_ORIGIN_MAX {
            kept.idle.push(before);
        } else {
            self.len -= 1;
        }
    }

    /// Closes connections that nobody has used for long, and those that the other side has closed.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.sweep.is_none_or(|sweep| sweep > now) {
            return;
        }
        let stands = |(since, idle): &(Instant, Idle)| {
            now.ms_since(*since) < IDLE_MS && idle.stream.is_quiet()
        };
        self.latest.take_if(|latest| !stands(latest));
        self.len = usize::from(self.latest.is_some());
        self.kept.retain(|_, kept| {
            kept.idle.retain(stands);
            self.len += kept.idle.len();
            // What a connection in use still shares is kept with it.
            !kept.idle.is_empty() || Rc::strong_count(&kept.known) > 1
        });
        self.sweep = (!self.kept.is_empty()).then(|| now.after_ms(SWEEP_MS));
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.sweep
    }
}

/// Writes the scheme, host and port of a URL.
pub(crate) fn write_origin(url: &Url<'_>, text: &mut String) {
    text.push_str(url.scheme().as_str());
    text.push_str("://");
    text.push_str(url.host_text());
    // As bytes, since formatting a number takes longer than all the rest.
    let [high, low] = url.port().to_be_bytes();
    text.extend([':', char::from(high), char::from(low)]);
}
