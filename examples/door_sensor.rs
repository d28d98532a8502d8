//! A door tells two receivers when it is opened and closed, and how warm it is: the event library without translations.
//!
//! `cargo run --example door_sensor http://127.0.0.1:9001/ http://127.0.0.1:9002/`: stop one of them for a while. What it
//! missed comes in order, but of the temperatures only the newest.

use dubhook_core::dispatch::{
    Answer, AttemptResult, Dispatcher, Input, Kinds, Limits, NewEndpoint,
};
use dubhook_core::dispatch::{Output, Ready, Schedule, Signal, Storage, Subjects};
use dubhook_core::id::{Id, Ix};
use dubhook_core::{http::RecvBuf, json::Writer, log::AttemptError, out::Out, record::Keep};
use dubhook_core::{text::Pool, time, url::Url};
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::{error::Error, net::TcpStream, thread, time::*};

/// The kinds of event, in the order in which they are seen here over and over.
const KINDS: [&str; 4] = ["door.opened", "door.reading", "door.reading", "door.closed"];

type Outcome = Result<(), Box<dyn Error>>;
/// The only subject, by its id.
struct Door(Id);

impl Subjects<Signal> for Door {
    fn id(&self, _: Ix) -> Option<Id> {
        Some(self.0)
    }

    fn write_body(&self, _: Ix, signal: &Signal, _: &Pool<'_>, out: &mut Out<'_>) {
        let (kind, mut json) = (KINDS[usize::from(signal.kind)], Writer::new(out));
        json.object().name("type").string(kind).name("timestamp");
        json.quoted(|out| signal.at.write_rfc3339(out)).name("data");
        json.object().name("tenths").i64(signal.value.into());
        json.end_object().end_object();
    }
}

fn main() -> Outcome {
    let (door, seen) = channel();
    thread::spawn(move || {
        for n in 0.. {
            door.send(((n % 4) as u8, 195 - n)).expect("somebody looks");
            thread::sleep(Duration::from_secs(1));
        }
    });
    let urls = std::env::args().skip(1).collect::<Vec<_>>();
    run(&urls, Schedule::new(&[1_000; 15]), &seen)
}

/// Tells what is seen, a kind and a temperature, until nothing more is and nobody is owed anything.
pub(crate) fn run(urls: &[String], again: Schedule, seen: &Receiver<(u8, i32)>) -> Outcome {
    let (started, slot, mut sequence, mut over) = (Instant::now(), Ix::MIN, 0, false);
    let now = || time::Now {
        instant: time::Instant::from_ms(started.elapsed().as_millis() as u64),
        timestamp: time::Timestamp::from_unix_ms(UNIX_EPOCH.elapsed().unwrap().as_millis() as u64),
    };
    let (mut url, mut request, mut seed) = ([0; 120], [0; 1_024], [0; 32]);
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut limits = Limits::DEVICE;
    limits.outbox.schedule = again;
    // One door, two endpoints, two attempts in flight, bodies of 192 bytes.
    let mut storage = Storage::<Signal, 1, 2, 2, 192>::new();
    let mut dispatcher = Dispatcher::new(storage.lend(Keep::Nothing), limits, seed)?;
    let door = Door(dispatcher.new_id(now(), slot));
    dispatcher.admit(slot, 0, false)?;
    for url in urls {
        dispatcher.create_endpoint(now(), NewEndpoint::new(url, Kinds::ALL)?)?;
    }
    loop {
        match dispatcher.poll(now(), Ready::ATTEMPTS, &mut [])? {
            Output::Attempt(attempt) => {
                let id = attempt.id;
                let url = dispatcher.attempt_url(id, &door, &mut url)?;
                let len = dispatcher.write_attempt(now(), id, &url, &door, &mut request)?;
                let result = send(&url, &request[..len], now());
                let result = result.unwrap_or(AttemptResult::Failed(AttemptError::Connect));
                println!("port {}: {:?}: {result:?}", url.port(), attempt.event);
                dispatcher.handle(now(), Input::Attempt { id, result }, &door)?;
            }
            Output::Sleep(None) if over => return Ok(()),
            Output::Sleep(due) => {
                let pause = Duration::from_millis(due.map_or(500, |at| at.ms_since(now().instant)));
                match seen.recv_timeout(pause) {
                    Ok((kind, value)) => {
                        sequence += 1;
                        let is_reading = KINDS[usize::from(kind)] == "door.reading";
                        let made = [Signal::change, Signal::reading][usize::from(is_reading)];
                        let signal = made(now().timestamp, sequence, kind, value);
                        dispatcher.publish(slot, signal, false, &door)?;
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        over = true;
                        thread::sleep(pause);
                    }
                }
            }
            Output::Save { .. } | Output::Commit(_) => unreachable!("nothing is kept"),
        }
    }
}

/// Makes an attempt: a connection, a request, an answer.
fn send(url: &Url<'_>, request: &[u8], now: time::Now) -> std::io::Result<AttemptResult<'static>> {
    let mut socket = TcpStream::connect((url.host_text(), url.port()))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.write_all(request)?;
    let (mut memory, mut answer) = ([0; 1_024], Answer::new());
    let mut input = RecvBuf::new(&mut memory, 0);
    loop {
        if let Some(result) = answer.read(now, &mut input) {
            return Ok(result);
        }
        match socket.read(input.room())? {
            0 => return Ok(answer.end(now, &mut input)),
            len => input.commit(len),
        }
    }
}
