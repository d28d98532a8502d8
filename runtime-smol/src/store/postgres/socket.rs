//! A blocking connection with a time limit: TCP or a socket of this machine, under TLS or not.

use super::{
    fault::Fault,
    url::{Host, Ssl},
};
use crate::tls::{Judge, Judged, Trust};
use postgres_protocol::message::frontend;
use rustls::{
    ClientConfig, ClientConnection, Error as TlsError, StreamOwned,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    sync::Arc,
    time::{Duration, Instant},
};

/// What is spoken over TLS, by its registered name: newer servers insist on it.
const PROTOCOL: &[u8] = b"postgresql";

/// A connection whose reads and writes end by a certain time.
#[derive(Debug)]
pub(super) struct Socket(Inner);

#[derive(Debug)]
enum Inner {
    Plain(Limited),
    Tls(Box<StreamOwned<ClientConnection, Limited>>),
}

impl Socket {
    /// Connects, and speaks TLS as it was asked to.
    pub(super) fn connect(
        host: &Host,
        ssl: Ssl,
        trust: &Trust,
        until: Instant,
    ) -> Result<Self, Fault> {
        let wire = open(host, until).map_err(|error| Fault::Unreachable {
            host: host.to_string(),
            error,
        })?;
        let mut plain = Limited { wire, until };
        let (Host::Tcp(name, _), Ssl::Require | Ssl::VerifyFull) = (host, ssl) else {
            return Ok(Self(Inner::Plain(plain)));
        };
        let mut request = Default::default();
        frontend::ssl_request(&mut request);
        plain.write_all(&request)?;
        // One byte, and not one more: what comes behind it is for TLS to read.
        let mut answer = [0];
        plain.read_exact(&mut answer)?;
        match &answer {
            b"S" => {}
            b"N" => {
                return Err(Fault::NoTls {
                    host: host.to_string(),
                });
            }
            // It has no time for us.
            _ => return Err(Fault::Broken(io::ErrorKind::InvalidData.into())),
        }
        let blame = |error| Fault::Tls {
            host: host.to_string(),
            error,
        };
        let client = client(name, ssl, trust).map_err(blame)?;
        let mut tls = StreamOwned::new(client, plain);
        while tls.conn.is_handshaking() {
            let handshake = tls.conn.complete_io(&mut tls.sock);
            handshake.map_err(|error| match error.kind() {
                // What TLS itself finds wrong; all else is the connection's.
                io::ErrorKind::InvalidData => blame(error),
                _ => Fault::from(error),
            })?;
        }
        Ok(Self(Inner::Tls(Box::new(tls))))
    }

    /// By when reads and writes end from here on.
    pub(super) fn limit(&mut self, until: Instant) {
        match &mut self.0 {
            Inner::Plain(limited) => limited.until = until,
            Inner::Tls(tls) => tls.sock.until = until,
        }
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(limited) => limited.read(bytes),
            Inner::Tls(tls) => tls.read(bytes),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(limited) => limited.write(bytes),
            Inner::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Plain(limited) => limited.flush(),
            Inner::Tls(tls) => tls.flush(),
        }
    }
}

#[derive(Debug)]
enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

fn open(host: &Host, until: Instant) -> io::Result<Wire> {
    let (name, port) = match host {
        Host::Unix(folder, port) => {
            let path = folder.join(format!(".s.PGSQL.{port}"));
            return Ok(Wire::Unix(UnixStream::connect(path)?));
        }
        Host::Tcp(name, port) => (name.as_str(), *port),
    };
    let mut failed = io::ErrorKind::NotFound.into();
    for address in (name, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(until)?) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(Wire::Tcp(stream));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// How long there is left; an error where that is nothing.
fn left(until: Instant) -> io::Result<Duration> {
    match until.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(left),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// A socket and by when it must have done what it is asked.
#[derive(Debug)]
struct Limited {
    wire: Wire,
    until: Instant,
}

impl Limited {
    /// Tries until it is done or time is up. A process that was stopped finds its calls interrupted when it goes on: that
    /// says nothing about the connection.
    fn limited(
        &mut self,
        mut call: impl FnMut(&mut Wire, Duration) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            match call(&mut self.wire, left(self.until)?) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What a time limit of the operating system is called.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }
}

impl Read for Limited {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.limited(|wire, left| match wire {
            Wire::Tcp(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(bytes)
            }
            Wire::Unix(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(bytes)
            }
        })
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.limited(|wire, left| match wire {
            Wire::Tcp(stream) => {
                stream.set_write_timeout(Some(left))?;
                stream.write(bytes)
            }
            Wire::Unix(stream) => {
                stream.set_write_timeout(Some(left))?;
                stream.write(bytes)
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn client(name: &str, ssl: Ssl, trust: &Trust) -> io::Result<ClientConnection> {
    let mut config = ClientConfig::clone(&trust.client());
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    if ssl == Ssl::Require {
        let provider = Arc::clone(config.crypto_provider());
        let anybody = Arc::new(Judged {
            judge: Anybody,
            provider,
        });
        config.dangerous().set_certificate_verifier(anybody);
    }
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
}

/// Believes whoever answers, as `sslmode=require` says: nobody can listen, but anybody could have answered.
#[derive(Debug)]
struct Anybody;

impl Judge for Anybody {
    fn judge(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<(), TlsError> {
        Ok(())
    }
}
