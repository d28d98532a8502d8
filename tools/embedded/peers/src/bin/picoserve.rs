//! `picoserve`: reads requests, answers with JSON, takes a JSON body.
#![no_std]
#![no_main]

use core::{
    convert::Infallible,
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
};

use cortex_m_rt::entry;
use dubhook_size_peers::{GET, Input, Output, POST, run};
use dubhook_sizes::end;
use embedded_io_async::ErrorType;
use picoserve::{
    Config, Error, Router, Server, Timeouts,
    extract::Json,
    io::{BaseWrite, Socket, Write},
    mem::{BorrowedBuffer, BorrowedCursor},
    response::{self, IntoResponse, Response, StatusCode},
    routing::get,
    time::{Duration, Timer},
};

struct Board;

/// A clock on which no time passes.
struct Still;

impl Timer<Board> for Still {
    fn delay(&self, _: Duration) -> impl Future<Output = ()> {
        pending()
    }
}

struct Sender<'o>(&'o mut Output);

impl ErrorType for Sender<'_> {
    type Error = Infallible;
}

impl BaseWrite for Sender<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Write for Sender<'_> {
    async fn write_with<F: FnOnce(BorrowedCursor<'_>) -> R, R>(
        &mut self,
        write: F,
    ) -> Result<R, Infallible> {
        let mut memory = [0; 128];
        let mut buffer = BorrowedBuffer::new(&mut memory);
        let result = write(buffer.unfilled());
        self.0.write(buffer.filled()).await?;
        Ok(result)
    }
}

/// The two halves in one.
struct Connection<'o> {
    input: Input,
    output: &'o mut Output,
}

impl Socket<Board> for Connection<'_> {
    type Error = Infallible;
    type ReadHalf<'a>
        = &'a mut Input
    where
        Self: 'a;
    type WriteHalf<'a>
        = Sender<'a>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::ReadHalf<'_>, Self::WriteHalf<'_>) {
        (&mut self.input, Sender(self.output))
    }

    async fn abort<T: Timer<Board>>(self, _: &Timeouts, _: &T) -> Result<(), Error<Infallible>> {
        Ok(())
    }

    async fn shutdown<T: Timer<Board>>(self, _: &Timeouts, _: &T) -> Result<(), Error<Infallible>> {
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct Status {
    status: &'static str,
}

#[derive(serde::Deserialize)]
struct Told {
    status: heapless::String<16>,
}

static IS_COMPLETED: AtomicBool = AtomicBool::new(false);

fn status() -> response::Json<Status> {
    let is_completed = IS_COMPLETED.load(Ordering::Relaxed);
    response::Json(Status {
        status: if is_completed { "completed" } else { "pending" },
    })
}

fn tell(told: &Told) -> impl IntoResponse + use<> {
    IS_COMPLETED.store(told.status == "completed", Ordering::Relaxed);
    Response::empty(StatusCode::NO_CONTENT)
}

#[inline(never)]
fn serve(request: &'static str, output: &mut Output) -> bool {
    let app = Router::new().route(
        "/status",
        get(async || status()).post(async |Json(told): Json<Told>| tell(&told)),
    );
    let config = Config::const_default();
    let mut buffer = [0; 1_024];
    let connection = Connection {
        input: Input::new(request),
        output,
    };
    let served = run(Server::custom(&app, Still, &config, &mut buffer).serve(connection));
    matches!(served, Some(Ok(_)))
}

#[entry]
fn main() -> ! {
    let mut output = Output::new();
    let mut done = true;
    for (request, start, end) in [
        (GET, "HTTP/1.1 200", "{\"status\":\"pending\"}"),
        (POST, "HTTP/1.1 204", ""),
        (GET, "HTTP/1.1 200", "{\"status\":\"completed\"}"),
    ] {
        output.clear();
        done &= serve(request, &mut output) && output.is(start, end);
    }
    end(done)
}
