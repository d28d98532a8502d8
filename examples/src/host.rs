//! What the examples have of their host, over `std` alone: two clocks, entropy, records in a file, a request and its answer.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::LazyLock;
use std::time::{Duration, Instant as Clock, UNIX_EPOCH};

use dubhook_core::dispatch::{Answer, AttemptResult};
use dubhook_core::record::{Key, Value};
use dubhook_core::time::{Instant, Now, Timestamp};
use dubhook_core::{address::Guard, http::RecvBuf, log::AttemptError, url::Url};

static STARTED: LazyLock<Clock> = LazyLock::new(Clock::now);

/// How long an attempt at a delivery may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The present moment on both clocks.
#[must_use]
pub fn now() -> Now {
    let unix = UNIX_EPOCH.elapsed().unwrap_or_default();
    Now {
        instant: Instant::from_ms(STARTED.elapsed().as_millis() as u64),
        timestamp: Timestamp::from_unix_ms(unix.as_millis() as u64),
    }
}

/// How long it is until then; for ever where there is no such moment.
#[must_use]
pub fn until(moment: Option<Instant>) -> Duration {
    let ms = moment.map_or(u64::MAX, |at| at.ms_since(now().instant));
    Duration::from_millis(ms)
}

/// Bytes that nobody can guess.
///
/// # Errors
///
/// Where the system gives none.
pub fn seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}

/// Records in a file that is written anew for each batch: as few as a small server has.
#[derive(Debug)]
pub struct Records {
    path: String,
    /// Those that are there now, in the order in which they are put back.
    pub all: BTreeMap<Key, Vec<u8>>,
}

impl Records {
    /// Those in the file, if it is there.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or is no such file.
    pub fn open(path: String) -> Result<Self> {
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            bytes => bytes?,
        };
        let (mut all, mut rest) = (BTreeMap::new(), &bytes[..]);
        // A key, the value's length, the value.
        while let Some(([key @ .., low, high], after)) = rest.split_first_chunk::<7>() {
            let len = u16::from_le_bytes([*low, *high]).into();
            let value = after.get(..len).ok_or(ErrorKind::UnexpectedEof)?;
            let key = Key::from_bytes(*key).ok_or(ErrorKind::InvalidData)?;
            all.insert(key, value.to_vec());
            rest = &after[len..];
        }
        Ok(Self { path, all })
    }

    /// Changes a record, or deletes it; [`commit`](Self::commit) makes that last.
    pub fn save(&mut self, key: Key, value: Option<Value<'_>>) {
        match value {
            Some(value) => self.all.insert(key, value.to_vec()),
            None => self.all.remove(&key),
        };
    }

    /// Writes a new file that takes the old one's place: all that has changed, or nothing of it.
    ///
    /// # Errors
    ///
    /// Where it cannot be written: nothing has become durable.
    pub fn commit(&self) -> Result<()> {
        let new = format!("{}.new", self.path);
        let mut file = File::create(&new)?;
        for (key, value) in &self.all {
            let len = (value.len() as u16).to_le_bytes();
            file.write_all(&[&key.to_bytes(), &len[..], value].concat())?;
        }
        file.sync_all()?;
        fs::rename(new, &self.path)
    }
}

/// Makes an attempt at a delivery: a connection to where it may go, the request, the answer.
#[must_use]
pub fn send(url: &Url<'_>, guard: &Guard<'_>, request: &[u8]) -> AttemptResult<'static> {
    let result = exchange(url, guard, request);
    result.unwrap_or_else(|error| {
        AttemptResult::Failed(match error.kind() {
            ErrorKind::PermissionDenied => AttemptError::Blocked,
            ErrorKind::WouldBlock | ErrorKind::InvalidInput => AttemptError::Timeout,
            _ => AttemptError::Connect,
        })
    })
}

fn exchange(url: &Url<'_>, guard: &Guard<'_>, request: &[u8]) -> Result<AttemptResult<'static>> {
    let end = Clock::now() + ATTEMPT;
    let mut addresses = (url.host_text(), url.port()).to_socket_addrs()?;
    let permitted = addresses.find(|to| guard.permits(to.ip(), to.port()));
    let address = permitted.ok_or(ErrorKind::PermissionDenied)?;
    let mut socket = TcpStream::connect_timeout(&address, ATTEMPT)?;
    socket.write_all(request)?;
    let (mut memory, mut answer) = ([0; 4_096], Answer::new());
    let mut input = RecvBuf::new(&mut memory, 0);
    loop {
        if let Some(result) = answer.read(now(), &mut input) {
            return Ok(result);
        }
        // With nothing left of the time this is an error.
        socket.set_read_timeout(Some(end.saturating_duration_since(Clock::now())))?;
        match socket.read(input.room())? {
            0 => return Ok(answer.end(now(), &mut input)),
            len => input.commit(len),
        }
    }
}
