//! Connections that wait for the next attempt to the same origin.

use crate::net::Stream;
use dubhook_core::{time::Instant, url::Url};
use std::{collections::HashMap, rc::Rc};

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
    /// Where it leads to, as [`write_origin`] has it.
    pub(crate) origin: Rc<str>,
}

/// The connections kept.
#[derive(Debug)]
pub(crate) struct Pool {
    /// The one that was put there last, and when. Whoever puts one there often wants one of the same origin next.
    latest: Option<(Instant, Idle)>,
    /// All others. The newest last.
    kept: HashMap<Rc<str>, Vec<(Instant, Idle)>>,
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
    pub(crate) fn take(&mut self, url: &Url<'_>) -> Option<Idle> {
        self.wanted.clear();
        write_origin(url, &mut self.wanted);
        let leads_there = |latest: &mut (Instant, Idle)| *latest.1.origin == *self.wanted;
        if let Some((_, idle)) = self.latest.take_if(leads_there) {
            self.len -= 1;
            if idle.stream.is_quiet() {
                return Some(idle);
            }
        }
        let kept = self.kept.get_mut(self.wanted.as_str())?;
        while let Some((_, idle)) = kept.pop() {
            self.len -= 1;
            if idle.stream.is_quiet() {
                return Some(idle);
            }
        }
        None
    }

    /// Keeps a connection, unless there are enough.
    pub(crate) fn put(&mut self, now: Instant, idle: Idle) {
        if self.len == self.len_max {
            return;
        }
        self.len += 1;
        self.sweep.get_or_insert(now.after_ms(SWEEP_MS));
        if let Some(before) = self.latest.replace((now, idle)) {
            self.put_aside(before);
        }
    }

    fn put_aside(&mut self, before: (Instant, Idle)) {
        let origin = &before.1.origin;
        let kept = match self.kept.get_mut(origin) {
            Some(kept) => kept,
            None => self.kept.entry(Rc::clone(origin)).or_default(),
        };
        if kept.len() < PER_ORIGIN_MAX {
            kept.push(before);
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
        self.kept.retain(|_, kept| {
            kept.retain(stands);
            !kept.is_empty()
        });
        let others = self.kept.values().map(Vec::len).sum::<usize>();
        self.len = others + usize::from(self.latest.is_some());
        self.sweep = (self.len > 0).then(|| now.after_ms(SWEEP_MS));
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
