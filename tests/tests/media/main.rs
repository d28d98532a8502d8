//! Videos go in and come out, over real sockets, through the real program.

mod command_line;
mod downloads;
mod elsewhere;
mod journey;
mod killed;
mod lists;
mod names;
mod ranges;
mod slow;
mod uploads;

use dubhook_core::{
    id::{Id, Ix, Prefix},
    random::Random,
    time::Timestamp,
};
use dubhook_smol::{
    media::{Folder, Limits, Media, NewUpload},
    server::Server,
};
use dubhook_tests::{
    described::{description, fits, resolve},
    program::{Program, run},
    video::{sha256, video},
    wire::{Answer, Asker, Hearer, PATIENCE, take_descriptors},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A translation for the tests: the same bytes in a file of another name.
const COPY: &str = r#"url=$(sed -n 's/.*"video_url":"file:\/\/\([^"]*\)".*/\1/p'); cp "$url" "$DUBHOOK_OUTPUT_DIR/$DUBHOOK_JOB_ID.es.mp4" \
    && printf '{"output_url":"file://%s/%s.es.mp4"}\n' "$DUBHOOK_OUTPUT_DIR" "$DUBHOOK_JOB_ID""#;

/// A server with its data and media in a directory.
struct Served {
    program: Program,
    address: SocketAddr,
}

fn serve(home: &Path, arguments: &[&str]) -> Served {
    let (data, output) = (home.join("data"), home.join("output"));
    let mut all = vec!["--data", data.to_str().unwrap(), "--output"];
    all.push(output.to_str().unwrap());
    all.extend(arguments);
    let mut program = Program::serve(&all, &home.join("log"));
    let address = program.address();
    Served { program, address }
}

fn home() -> TempDir {
    TempDir::new().expect("a directory")
}

fn create(asker: &mut Asker, upload: &Value) -> Value {
    let answer = asker.call("POST", "/v1/uploads", &upload.to_string());
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()
}

/// A connection on which bytes are sent by hand.
fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// Sends a request with a body and reads what is answered until the connection closes.
fn fill(address: SocketAddr, method: &str, path: &str, fields: &str, body: &[u8]) -> String {
    let mut stream = connect(address);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{fields}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it is taken");
    // Who is refused need not be listened to.
    let _ = stream.write_all(body);
    let mut said = String::new();
    let ended = stream.read_to_string(&mut said);
    // Who did not listen to all of it may end with a reset, once he has said what there is to say.
    assert!(ended.is_ok() || !said.is_empty(), "{ended:?}");
    said
}

fn path_of(upload: &Value) -> String {
    format!("/v1/uploads/{}", upload["id"].as_str().unwrap())
}

fn offset(asker: &mut Asker, path: &str) -> usize {
    let answer = asker.call("HEAD", path, "");
    assert_eq!(answer.status, 200);
    answer.fields["upload-offset"].parse().unwrap()
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap().to_owned()
}
