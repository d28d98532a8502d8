//! A whole server over `std::net`, with its records in a file: one connection and one delivery at a time, in one loop.
//!
//! `cargo run --example blocking`, then `curl -i 127.0.0.1:8001/v1/translations -H 'content-type: application/json'
//! -d '{"video_url":"https://v.test/1.mp4","target_language":"es"}'`. Kill it, start it again: it still knows the job.
//!
//! Here is the loop. What it has of its host is in `src/host.rs`, which is a little longer: two clocks, the seed, the file with
//! the records, and the connection that an attempt is made on, once the guard has seen its address.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, sync::mpsc::channel, thread, time::Duration};

use dubhook_core::server::{Config, Drive, Input, Output, Ready, Server, ServerStorage};
use dubhook_core::{http::RecvBuf, out::Out, record::Keep, service::Report};
use dubhook_examples::host::{self, Records, now};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(env::args().nth(1).unwrap_or("127.0.0.1:8001".into()))?;
    let mut records = Records::open(env::args().nth(2).unwrap_or("records".into()))?;
    let mut config = Config::DEVICE;
    config.guard.allow_loopback = true;
    config.idle_ms = 1_000; // while one is served others wait

    // Room for 8 jobs, 4 endpoints, a connection and an attempt at a delivery.
    let mut storage = ServerStorage::<8, 4, 1, 1>::new();
    let mut server = Server::new(storage.lend(Keep::Records), config, host::seed()?)?;
    for (key, value) in &records.all {
        server.restore(now(), *key, value)?;
    }
    server.start(now())?;

    println!("listening on http://{}", listener.local_addr()?);
    let (accepted, sockets) = channel();
    thread::spawn(move || {
        let mut incoming = listener.incoming().flatten();
        incoming.try_for_each(|socket| accepted.send(socket))
    });
    let mut memory = [0; Config::DEVICE.record_bytes_max()];
    let mut request = [0; Config::DEVICE.attempt_bytes_max()];
    let mut answer = [0; Config::DEVICE.answer_bytes_max()];
    let mut received = [0; Config::DEVICE.http.message_bytes_max()];
    let mut input = RecvBuf::new(&mut received, 0);
    let mut conn = None;
    loop {
        // An answer does not wait for somebody else's receiver.
        let attempts = conn.is_none();
        let ready = Ready {
            attempts,
            ..Ready::ALL
        };
        match server.poll(now(), ready, &mut memory)? {
            Output::Start { job, .. } => {
                // Here it takes no time.
                let report = Report::Completed("https://v.test/1.es.mp4");
                server.handle(now(), Input::Report { job, report })?;
            }
            Output::Save { key, value } => records.save(key, value),
            Output::Commit(batch) => {
                records.commit()?;
                server.handle(now(), Input::Durable(batch))?;
            }
            Output::Attempt(attempt) => {
                let id = attempt.id;
                let url = server.attempt_url(id, &mut memory)?;
                let len = server.write_attempt(now(), id, &url, &mut request)?;
                let result = host::send(&url, &config.guard, &request[..len]);
                server.handle(now(), Input::Attempt { id, result })?;
            }
            // Whoever is connected is driven before each sleep.
            Output::Drive(_) | Output::Stop { .. } | Output::Archive { .. } => {}
            Output::Sleep(until) => {
                let pause = host::until(until).max(Duration::from_millis(1));
                let Some((socket, id)) = &mut conn else {
                    if let Ok(socket) = sockets.recv_timeout(pause) {
                        conn = Some((socket, server.accept(now())?));
                    }
                    continue;
                };
                let mut out = Out::new(&mut answer);
                let next = server.drive(now(), *id, &mut input, &mut out)?;
                if converse(socket, next, pause, &mut input, &out).is_err() {
                    server.close(*id);
                    input.discard_front(usize::MAX);
                    conn = None;
                }
            }
        }
    }
}

/// Sends what is written, and receives for so long if more is wanted. It is an error where the connection is at its end.
fn converse(
    socket: &mut TcpStream,
    next: Drive,
    pause: Duration,
    input: &mut RecvBuf<'_>,
    out: &Out<'_>,
) -> Result<()> {
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    socket.write_all(out.written())?;
    match next {
        Drive::Flush | Drive::Wait => return Ok(()),
        Drive::Input { .. } => socket.set_read_timeout(Some(pause))?,
        // Nothing is looked up or uploaded where nothing is kept.
        _ => return Err(ErrorKind::ConnectionAborted.into()),
    }
    match socket.read(input.room()) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(len) => {
            input.commit(len);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}
