//! A server that stands by: it listens, says so to whoever asks, and waits until the records are its own.

use super::unheld;
use crate::{
    net::{Interest, Net, Stream},
    store::{Store, StoreError},
    tls::Identity,
};
use async_io::{Async, Timer};
use futures_lite::future::FutureExt;
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

/// Who is answered at once; who comes besides finds the connection closed.
const CONNECTIONS_MAX: usize = 256;
/// What of a request is read at most before it is answered, in bytes.
const HEAD_BYTES: usize = 8 * 1024;
/// How long a client may take for it, and for the answer.
const TIME: Duration = Duration::from_secs(5);
/// How long to leave the listener alone when the operating system has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Waits until the records are this server's, and answers meanwhile; calls `listens` once it does.
pub(super) async fn stand_by(
    net: &Rc<Net>,
    store: &Arc<dyn Store>,
    listener: &Async<TcpListener>,
    identity: Option<&Identity>,
    listens: impl FnOnce(),
) -> Result<(), StoreError> {
    let Some(pause) = take(store).await? else {
        return Ok(());
    };
    tracing::info!("stands by");
    listens();
    let executor = Rc::new(LocalExecutor::new());
    let open = Rc::new(Cell::new(0));
    let answer = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) if open.get() < CONNECTIONS_MAX => {
                    let Ok(stream) = stream
                        .into_inner()
                        .and_then(|stream| secure(net, stream, identity))
                    else {
                        continue;
                    };
                    let counted = Counted::new(&open);
                    executor
                        .spawn(async move {
                            let _counted = counted;
                            let late = async {
                                Timer::after(TIME).await;
                                Err(io::ErrorKind::TimedOut.into())
                            };
                            // Whoever is gone need not be told.
                            let _ = refuse(&stream).or(late).await;
                        })
                        .detach();
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
            match take(store).await? {
                Some(again) => pause = again,
                None => return Ok(()),
            }
        }
    };
    let watch = async {
        let error = net.run().await.err();
        Err(error.unwrap_or_else(|| io::ErrorKind::Other.into()).into())
    };
    executor.run(taken.or(answer).or(watch)).await
}

async fn take(store: &Arc<dyn Store>) -> Result<Option<Duration>, StoreError> {
    let store = Arc::clone(store);
    unblock(move || store.take()).await
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

fn secure(net: &Rc<Net>, stream: TcpStream, identity: Option<&Identity>) -> io::Result<Stream> {
    let stream = net.watch(stream)?;
    let Some(identity) = identity else {
        return Ok(stream);
    };
    let connection = ServerConnection::new(identity.server());
    Ok(stream.secure(connection.map_err(io::Error::other)?))
}

/// Reads a request's head, answers it, and waits for the client to close: a socket that is closed with bytes unread takes its
/// own answer back.
async fn refuse(stream: &Stream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut bytes = [0; 1024];
    while head.len() < HEAD_BYTES && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match read(stream, &mut bytes).await? {
            0 => return Ok(()),
            len => head.extend_from_slice(&bytes[..len]),
        }
    }
    let mut unsent = unheld::answer(&head);
    while !unsent.is_empty() {
        match stream.try_write(unsent)? {
            Some(len) => unsent = &unsent[len..],
            None => stream.ready(Interest::Write).await,
        }
    }
    stream.finish();
    while read(stream, &mut bytes).await? > 0 {}
    Ok(())
}

async fn read(stream: &Stream, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        if let Some(len) = stream.try_read(bytes)? {
            return Ok(len);
        }
        stream.ready(Interest::Read).await;
    }
}
