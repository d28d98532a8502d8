//! A server that stands by: it listens, passes calls on to whoever has the records, and waits until they are its own.

use super::{
    accept::notice_when_gone,
    caller::{Caller, Heard},
    pass::Call,
    stop::{FINISH_MAX, Stop, StopSignal},
    storage, unheld,
    way::Route,
};
use crate::{
    net::{Net, Stream},
    store::{Store, StoreError},
    tls::{Identity, Trust},
};
use async_io::{Async, Timer};
use dubhook_core::{http::Method, out::Out};
use futures_lite::future::{self, FutureExt};
use rustls::ServerConnection;
use smol::{LocalExecutor, unblock};
use std::{
    cell::Cell,
    io,
    net::{TcpListener, TcpStream},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// How long to leave the listener alone when the operating system has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Room for the store's figures.
const FIGURES_BYTES_MAX: usize = 2_048;
/// How long those who waited for the old owner may take to be told that it is gone, and how often is looked.
const FAREWELL: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(5);

/// What a server that stands by has.
pub(super) struct Standby<'s> {
    pub(super) net: &'s Rc<Net>,
    pub(super) store: &'s Arc<dyn Store>,
    pub(super) listener: &'s Async<TcpListener>,
    pub(super) identity: Option<&'s Identity>,
    /// Whose certificate is believed to be the owner's.
    pub(super) trust: &'s Trust,
    /// How long a connection may be idle between requests.
    pub(super) idle: Duration,
    /// Who is served at once; who comes besides finds the connection closed.
    pub(super) connections_max: usize,
}

impl Standby<'_> {
    /// Waits until the records are this server's, and passes calls on meanwhile; calls `listens` once it does. Whether they are:
    /// else it was told to stop.
    pub(super) async fn run(
        self,
        stop: &StopSignal,
        listens: impl FnOnce(),
    ) -> Result<bool, StoreError> {
        let route = Rc::new(Route::new(self.trust.clone()));
        let taken = async { self.take(&route).await.map(Some) };
        let stopped = async {
            stop.wait_for(Stop::Finish).await;
            Ok(None)
        };
        let pause = match taken.or(stopped).await? {
            Some(Some(pause)) => pause,
            taken => return Ok(taken.is_some()),
        };
        tracing::info!("stands by");
        listens();
        let executor = Rc::new(LocalExecutor::new());
        let answer = async {
            let open = Rc::new(Cell::new(0));
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) if open.get() < self.connections_max => {
                        let Ok(stream) = stream.into_inner().and_then(|it| self.take_on(it)) else {
                            continue;
                        };
                        let (counted, route) = (Counted::new(&open), Rc::clone(&route));
                        let (idle, store) = (self.idle, Arc::clone(self.store));
                        let served = async move {
                            let _counted = counted;
                            // Whoever is gone need not be told.
                            let _ = serve(stream, &route, store.as_ref(), idle).await;
                        };
                        executor.spawn(served).detach();
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept connections");
                        Timer::after(EXHAUSTED).await;
                    }
                }
            }
        };
        let taken = async {
            let mut pause = pause;
            loop {
                Timer::after(pause).await;
                if route.calls.closing.get() {
                    return future::pending().await;
                }
                match self.take(&route).await? {
                    Some(again) => pause = again,
                    None => break,
                }
            }
            if route.calls.closing.get() {
                // Another server need not wait for them.
                let store = Arc::clone(self.store);
                unblock(move || store.release()).await;
                return future::pending().await;
            }
            route.lead(None);
            let late = async { _ = Timer::after(FAREWELL).await };
            none(&route.calls.unanswered).or(late).await;
            Ok(true)
        };
        let stopped = async {
            stop.wait_for(Stop::Finish).await;
            tracing::info!("stopping");
            route.calls.closing.set(true);
            let late = async { _ = Timer::after(FINISH_MAX).await };
            let finished = none(&route.calls.unfinished);
            finished.or(stop.wait_for(Stop::Now)).or(late).await;
            Ok(false)
        };
        let watch = async {
            let error = self.net.run().await.err();
            Err(error.unwrap_or_else(|| io::ErrorKind::Other.into()).into())
        };
        executor.run(stopped.or(taken).or(answer).or(watch)).await
    }

    /// Looks whether the records can be had, and where they are where not.
    async fn take(&self, route: &Route) -> Result<Option<Duration>, StoreError> {
        let store = Arc::clone(self.store);
        let pause = unblock(move || store.take()).await?;
        if pause.is_some() {
            let owner = self.store.ownership();
            route.lead(owner.and_then(|owner| Some((owner.epoch, owner.url?))));
        }
        Ok(pause)
    }

    fn take_on(&self, stream: TcpStream) -> io::Result<Stream> {
        notice_when_gone(&stream)?;
        stream.set_nodelay(true)?;
        let stream = self.net.watch(stream)?;
        let Some(identity) = self.identity else {
            return Ok(stream);
        };
        let connection = ServerConnection::new(identity.server());
        Ok(stream.secure(connection.map_err(io::Error::other)?))
    }
}

/// Waits until there are none of these calls.
async fn none(calls: &Cell<usize>) {
    while calls.get() > 0 {
        Timer::after(LOOK).await;
    }
}

/// One connection more, for as long as it lasts.
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn new(open: &Rc<Cell<usize>>) -> Self {
        open.set(open.get() + 1);
        Self(Rc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// Serves a connection to its end.
async fn serve(stream: Stream, route: &Route, store: &dyn Store, idle: Duration) -> io::Result<()> {
    let mut caller = Caller::new(stream);
    loop {
        let upload = match caller.hear(idle).await? {
            Heard::Nothing => return Ok(()),
            Heard::Refused(refusal) => {
                caller.say(unheld::refused(refusal).as_bytes()).await?;
                break;
            }
            Heard::Request => None,
            Heard::Large(length) => Some(length),
        };
        if !answer(&mut caller, upload, route, store).await? {
            break;
        }
    }
    caller.close().await
}

/// Answers a request. Whether its connection may serve another one.
async fn answer(
    caller: &mut Caller,
    upload: Option<u64>,
    route: &Route,
    store: &dyn Store,
) -> io::Result<bool> {
    let heard = match upload {
        None => caller.parser.request(caller.filled()),
        Some(_) => caller.parser.head(caller.filled()),
    };
    let Some(request) = heard else {
        return Ok(false);
    };
    let way = match request.path {
        // These are of this server.
        "/healthz" | "/readyz" | "/metrics" => None,
        // Whoever asks again finds another server.
        _ if route.calls.closing.get() => None,
        _ => route.way(),
    };
    let method = request.method;
    let is_alive = request.path == "/healthz" && matches!(method, Method::Get | Method::Head);
    let shows = request.path == "/metrics" && method == Method::Get;
    let figures = storage::figures(store).filter(|_| shows);
    let call = way
        .as_ref()
        .and_then(|way| Call::new(&request, upload, &way.url()?));
    match upload {
        None => caller.take_out(),
        Some(_) => caller.take_head(),
    }
    if let Some(figures) = figures {
        let mut memory = [0; FIGURES_BYTES_MAX];
        let mut out = Out::new(&mut memory);
        figures.write(&mut out);
        caller.say(&unheld::metrics(out.written())).await?;
        return Ok(false);
    }
    match (way, call) {
        (Some(way), Some(call)) => call.pass(caller, &way, &route.calls).await,
        _ if is_alive => {
            caller.say(unheld::alive(method)).await?;
            Ok(false)
        }
        _ => {
            caller.say(unheld::stands_by(method)).await?;
            Ok(false)
        }
    }
}
