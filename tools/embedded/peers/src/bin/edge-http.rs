//! `edge-http`: reads requests, answers with JSON, takes a JSON body.
#![no_std]
#![no_main]

use core::{cell::Cell, convert::Infallible, fmt};

use cortex_m_rt::entry;
use dubhook_size_peers::{GET, Input, Output, POST, run};
use dubhook_sizes::end;
use edge_http::{
    Method,
    io::{
        Error,
        server::{Connection, Handler, handle_request},
    },
};
use edge_nal::TcpSplit;
use embedded_io_async::{ErrorType, Read, Write};

/// The two halves in one.
struct Socket<'o> {
    input: Input,
    output: &'o mut Output,
}

impl ErrorType for Socket<'_> {
    type Error = Infallible;
}

impl Read for Socket<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        self.input.read(buffer).await
    }
}

impl Write for Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.output.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl TcpSplit for Socket<'_> {
    type Read<'a>
        = &'a mut Input
    where
        Self: 'a;
    type Write<'a>
        = &'a mut Output
    where
        Self: 'a;

    fn split(&mut self) -> (Self::Read<'_>, Self::Write<'_>) {
        (&mut self.input, &mut *self.output)
    }
}

#[derive(serde::Serialize, serde::Deserialize, Clone, Copy)]
struct Status<'a> {
    status: &'a str,
}

struct Service {
    is_completed: Cell<bool>,
}

impl Handler for Service {
    type Error<E>
        = Error<E>
    where
        E: fmt::Debug;

    async fn handle<T, const N: usize>(
        &self,
        _: impl fmt::Display + Copy,
        connection: &mut Connection<'_, T, N>,
    ) -> Result<(), Error<T::Error>>
    where
        T: Read + Write + TcpSplit,
    {
        let headers = connection.headers()?;
        if headers.path != "/status" {
            return connection.initiate_response(404, None, &[]).await;
        }
        if headers.method == Method::Post {
            let mut body = [0; 64];
            let (_, reader) = connection.split();
            let len = reader.read(&mut body).await?;
            let body = body.get(..len).unwrap_or_default();
            let Ok((status, _)) = serde_json_core::from_slice::<Status<'_>>(body) else {
                return connection.initiate_response(400, None, &[]).await;
            };
            self.is_completed.set(status.status == "completed");
            return connection.initiate_response(204, None, &[]).await;
        }
        let status = if self.is_completed.get() {
            "completed"
        } else {
            "pending"
        };
        let mut body = [0; 64];
        let len = serde_json_core::to_slice(&Status { status }, &mut body).unwrap_or(0);
        let body = body.get(..len).unwrap_or_default();
        let mut memory = [0; 8];
        let length = decimal(len, &mut memory);
        let fields = [
            ("content-type", "application/json"),
            ("content-length", length),
        ];
        connection.initiate_response(200, None, &fields).await?;
        connection.write_all(body).await
    }
}

/// A number as text.
fn decimal(mut value: usize, memory: &mut [u8; 8]) -> &str {
    let mut at = memory.len();
    for digit in memory.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        at -= 1;
        if value == 0 {
            break;
        }
    }
    core::str::from_utf8(memory.get(at..).unwrap_or_default()).unwrap_or("0")
}

#[inline(never)]
fn serve(service: &Service, request: &'static str, output: &mut Output) -> bool {
    let mut buffer = [0; 1_024];
    let socket = Socket {
        input: Input::new(request),
        output,
    };
    let served = run(handle_request::<_, _, 16>(&mut buffer, socket, 0, service));
    matches!(served, Some(Ok(_)))
}

#[entry]
fn main() -> ! {
    let service = Service {
        is_completed: Cell::new(false),
    };
    let mut output = Output::new();
    let mut done = true;
    for (request, start, end) in [
        (GET, "HTTP/1.1 200", "{\"status\":\"pending\"}"),
        (POST, "HTTP/1.1 204", ""),
        (GET, "HTTP/1.1 200", "{\"status\":\"completed\"}"),
    ] {
        output.clear();
        done &= serve(&service, request, &mut output) && output.is(start, end);
    }
    end(done)
}
