//! What the async examples have of their host: loopback sockets and a timer over `async-io`, whose reactor serves any
//! executor, and records in a file.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use async_io::{Async, Timer};
use dubhook_core::{
    log::AttemptError,
    record::{Key, Value},
    time::{Instant, Now},
    url::{Host, Scheme, Url},
};
use embedded_io_async::{ErrorType, Read, Write};
use futures_lite::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    driver::{Clock, Network, Store},
    host::{self, Records},
};

/// The host's clocks.
#[derive(Debug, Clone, Copy)]
pub struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Now {
        host::now()
    }

    async fn sleep_until(&self, moment: Instant) {
        Timer::after(host::until(Some(moment))).await;
    }
}

/// A place on the loopback interface.
#[derive(Debug)]
pub struct Loopback(Async<TcpListener>);

impl Loopback {
    /// Listens at a free port.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn bind() -> io::Result<Self> {
        Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Where the system cannot say.
    pub fn url(&self) -> io::Result<String> {
        Ok(format!("http://{}", self.0.get_ref().local_addr()?))
    }
}

impl Network for Loopback {
    type Socket = Socket;

    async fn accept(&self) -> Option<Socket> {
        let (socket, _) = self.0.accept().await.ok()?;
        Some(Socket(socket))
    }

    async fn connect(
        &self,
        url: &Url<'_>,
        permits: impl Fn(SocketAddr) -> bool,
    ) -> Result<Socket, AttemptError> {
        let address: IpAddr = match (url.scheme(), url.host()) {
            (Scheme::Https, _) => return Err(AttemptError::Tls),
            // There is no resolver here.
            (Scheme::Http, Host::Name(_)) => return Err(AttemptError::Resolve),
            (Scheme::Http, Host::V4(address)) => address.into(),
            (Scheme::Http, Host::V6(address)) => address.into(),
        };
        let address = SocketAddr::new(address, url.port());
        if !permits(address) {
            return Err(AttemptError::Blocked);
        }
        let connected = Async::<TcpStream>::connect(address).await;
        connected.map(Socket).map_err(|_| AttemptError::Connect)
    }
}

/// A connection.
#[derive(Debug)]
pub struct Socket(Async<TcpStream>);

impl ErrorType for Socket {
    type Error = io::Error;
}

impl Read for Socket {
    async fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.read(room).await
    }
}

impl Write for Socket {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Store for Records {
    type Error = io::Error;

    async fn save(&mut self, key: Key, value: Option<Value<'_>>) -> io::Result<()> {
        self.save(key, value);
        Ok(())
    }

    async fn commit(&mut self) -> io::Result<()> {
        Self::commit(self)
    }
}
