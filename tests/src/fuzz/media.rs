//! The server machine with media, under a script: requests that are cut anywhere, and a driver that stores and sends as little or as
//! much as it likes, refuses, is late, and now and then says what nobody asked.

use super::Script;
use dubhook_core::{
    http::RecvBuf,
    id::Id,
    out::Out,
    record::Keep,
    server::{
        Config, ConnId, Drive, MediaAnswer, MediaCall, MediaOutput, MediaPart, MediaRefusal,
        MediaUpload, Put, Server, ServerStorage,
    },
    time::{Instant, Now, Timestamp},
};

/// How many bytes a client's may be that the machine has not taken yet.
const INPUT_BYTES: usize = 1_500;
/// How many connections there are.
const CONNS: usize = 2;
/// How long a connection may go on in which nothing happens, in milliseconds: no wait is longer than that between requests.
const PATIENCE_MS: u64 = 100_000;
/// What refusals there are.
const REFUSALS: [MediaRefusal; 12] = [
    MediaRefusal::NotFound,
    MediaRefusal::Offset,
    MediaRefusal::Length,
    MediaRefusal::TooLarge,
    MediaRefusal::Busy,
    MediaRefusal::Done,
    MediaRefusal::Checksum,
    MediaRefusal::Subtitles,
    MediaRefusal::Elsewhere,
    MediaRefusal::Full,
    MediaRefusal::Broken,
    MediaRefusal::NotFound,
];
/// Requests with a meaning. `{n}` is how many bytes follow, and `{at}` where the upload goes on.
const REQUESTS: [&str; 16] = [
    "PUT /v1/uploads/{id} HTTP/1.1\r\nhost: h\r\ncontent-length: {n}\r\n\r\n",
    "PUT /v1/uploads/{id} HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: {n}\r\n\r\n",
    "PATCH /v1/uploads/{id} HTTP/1.1\r\nhost: h\r\nupload-offset: {at}\r\ncontent-length: {n}\r\n\r\n",
    "PATCH /v1/uploads/{id} HTTP/1.1\r\nhost: h\r\ntus-resumable: 1.0.0\r\nupload-offset: {at}\r\n\
     content-type: application/offset+octet-stream\r\ncontent-length: {n}\r\n\r\n",
    "GET /v1/uploads/{id} HTTP/1.1\r\nhost: h\r\n\r\n",
    "HEAD /v1/uploads/{id} HTTP/1.1\r\nhost: h\r\n\r\n",
    "DELETE /v1/uploads/{id} HTTP/1.1\r\nhost: h\r\n\r\n",
    "POST /v1/uploads HTTP/1.1\r\nhost: h\r\nupload-length: 7\r\nupload-metadata: filename eA==\r\n\r\n",
    "GET /v1/uploads/{id}/parts/2 HTTP/1.1\r\nhost: h\r\n\r\n",
    "GET /v1/uploads/{id}/content HTTP/1.1\r\nhost: h\r\nrange: bytes=3-\r\n\r\n",
    "GET /v1/translations/{job}/output HTTP/1.1\r\nhost: h\r\n\r\n",
    "GET /v1/translations/{job}/output HTTP/1.1\r\nhost: h\r\nrange: bytes=-5\r\n\r\n",
    "GET /v1/translations/{job}/output/subtitles.vtt HTTP/1.0\r\nhost: h\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n",
    "OPTIONS /v1/uploads HTTP/1.1\r\nhost: h\r\n\r\n",
    "PUT /v1/uploads/{id} HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
];
const ID: &str = "med_01m8hmbbfzenp8mfb755000001";
const JOB: &str = "job_01m8hmbbfzenp8mfb755000001";

/// The byte at that place of every upload and every output: no request has such bytes, so what is none of a body shows.
fn byte_at(at: u64) -> u8 {
    0x80 | (at as u8)
}

/// Uploads and outputs go through however they are cut and however the driver answers: what is stored are the bytes of bodies and
/// no others, each in its place; what is sent is what was asked for, and no more of it than was promised; and every connection comes
/// to its end.
pub fn media(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut memory = Box::new(ServerStorage::<4, 2, CONNS, 4>::new());
    let config = Config {
        media: true,
        upload_bytes_max: Some(9),
        ..Config::DEVICE
    };
    let server = Server::new(memory.lend(Keep::Nothing), config, [script.byte(); 32]).unwrap();
    let mut world = World {
        server,
        at_ms: 0,
        clients: Vec::new(),
        output: vec![0; config.answer_bytes_max()],
    };
    while !script.is_over() {
        match script.byte() % 8 {
            0 => world.open(),
            1 => world.at_ms += [1, 900, 5_000, 31_000][script.below(4)],
            2..=4 => world.send(&mut script),
            _ => {
                let place = script.below(world.clients.len());
                world.go_on(place, &mut script);
            }
        }
    }
    world.end();
}

struct World<'m> {
    server: Server<'m>,
    at_ms: u64,
    clients: Vec<Client>,
    output: Vec<u8>,
}

/// A connection, and what its client and the driver of it know.
struct Client {
    id: ConnId,
    memory: Vec<u8>,
    filled: core::ops::Range<usize>,
    /// What the machine wants.
    wants: Drive,
    /// What is still to be received.
    coming: Vec<u8>,
    /// How much of the upload is stored, and how much of the body that is being stored is to come.
    stored: u64,
    left: u64,
    /// From where and how many bytes of an output are to be sent.
    sending: Option<(u64, u64)>,
    /// Whether it has left bytes out, or was told a lie: then nothing is known of it but that it must end.
    is_bent: bool,
}

impl World<'_> {
    fn now(&self) -> Now {
        Now {
            instant: Instant::from_ms(self.at_ms),
            timestamp: Timestamp::from_unix_ms(1_795_510_800_000 + self.at_ms),
        }
    }

    fn open(&mut self) {
        let now = self.now();
        if let Ok(id) = self.server.accept(now) {
            self.clients.push(Client {
                id,
                memory: vec![0; INPUT_BYTES],
                filled: 0..0,
                wants: Drive::Input { bytes_min: 1 },
                coming: Vec::new(),
                stored: 0,
                left: 0,
                sending: None,
                is_bent: false,
            });
        }
    }

    /// A client sends a request, or bytes that are none.
    fn send(&mut self, script: &mut Script<'_>) {
        let place = script.below(self.clients.len());
        let Some(client) = self.clients.get_mut(place) else {
            return self.open();
        };
        if client.coming.len() > 8_192 {
            return;
        }
        let bytes = u64::from(script.byte()) * [1, 1, 7, 40][script.below(4)];
        let request = script.pick(&REQUESTS).copied().unwrap_or_default();
        let at = if request.starts_with("PATCH") {
            client.stored
        } else {
            0
        };
        let text = request.replace("{id}", ID).replace("{job}", JOB);
        let text = text.replace("{n}", &bytes.to_string());
        client
            .coming
            .extend(text.replace("{at}", &at.to_string()).bytes());
        if request.contains("{n}") {
            client.coming.extend((at..at + bytes).map(byte_at));
        }
        if script.byte() < 16 {
            let cut = script.below(client.coming.len());
            client.coming.truncate(cut);
            client.is_bent = true;
        }
    }

    /// A connection goes on by a step.
    fn go_on(&mut self, place: usize, script: &mut Script<'_>) {
        if place >= self.clients.len() {
            return;
        }
        let now = self.now();
        let client = &mut self.clients[place];
        let mut input = RecvBuf::resume(&mut client.memory, client.filled.clone());
        let len = match client.wants {
            // Sometimes nothing has come, but its time may be over.
            Drive::Input { .. } => script.below(input.room().len().min(client.coming.len()) + 1),
            _ => 0,
        };
        input.room()[..len].copy_from_slice(&client.coming[..len]);
        input.commit(len);
        client.coming.drain(..len);
        let mut out = Out::new(&mut self.output);
        let is_lie = script.byte() == 0;
        let drive = match client.wants {
            Drive::Media | Drive::Store { .. } | Drive::Send { .. } => {
                let call = self.server.media_call(client.id, &input);
                assert_eq!(call.is_some(), client.wants == Drive::Media);
                let answer = match is_lie {
                    true => lie(script),
                    false => answer(client.wants, call, script),
                };
                // A lie may be what the machine waits for: nobody knows then what it takes it for.
                client.is_bent |= is_lie;
                if !client.is_bent {
                    keep_count(
                        client.wants,
                        call,
                        &answer,
                        input.filled(),
                        &mut Counted {
                            stored: &mut client.stored,
                            left: &mut client.left,
                            sending: &mut client.sending,
                        },
                    );
                }
                self.server
                    .answer_media(now, client.id, &mut input, answer, &mut out)
            }
            _ => self.server.drive(now, client.id, &mut input, &mut out),
        };
        let drive = drive.expect("the output has room for any answer");
        match drive {
            Drive::Store { bytes } => {
                assert!(
                    (1..=input.len()).contains(&bytes),
                    "what is not there is not stored"
                );
                assert!(
                    client.is_bent || bytes as u64 <= client.left,
                    "more than the body has"
                );
            }
            Drive::Send { at, bytes } => {
                assert!(bytes > 0, "nothing is sent");
                if let Some((expect_at, expect_bytes)) = client.sending.filter(|_| !client.is_bent)
                {
                    assert_eq!((at, bytes), (expect_at, expect_bytes));
                }
                client.sending = Some((at, bytes));
            }
            _ => client.sending = None,
        }
        client.wants = drive;
        client.filled = input.filled_range();
        if drive == Drive::Close {
            let client = self.clients.remove(place);
            self.server.close(client.id);
        }
    }

    /// Everybody falls silent and the driver does what it is asked for: each connection comes to its end.
    fn end(&mut self) {
        let until_ms = self.at_ms + 40 * PATIENCE_MS;
        while !self.clients.is_empty() {
            assert!(self.at_ms < until_ms, "a connection without an end");
            self.at_ms += 1_000;
            for client in &mut self.clients {
                client.coming.clear();
            }
            for place in (0..self.clients.len()).rev() {
                // It tells no lie, and refuses nothing.
                self.go_on(place, &mut Script::new(&[255; 64]));
            }
        }
        assert_eq!(self.server.conns_len(), 0);
    }
}

/// What is counted of a connection.
struct Counted<'c> {
    stored: &'c mut u64,
    left: &'c mut u64,
    sending: &'c mut Option<(u64, u64)>,
}

/// Notes what an answer means, and looks at the bytes that it stores.
fn keep_count(
    wants: Drive,
    call: Option<MediaCall<'_>>,
    answer: &MediaAnswer<'_>,
    input: &[u8],
    counted: &mut Counted<'_>,
) {
    match (wants, call, answer) {
        (_, Some(MediaCall::Begin { at, bytes, .. }), MediaAnswer::Begin) => {
            *counted.stored = at.unwrap_or(0);
            *counted.left = bytes;
        }
        (_, Some(MediaCall::End { .. }), _) => assert_eq!(*counted.left, 0, "it is not all there"),
        (Drive::Store { .. }, None, MediaAnswer::Stored { bytes }) => {
            for byte in &input[..*bytes] {
                assert_eq!(*byte, byte_at(*counted.stored), "a byte in another's place");
                *counted.stored += 1;
                *counted.left -= 1;
            }
        }
        (Drive::Send { .. }, None, MediaAnswer::Sent { bytes }) => {
            if let Some((at, left)) = counted.sending {
                *at += bytes;
                *left -= bytes;
                if *left == 0 {
                    *counted.sending = None;
                }
            }
        }
        _ => {}
    }
}

/// What a driver says that keeps to what it is asked.
fn answer<'a>(
    wants: Drive,
    call: Option<MediaCall<'_>>,
    script: &mut Script<'_>,
) -> MediaAnswer<'a> {
    let refuses = script.byte() < 24;
    let share =
        |most: u64, script: &mut Script<'_>| 1 + script.below(most.min(600) as usize) as u64;
    let why = script
        .pick(&REFUSALS)
        .copied()
        .unwrap_or(MediaRefusal::Broken);
    match (wants, call) {
        (Drive::Store { .. }, _) if refuses => MediaAnswer::Refused(MediaRefusal::Broken),
        (Drive::Store { bytes }, _) => MediaAnswer::Stored {
            bytes: share(bytes as u64, script) as usize,
        },
        (Drive::Send { bytes, .. }, _) => MediaAnswer::Sent {
            bytes: share(bytes, script),
        },
        (_, Some(_)) if refuses => MediaAnswer::Refused(why),
        (_, Some(MediaCall::Begin { .. })) => MediaAnswer::Begin,
        (_, Some(MediaCall::Remove { .. } | MediaCall::Keep { .. })) => MediaAnswer::Done,
        (_, Some(MediaCall::List { .. })) => MediaAnswer::Uploads {
            uploads: &[],
            next: None,
        },
        (_, Some(MediaCall::Part { .. })) => MediaAnswer::Part(PART),
        (
            _,
            Some(
                MediaCall::Output { .. } | MediaCall::Content { .. } | MediaCall::Subtitles { .. },
            ),
        ) => MediaAnswer::Output(output(script)),
        (_, Some(MediaCall::Create(new))) => MediaAnswer::Upload(upload(new.id)),
        (_, Some(MediaCall::Read { upload: id } | MediaCall::End { upload: id })) => {
            MediaAnswer::Upload(upload(id))
        }
        (_, None) => MediaAnswer::Refused(why),
    }
}

/// What a driver says that is not right in the head.
fn lie<'a>(script: &mut Script<'_>) -> MediaAnswer<'a> {
    let number = u64::from(script.byte()) << script.below(64);
    match script.below(8) {
        0 => MediaAnswer::Begin,
        1 => MediaAnswer::Stored {
            bytes: number as usize,
        },
        2 => MediaAnswer::Sent { bytes: number },
        3 => MediaAnswer::Done,
        4 => MediaAnswer::Output(output(script)),
        5 => MediaAnswer::Part(PART),
        6 => MediaAnswer::Upload(upload(Id::NONE)),
        _ => MediaAnswer::Refused(MediaRefusal::Broken),
    }
}

const PART: MediaPart<'static> = MediaPart {
    bytes: 3,
    url: "https://s3.test/x",
    expires_at: Timestamp::from_unix_ms(1_795_597_200_000),
};

fn upload(id: Id) -> MediaUpload<'static> {
    MediaUpload {
        id,
        bytes: 10,
        received: 10,
        filename: Some("\u{1f600}\"\\.mp4"),
        content_type: None,
        sha256: None,
        sha256_checked: false,
        expires_at: Timestamp::from_unix_ms(1_795_597_200_000),
        put: Put::Here,
    }
}

fn output(script: &mut Script<'_>) -> MediaOutput<'static> {
    MediaOutput {
        bytes: [0, 1, 5_000, u64::MAX / 2][script.below(4)].min(5_000),
        content_type: "video/mp4",
        filename: "a\r\nb: \u{e4}.mp4",
        tag: "\"t\"",
        elsewhere: [None, Some("https://s3.test/y")][script.below(2)],
    }
}
