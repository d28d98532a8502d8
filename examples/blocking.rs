//! The server machine over blocking sockets: one connection at a time, nothing kept, jobs done at once, nobody told.
//!
//! `cargo run --example blocking`, then `curl -i 127.0.0.1:8001/v1/translations -H 'content-type: application/json'
//! -d '{"video_url":"https://v.test/1.mp4","target_language":"es"}'`

use std::{
    fs::File,
    io::{Read, Result, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant as Clock, SystemTime, UNIX_EPOCH},
};

use dubhook_core::{
    http::RecvBuf,
    out::Out,
    record::Keep,
    server::{Config, Drive, Input, Output, Ready, Server, ServerStorage},
    service::Report,
    time::{Instant, Now, Timestamp},
};

fn main() -> Result<()> {
    let started = Clock::now();
    let mut memory = Box::new(ServerStorage::<8, 4, 1, 4>::new());
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut server = Server::new(memory.lend(Keep::Nothing), Config::DEVICE, seed).unwrap();
    for socket in TcpListener::bind("127.0.0.1:8001")?.incoming() {
        if let Err(error) = serve(&mut server, socket?, started) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

/// The present moment on both clocks.
fn now(started: Clock) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    Now {
        instant: Instant::from_ms(started.elapsed().as_millis() as u64),
        timestamp: Timestamp::from_unix_ms(unix.unwrap_or_default().as_millis() as u64),
    }
}

fn serve(server: &mut Server<'_>, mut socket: TcpStream, started: Clock) -> Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (mut received, mut answer) = ([0; 1_536], [0; Config::DEVICE.answer_bytes_max()]);
    let mut input = RecvBuf::new(&mut received, 0);
    let Ok(conn) = server.accept(now(started)) else {
        return socket.write_all(dubhook_core::server::REFUSED);
    };
    let ended = loop {
        let mut out = Out::new(&mut answer);
        let next = server.drive(now(started), conn, &mut input, &mut out);
        let next = next.expect("room for any answer");
        work(server, now(started));
        if let Err(error) = socket.write_all(out.written()) {
            break Err(error);
        }
        match next {
            Drive::Input { .. } => match socket.read(input.room()) {
                Ok(0) => break Ok(()),
                Ok(len) => input.commit(len),
                Err(error) => break Err(error),
            },
            // Nothing waits for a disk here, and there is no archive.
            Drive::Flush | Drive::Wait => {}
            Drive::Close | Drive::Lookup(_) => break Ok(()),
        }
    };
    server.close(conn);
    ended
}

fn work(server: &mut Server<'_>, now: Now) {
    while let Ok(Output::Start { job, .. }) = server.poll(now, Ready::WORK, &mut []) {
        let report = Report::Completed("https://v.test/1.es.mp4");
        let _ = server.handle(now, Input::Report { job, report });
    }
}
