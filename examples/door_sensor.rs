//! A door that tells two receivers when it is opened and closed and how warm it is: the event library without translations.
//!
//! `cargo run --example door_sensor http://127.0.0.1:9001/ http://127.0.0.1:9002/`: stop one of the receivers for a while.
//! What it missed comes in order, but of the temperatures only the newest.

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant as Clock, SystemTime, UNIX_EPOCH},
};

use dubhook_core::{
    delivery::Schedule,
    dispatch::{Answer, AttemptResult, Dispatcher, Input, Kinds, Limits, NewEndpoint},
    dispatch::{Output, Ready, Signal, Storage, Subjects, Weight},
    http::RecvBuf,
    id::Id,
    json::Writer,
    log::AttemptError,
    out::Out,
    record::Keep,
    slab::Ix,
    text::Pool,
    time::{Instant, Now, Timestamp},
    url::Url,
};

const KINDS: [&str; 3] = ["door.opened", "door.closed", "door.reading"];

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (door, seen) = channel();
    std::thread::spawn(move || {
        for (kind, tenths) in
            (0..).map(|n| [(0, 0), (2, 195 - n), (2, 190 - n), (1, 0)][n as usize % 4])
        {
            door.send((kind, tenths)).expect("somebody looks");
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    let urls = std::env::args().skip(1).collect::<Vec<_>>();
    run(&urls, Schedule::new(&[1_000; 15]), &seen)
}

/// Tells the URLs what is seen of the door, a kind and a number, until that ends and nobody is owed anything.
fn run(
    urls: &[String],
    schedule: Schedule,
    seen: &Receiver<(u8, i32)>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (started, mut seed, slot) = (Clock::now(), [0; 32], Ix::MIN);
    let now = || Now {
        instant: Instant::from_ms(started.elapsed().as_millis() as u64),
        timestamp: Timestamp::from_unix_ms(
            UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as u64
        ),
    };
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut limits = Limits::DEVICE;
    limits.outbox.schedule = schedule;
    // One door, two endpoints, two attempts in flight, bodies of 192 bytes.
    let mut storage = Storage::<Signal, 1, 2, 2, 192>::new();
    let mut dispatcher = Dispatcher::new(storage.lend(Keep::Nothing), limits, seed)?;
    let door = Door(dispatcher.new_id(now(), slot));
    dispatcher.admit(slot, 0, false)?;
    for url in urls {
        dispatcher.create_endpoint(now(), NewEndpoint::new(url, Kinds::ALL))?;
    }

    let (mut url, mut request, mut sequence, mut ended) = ([0; 120], [0; 1_024], 0, false);
    loop {
        match dispatcher.poll(now(), Ready::ALL, &mut [])? {
            Output::Attempt(attempt) => {
                let url = dispatcher.attempt_url(attempt.id, &door, &mut url)?;
                let len = dispatcher.write_attempt(now(), attempt.id, &url, &door, &mut request)?;
                let result = send(&url, &request[..len], now());
                let result = result.unwrap_or(AttemptResult::Failed(AttemptError::Connect));
                println!("{}: {:?}: {result:?}", url.port(), attempt.event);
                let input = Input::Attempt {
                    id: attempt.id,
                    result,
                };
                dispatcher.handle(now(), input, &door)?;
            }
            Output::Sleep(None) if ended => return Ok(()),
            Output::Sleep(until) => {
                let pause_ms = until.map_or(1_000, |until| until.ms_since(now().instant));
                match seen.recv_timeout(Duration::from_millis(pause_ms)) {
                    Ok((kind, value)) => {
                        sequence += 1;
                        let weight = if kind == 2 {
                            Weight::Reading
                        } else {
                            Weight::Change
                        };
                        let signal = Signal {
                            at: now().timestamp,
                            sequence,
                            value,
                            kind,
                            weight,
                        };
                        dispatcher.publish(slot, signal, false, &door)?;
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => ended = true,
                }
            }
            Output::Save { .. } | Output::Commit(_) => unreachable!("nothing is kept"),
        }
    }
}

/// Makes an attempt: a connection, a request, an answer.
fn send(url: &Url<'_>, request: &[u8], now: Now) -> std::io::Result<AttemptResult<'static>> {
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
