//! A whole driver over blocking sockets: one connection and one delivery at a time, jobs done at once, records in the file
//! `dubhook.records`.
//!
//! `cargo run --example blocking`, then `curl -i 127.0.0.1:8001/v1/translations -H 'content-type: application/json'
//! -d '{"video_url":"https://v.test/1.mp4","target_language":"es","callback_url":"http://127.0.0.1:3120/"}'`

use std::{collections::BTreeMap, error::Error, fs, io::prelude::*, net, sync::mpsc, thread};
use std::{sync::LazyLock, time};

use dubhook_core::http::{BodyUse, Limits, Method, RecvBuf, ResponseParser, retry_after};
use dubhook_core::record::{Keep, Key};
use dubhook_core::server::{Config, Drive, Input, Output, REFUSED, Ready, Server, ServerStorage};
use dubhook_core::service::{AttemptResult, Report};
use dubhook_core::time::{Instant, Now, Timestamp};
use dubhook_core::{delivery::AttemptId, log::AttemptError, out::Out, url::Scheme};

type Done<T = ()> = Result<T, Box<dyn Error>>;
const LIMIT: time::Duration = time::Duration::from_secs(5);

/// The machine, and what of it is in the file.
struct Driver<'a>(Server<'a>, BTreeMap<[u8; 5], Vec<u8>>);

fn main() -> Done {
    let (mut config, mut seed) = (Config::DEVICE, [0; 32]);
    config.guard.allow_loopback = true;
    fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut storage = Box::new(ServerStorage::<16, 4, 1, 4>::new());
    let mut server = Server::new(storage.lend(Keep::Records), config, seed)?;
    let records = load()?;
    for (key, value) in &records {
        let key = Key::from_bytes(*key).ok_or("no record's key")?;
        server.restore(now(), key, value)?;
    }
    server.start(now())?;
    let listener = net::TcpListener::bind("127.0.0.1:8001")?;
    let (sockets, came) = mpsc::sync_channel(1);
    thread::spawn(move || {
        listener
            .incoming()
            .try_for_each(|socket| sockets.send(socket))
    });
    let mut driver = Driver(server, records);
    loop {
        let ms = driver
            .turn()?
            .map_or(60_000, |due| due.ms_since(now().instant));
        if let Ok(socket) = came.recv_timeout(time::Duration::from_millis(ms)) {
            // A connection that breaks ends like any other.
            let _ = driver.serve(socket?);
        }
    }
}

impl Driver<'_> {
    /// Does all that is to be done. Returns when there is more.
    fn turn(&mut self) -> Done<Option<Instant>> {
        let Self(server, records) = self;
        let mut memory = [0; Config::DEVICE.record_bytes_max()];
        loop {
            match server.poll(now(), Ready::ALL, &mut memory)? {
                Output::Sleep(until) => return Ok(until),
                Output::Save {
                    key,
                    value: Some(value),
                } => {
                    records.insert(key.to_bytes(), value.to_vec());
                }
                Output::Save { key, value: None } => _ = records.remove(&key.to_bytes()),
                Output::Commit(batch) => {
                    save(records)?;
                    server.handle(now(), Input::Durable(batch))?;
                }
                Output::Start { job, .. } => {
                    let report = Report::Completed("https://v.test/1.es.mp4");
                    server.handle(now(), Input::Report { job, report })?;
                }
                Output::Attempt(attempt) => {
                    let id = attempt.id;
                    let result = deliver(server, id).unwrap_or_else(AttemptResult::Failed);
                    server.handle(now(), Input::Attempt { id, result })?;
                }
                // The one connection is driven in any case; no job runs for longer than this; there is no archive.
                Output::Drive(_) | Output::Stop { .. } | Output::Archive { .. } => {}
            }
        }
    }

    fn serve(&mut self, mut socket: net::TcpStream) -> Done {
        socket.set_read_timeout(Some(LIMIT))?;
        let Ok(conn) = self.0.accept(now()) else {
            return Ok(socket.write_all(REFUSED)?);
        };
        let (mut received, mut answer) = ([0; 1_536], [0; Config::DEVICE.answer_bytes_max()]);
        let mut input = RecvBuf::new(&mut received, 0);
        let mut exchange = || loop {
            let mut out = Out::new(&mut answer);
            let next = self.0.drive(now(), conn, &mut input, &mut out)?;
            socket.write_all(out.written())?;
            self.turn()?;
            match next {
                Drive::Input { .. } => match socket.read(input.room())? {
                    0 => return Done::Ok(()),
                    len => input.commit(len),
                },
                // What it waits for is durable by now.
                Drive::Flush | Drive::Wait => {}
                Drive::Close | Drive::Lookup(_) => return Ok(()),
            }
        };
        let ended = exchange();
        self.0.close(conn);
        ended
    }
}

/// Makes an attempt: connects to a permitted address, sends, reads the answer.
fn deliver(server: &mut Server<'_>, id: AttemptId) -> Result<AttemptResult<'static>, AttemptError> {
    let (mut memory, mut request) = ([0; 128], [0; Config::DEVICE.attempt_bytes_max()]);
    let url = server
        .attempt_url(id, &mut memory)
        .map_err(|_| AttemptError::Closed)?;
    if url.scheme() == Scheme::Https {
        return Err(AttemptError::Tls);
    }
    let found = net::ToSocketAddrs::to_socket_addrs(&(url.host_text(), url.port()));
    let to = found
        .map_err(|_| AttemptError::Resolve)?
        .next()
        .ok_or(AttemptError::Resolve)?;
    if !server
        .config()
        .guard
        .permits_answers(&url, [to.ip()].into_iter())
    {
        return Err(AttemptError::Blocked);
    }
    let connected = net::TcpStream::connect_timeout(&to, LIMIT);
    let mut socket = connected.map_err(|_| AttemptError::Connect)?;
    let len = server.write_attempt(now(), id, &url, &mut request);
    let len = len.map_err(|_| AttemptError::Closed)?;
    let sent = socket
        .set_read_timeout(Some(LIMIT))
        .and(socket.write_all(&request[..len]));
    sent.map_err(|_| AttemptError::Closed)?;
    let mut input = RecvBuf::new(&mut request, 0);
    let mut parser = ResponseParser::new(Method::Post, BodyUse::Discard);
    while parser.response(input.filled()).is_none() {
        match socket
            .read(input.room())
            .map_err(|_| AttemptError::Timeout)?
        {
            0 => parser.eof().map_err(|_| AttemptError::Closed)?,
            len => input.commit(len),
        }
        let read = parser.advance(&Limits::SMALL, &mut input);
        let _ = read.map_err(|_| AttemptError::Malformed)?;
    }
    let response = parser
        .response(input.filled())
        .ok_or(AttemptError::Malformed)?;
    let hint = response.fields.get("retry-after");
    let retry_after_ms = hint.and_then(|hint| retry_after(hint, now().timestamp));
    Ok(AttemptResult::Answer {
        status: response.status,
        retry_after_ms,
        body: b"",
    })
}

/// Writes all records anew: the old file or the new one is there, whatever happens.
fn save(records: &BTreeMap<[u8; 5], Vec<u8>>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        bytes.extend_from_slice(value);
    }
    let mut file = fs::File::create("dubhook.records.new")?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename("dubhook.records.new", "dubhook.records")?;
    fs::File::open(".")?.sync_all()
}

fn load() -> Done<BTreeMap<[u8; 5], Vec<u8>>> {
    let (mut bytes, mut records) = (Vec::new(), BTreeMap::new());
    if fs::exists("dubhook.records")? {
        bytes = fs::read("dubhook.records")?;
    }
    let mut rest = &bytes[..];
    while let Some((key, after)) = rest.split_first_chunk() {
        let (len, after) = after.split_first_chunk().ok_or("a short file")?;
        let value = after.split_at_checked(u32::from_le_bytes(*len) as usize);
        let (value, after) = value.ok_or("a short file")?;
        records.insert(*key, value.to_vec());
        rest = after;
    }
    Ok(records)
}

/// The present moment on both clocks.
fn now() -> Now {
    static STARTED: LazyLock<time::Instant> = LazyLock::new(time::Instant::now);
    let unix = time::SystemTime::now().duration_since(time::UNIX_EPOCH);
    Now {
        instant: Instant::from_ms(STARTED.elapsed().as_millis() as u64),
        timestamp: Timestamp::from_unix_ms(unix.unwrap_or_default().as_millis() as u64),
    }
}
