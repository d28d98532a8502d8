//! PostgreSQL's protocol, version 3, blocking: one question at a time.
//!
//! `postgres-protocol` knows the messages; here they go over a socket, each question with a time limit. A connection on
//! which anything failed but an answer of the database is of no use any more: nobody knows what is on its way there.

use super::{
    fault::Fault,
    parameters::Parameter,
    password,
    socket::Socket,
    sql,
    url::{Address, Host, Ssl},
};
use crate::tls::Trust;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::{
    IsNull,
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{
        backend::{
            AuthenticationSaslBody, DataRowBody, ErrorFields, ErrorResponseBody, Message,
            NoticeResponseBody,
        },
        frontend::{self, BindError},
    },
};
use std::{
    fmt,
    io::{self, Read, Write},
    time::{Duration, Instant},
};

/// What is read at once, in bytes.
const READ_BYTES: usize = 32 * 1024;
/// What an empty buffer may keep of its memory, in bytes: one large batch must not cost as much for ever.
const KEPT_BYTES: usize = 1024 * 1024;
/// Numbers and bytes go as they are, not as text.
const BINARY: i16 = 1;

/// A connection to a database.
pub(super) struct Connection {
    socket: Socket,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// Which process answers, as was said when it was connected to; nothing where that was not said.
    pub(super) process: Option<i32>,
    /// Whether an answer was not read to its end, so that it would be taken for the next one's.
    pub(super) is_broken: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in the buffers may be secret.
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// A statement by its name, and what it is given.
pub(super) type Step<'s> = (&'s str, &'s [Parameter<'s>]);

/// A row of an answer.
#[derive(Debug)]
pub(super) struct Row(DataRowBody);

impl Row {
    /// What a column has; nothing where it is null.
    pub(super) fn bytes(&self, column: usize) -> Option<&[u8]> {
        let range = self.0.ranges().nth(column).ok()???;
        self.0.buffer().get(range)
    }

    /// A column that is text.
    pub(super) fn text(&self, column: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(column)?).ok()
    }

    /// A column that is a number of eight bytes.
    pub(super) fn number(&self, column: usize) -> Option<i64> {
        Some(i64::from_be_bytes(self.bytes(column)?.try_into().ok()?))
    }
}

impl Connection {
    /// Connects and says who asks.
    pub(super) fn open(
        address: &Address,
        host: &Host,
        trust: &Trust,
        time: Duration,
    ) -> Result<Self, Fault> {
        let until = Instant::now() + time;
        let ssl = address.ssl.unwrap_or_else(|| host.usual_ssl());
        let mut connection = Self {
            socket: Socket::connect(host, ssl, trust, until)?,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            process: None,
            is_broken: false,
        };
        let parameters = [
            ("user", address.user.as_str()),
            ("database", &address.database),
            ("client_encoding", "UTF8"),
            ("application_name", sql::APPLICATION),
        ];
        frontend::startup_message(parameters, &mut connection.outgoing)?;
        connection.flush()?;
        // In clear text a password goes to where nobody can listen, and nowhere else.
        let private = ssl == Ssl::VerifyFull || host.usual_ssl() == Ssl::Disable;
        connection.log_in(address, host, private)?;
        Ok(connection)
    }

    fn log_in(&mut self, address: &Address, host: &Host, private: bool) -> Result<(), Fault> {
        let password = || {
            password::password(address, host).ok_or_else(|| Fault::NoPassword {
                host: host.to_string(),
            })
        };
        loop {
            match self.receive()? {
                Message::AuthenticationOk => break,
                Message::AuthenticationCleartextPassword if private => {
                    frontend::password_message(password()?.0.as_bytes(), &mut self.outgoing)?;
                    self.flush()?;
                }
                Message::AuthenticationCleartextPassword => {
                    return Err(Fault::Unknown("the password in clear text"));
                }
                Message::AuthenticationMd5Password(body) => {
                    let password = password()?;
                    let hash =
                        md5_hash(address.user.as_bytes(), password.0.as_bytes(), body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.outgoing)?;
                    self.flush()?;
                }
                Message::AuthenticationSasl(body) => self.prove(&body, password()?.0.as_bytes())?,
                Message::ErrorResponse(body) => return Err(refused(&body)),
                Message::NoticeResponse(_) | Message::ParameterStatus(_) => {}
                _ => return Err(Fault::Unknown("another proof than a password")),
            }
        }
        self.settle(&mut |_| Ok(())).map(drop)
    }

    /// Proves to know the password without saying it (SCRAM-SHA-256), and has the database prove it too.
    fn prove(&mut self, body: &AuthenticationSaslBody, password: &[u8]) -> Result<(), Fault> {
        let mut mechanisms = body.mechanisms();
        if !mechanisms.any(|mechanism| Ok(mechanism == SCRAM_SHA_256))? {
            return Err(Fault::Unknown("another proof than SCRAM-SHA-256"));
        }
        let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut self.outgoing)?;
        self.flush()?;
        match self.receive_of_proof()? {
            Message::AuthenticationSaslContinue(body) => scram.update(body.data())?,
            Message::ErrorResponse(body) => return Err(refused(&body)),
            _ => return Err(Fault::Unknown("a proof that goes on in another way")),
        }
        frontend::sasl_response(scram.message(), &mut self.outgoing)?;
        self.flush()?;
        match self.receive_of_proof()? {
            Message::AuthenticationSaslFinal(body) => Ok(scram.finish(body.data())?),
            Message::ErrorResponse(body) => Err(refused(&body)),
            _ => Err(Fault::Unknown("a proof that ends in another way")),
        }
    }

    /// The next message that is no mere notice.
    fn receive_of_proof(&mut self) -> Result<Message, Fault> {
        loop {
            match self.receive()? {
                Message::NoticeResponse(_) | Message::ParameterStatus(_) => {}
                message => return Ok(message),
            }
        }
    }

    /// Runs statements without parameters, all in one transaction. Rows come as text.
    pub(super) fn simple(
        &mut self,
        time: Duration,
        statements: &str,
        each: &mut dyn FnMut(Row) -> Result<(), Fault>,
    ) -> Result<u64, Fault> {
        self.socket.limit(Instant::now() + time);
        frontend::query(statements, &mut self.outgoing)?;
        self.flush()?;
        self.settle(each)
    }

    /// Makes a statement known under a name.
    pub(super) fn prepare(
        &mut self,
        time: Duration,
        name: &str,
        statement: &str,
    ) -> Result<(), Fault> {
        self.socket.limit(Instant::now() + time);
        frontend::parse(name, statement, [], &mut self.outgoing)?;
        frontend::sync(&mut self.outgoing);
        self.flush()?;
        self.settle(&mut |_| Ok(())).map(drop)
    }

    /// Runs statements by their names: one message there, one answer back, a transaction of their own, of which each sees what
    /// there is when its turn comes. How many rows the last one has changed or found.
    pub(super) fn run(
        &mut self,
        time: Duration,
        steps: &[Step<'_>],
        each: &mut dyn FnMut(Row) -> Result<(), Fault>,
    ) -> Result<u64, Fault> {
        self.socket.limit(Instant::now() + time);
        for (name, parameters) in steps {
            let bound = frontend::bind(
                "",
                name,
                [BINARY],
                *parameters,
                |parameter, buffer| {
                    parameter.write(buffer);
                    Ok(IsNull::No)
                },
                [BINARY],
                &mut self.outgoing,
            );
            bound.map_err(|error| match error {
                BindError::Serialization(error) => Fault::Broken(error),
                BindError::Conversion(_) => Fault::Unknown("a parameter that cannot be written"),
            })?;
            frontend::execute("", 0, &mut self.outgoing)?;
        }
        frontend::sync(&mut self.outgoing);
        self.flush()?;
        self.settle(each)
    }

    /// Reads until the database is ready for the next question. How many rows were changed or found by what came last.
    fn settle(&mut self, each: &mut dyn FnMut(Row) -> Result<(), Fault>) -> Result<u64, Fault> {
        let mut done = Ok(0);
        let mut unconfirmed = false;
        loop {
            match self.receive() {
                Ok(Message::ReadyForQuery(_)) if unconfirmed => return Err(Fault::Unconfirmed),
                Ok(Message::ReadyForQuery(_)) => return done,
                Ok(Message::NoticeResponse(body)) => unconfirmed |= says_unconfirmed(&body),
                Ok(Message::DataRow(body)) if done.is_ok() => {
                    if let Err(error) = each(Row(body)) {
                        done = Err(error);
                    }
                }
                Ok(Message::CommandComplete(body)) if done.is_ok() => {
                    let count = body.tag()?.rsplit(' ').next();
                    done = Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0));
                }
                Ok(Message::ErrorResponse(body)) => done = Err(refused(&body)),
                Ok(Message::BackendKeyData(body)) => self.process = Some(body.process_id()),
                Ok(_) => {}
                // What the database said last is why it closed the connection.
                Err(broken) => {
                    self.is_broken = true;
                    return Err(done.err().unwrap_or(broken));
                }
            }
        }
    }

    fn receive(&mut self) -> Result<Message, Fault> {
        loop {
            if let Some(message) = Message::parse(&mut self.incoming)? {
                return Ok(message);
            }
            let mut bytes = [0; READ_BYTES];
            match self.socket.read(&mut bytes)? {
                0 => return Err(Fault::Broken(io::ErrorKind::UnexpectedEof.into())),
                len => self.incoming.extend_from_slice(&bytes[..len]),
            }
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.socket.write_all(&self.outgoing)?;
        self.socket.flush()?;
        self.outgoing.clear();
        if self.outgoing.capacity() > KEPT_BYTES {
            self.outgoing = BytesMut::new();
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // So that the database need not find out; one that is gone already need not be told.
        self.socket
            .limit(Instant::now() + Duration::from_millis(100));
        self.outgoing.clear();
        frontend::terminate(&mut self.outgoing);
        let _ = self.flush();
    }
}

/// What the database refused: its code and its sentence. Its details may have in them what a record holds.
fn refused(body: &ErrorResponseBody) -> Fault {
    Fault::Refused {
        code: field(body.fields(), b'C'),
        message: field(body.fields(), b'M'),
    }
}

/// Whether a notice says that somebody has ended the wait for a standby: the statement is said to be done then, and a failover
/// can still take it back. Its words are in the operator's language; the place in the source that it comes from is not.
fn says_unconfirmed(body: &NoticeResponseBody) -> bool {
    field(body.fields(), b'R') == "SyncRepWaitForLSN"
}

fn field(mut fields: ErrorFields<'_>, wanted: u8) -> String {
    let found = fields.find(|field| Ok(field.type_() == wanted));
    found.ok().flatten().map_or_else(String::new, |field| {
        String::from_utf8_lossy(field.value_bytes()).into_owned()
    })
}
