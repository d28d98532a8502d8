//! The way to the server that owns the records, and the connections to it that are kept.

use crate::{
    exchange::{Stream, dial},
    tls::Trust,
};
use dubhook_core::{client, url::Url};
use futures_lite::{AsyncReadExt, future};
use smol::channel::{Receiver, Sender, bounded};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

/// How long it may take until there is a connection: an owner that takes longer is most likely gone.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long the owner may be silent: longer than it waits with an answer where it is asked to, and than a stream is silent.
const SILENT_MAX: Duration = Duration::from_secs(90);
/// How many connections are kept while nobody needs them.
const KEPT_MAX: usize = 64;
/// For how long: much less than the owner keeps one.
const KEPT: Duration = Duration::from_secs(10);

/// Where calls are passed on to.
#[derive(Debug)]
pub(super) struct Route {
    trust: Trust,
    way: RefCell<Option<Rc<Way>>>,
    /// Calls that are under way.
    pub(super) calls: Calls,
}

/// How many calls are under way.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Callers who wait for an owner that has not said anything yet.
    pub(super) unanswered: Cell<usize>,
    /// Callers who are not answered to the end, but for those who listen to a stream.
    pub(super) unfinished: Cell<usize>,
    /// Whether no more are taken.
    pub(super) closing: Cell<bool>,
}

/// The way to one owner. It ends when another one has the records.
#[derive(Debug)]
pub(super) struct Way {
    url: String,
    epoch: u64,
    trust: Trust,
    kept: RefCell<Vec<(Box<dyn Stream>, Instant)>>,
    /// Dropped or closed when it ends.
    ends: Sender<Infallible>,
    ended: Receiver<Infallible>,
}

impl Route {
    pub(super) fn new(trust: Trust) -> Self {
        Self {
            trust,
            way: RefCell::default(),
            calls: Calls::default(),
        }
    }

    /// This server has the records, as far as is known; nobody that can be reached, where none.
    pub(super) fn lead(&self, owner: Option<(u64, String)>) {
        let mut way = self.way.borrow_mut();
        let is_same = match (&*way, &owner) {
            (Some(way), Some((epoch, url))) => way.epoch == *epoch && way.url == *url,
            (None, None) => true,
            _ => false,
        };
        if is_same {
            return;
        }
        if let Some(way) = way.take() {
            way.ends.close();
        }
        // What stands in the database is a server of ours, or nothing that is called.
        let Some((epoch, url)) = owner.filter(|(_, url)| client::Server::parse(url).is_ok()) else {
            return;
        };
        tracing::info!(epoch, url, "passes calls on");
        let (ends, ended) = bounded(1);
        *way = Some(Rc::new(Way {
            url,
            epoch,
            trust: self.trust.clone(),
            kept: RefCell::default(),
            ends,
            ended,
        }));
    }

    /// The way there, if there is one.
    pub(super) fn way(&self) -> Option<Rc<Way>> {
        self.way.borrow().clone()
    }
}

impl Way {
    /// Where it leads.
    pub(super) fn url(&self) -> Option<Url<'_>> {
        let server = client::Server::parse(&self.url).ok()?;
        Some(*server.url())
    }

    /// Waits until it ends.
    pub(super) async fn ended(&self) {
        let _ = self.ended.recv().await;
    }

    /// A connection that was kept and that nothing has come on.
    pub(super) async fn kept(&self) -> Option<Box<dyn Stream>> {
        loop {
            let (mut stream, since) = self.kept.borrow_mut().pop()?;
            let is_quiet = future::poll_once(stream.read(&mut [0])).await.is_none();
            if is_quiet && since.elapsed() < KEPT {
                return Some(stream);
            }
        }
    }

    /// A new connection.
    pub(super) async fn open(&self) -> io::Result<Box<dyn Stream>> {
        let url = self.url().ok_or(io::ErrorKind::InvalidInput)?;
        let dialed = dial(&url, &self.trust, CONNECT_MAX, SILENT_MAX).await;
        dialed.map(|(_, stream)| stream)
    }

    /// Keeps a connection for the next call.
    pub(super) fn keep(&self, stream: Box<dyn Stream>) {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|(_, since)| since.elapsed() < KEPT);
        if kept.len() < KEPT_MAX {
            kept.push((stream, Instant::now()));
        }
    }
}
