//! A machine whose driver keeps one file, and what is asked of it.

extern crate std;

#[cfg(feature = "lists")]
use super::lists;
use crate::server::media::*;
use crate::{
    http::RecvBuf,
    id::Id,
    out::Out,
    record::Keep,
    server::{ApiKey, Config, ConnId, Drive, Server, ServerMemory, Sizes},
    setup::Heap,
    signature::LinkKey,
    time::{Instant, Now, Timestamp},
};
use std::{boxed::Box, format, string::String, vec, vec::Vec};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

pub(super) const KEYS: &[ApiKey] = &[];

pub(super) const SIZES: Sizes = Sizes {
    jobs: 4,
    blocks: 80,
    endpoints: 2,
    #[cfg(feature = "idempotency")]
    keys: 4,
    events: 24,
    streams: 8,
    lanes: 3,
    attempts: 4,
    conns: 2,
    #[cfg(feature = "lists")]
    log: 8,
    #[cfg(feature = "lists")]
    log_answer_bytes: 0,
    feed: 8,
};

/// Tables in vectors.
pub(super) struct Vectors;

impl Heap for Vectors {
    type Rows<T> = Vec<T>;
    type Plain<T: FromBytes + IntoBytes> = Vec<T>;

    fn rows<T>(len: usize, empty: impl Fn() -> T) -> Vec<T> {
        (0..len).map(|_| empty()).collect()
    }

    fn zeroed<T: FromZeros>(len: usize) -> Vec<T> {
        Self::rows(len, T::new_zeroed)
    }

    fn plain<T: FromBytes + IntoBytes>(len: usize) -> Vec<T> {
        Self::zeroed(len)
    }
}

/// A driver with one connection and one file.
pub(super) struct Home {
    pub(super) server: Server<'static>,
    pub(super) conn: ConnId,
    pub(super) now: Now,
    pub(super) memory: Vec<u8>,
    pub(super) filled: core::ops::Range<usize>,
    pub(super) output: Vec<u8>,
    /// What has come of the upload.
    pub(super) file: Vec<u8>,
    /// How many bytes the upload has.
    pub(super) bytes: u64,
    /// What the newest upload is called.
    pub(super) named: String,
    /// How the bytes are to be sent.
    pub(super) put: Put<'static>,
    /// Where the output is, if it is elsewhere.
    pub(super) elsewhere: Option<&'static str>,
    /// What is refused, if anything.
    pub(super) refuses: Option<MediaRefusal>,
    /// What was listed last.
    #[cfg(feature = "lists")]
    pub(super) listed: Vec<Upload<'static>>,
    /// What was sent.
    pub(super) sent: Vec<u8>,
    pub(super) closed: bool,
}

pub(super) fn at_ms(ms: u64) -> Now {
    Now {
        instant: Instant::from_ms(ms),
        timestamp: Timestamp::from_unix_ms(1_795_510_800_000 + ms),
    }
}

impl Home {
    pub(super) fn new(keys: &'static [ApiKey], media: bool) -> Self {
        let links = Links {
            base: "https://v.test",
            key: Box::leak(Box::new(LinkKey::new([3; 32]))),
            output_ms: 86_400_000,
        };
        Self::with_links(keys, media, Some(links))
    }

    pub(super) fn with_links(
        keys: &'static [ApiKey],
        media: bool,
        links: Option<Links<'static>>,
    ) -> Self {
        let service = crate::service::Limits {
            remote_workers: true,
            // As long as a link.
            url_bytes_max: 180,
            ..Config::DEVICE.service
        };
        let config = Config {
            service,
            keys,
            media,
            links,
            upload_bytes_max: Some(5 << 30),
            ..Config::DEVICE
        };
        let memory = Box::leak(Box::new(ServerMemory::<Vectors>::new(&SIZES, &config)));
        let mut server = Server::new(memory.lend(Keep::Nothing), config, [1; 32]).unwrap();
        let now = at_ms(0);
        let conn = server.accept(now).unwrap();
        Self {
            server,
            conn,
            now,
            memory: vec![0; 2_000],
            filled: 0..0,
            output: vec![0; config.answer_bytes_max()],
            file: Vec::new(),
            bytes: 10,
            named: String::new(),
            put: Put::Here,
            elsewhere: None,
            refuses: None,
            #[cfg(feature = "lists")]
            listed: Vec::new(),
            sent: Vec::new(),
            closed: false,
        }
    }

    pub(super) fn open() -> Self {
        Self::new(KEYS, true)
    }

    /// Receives bytes, does what the machine wants, and returns what was sent since the last time.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> String {
        let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
        input.room()[..bytes.len()].copy_from_slice(bytes);
        input.commit(bytes.len());
        let mut told = None;
        loop {
            let mut out = Out::new(&mut self.output);
            let (server, now, id) = (&mut self.server, self.now, self.conn);
            let drive = match told.take() {
                None => server.drive(now, id, &mut input, &mut out),
                Some(told) => server.answer_media(now, id, &mut input, told, &mut out),
            };
            self.sent.extend(out.written());
            match drive.unwrap() {
                Drive::Input { .. } | Drive::Wait => break,
                Drive::Close => {
                    self.closed = true;
                    break;
                }
                Drive::Flush => {}
                Drive::Lookup(_) => panic!("there is no archive"),
                Drive::Store { bytes } => {
                    told = Some(match self.refuses {
                        Some(why) => MediaAnswer::Refused(why),
                        None => MediaAnswer::Stored { bytes },
                    });
                    if self.refuses.is_none() {
                        self.file.extend(&input.filled()[..bytes]);
                    }
                }
                Drive::Send { at, bytes } => {
                    // Never more than three at once.
                    let bytes = bytes.min(3);
                    let at = at as usize;
                    self.sent.extend(&self.file[at..at + bytes as usize]);
                    told = Some(MediaAnswer::Sent { bytes });
                }
                Drive::Media => {
                    let call = self.server.media_call(self.conn, &input).unwrap();
                    told = Some(match (call, self.refuses) {
                        (MediaCall::Begin { at, .. }, None) => {
                            self.file.truncate(at.unwrap_or(0) as usize);
                            MediaAnswer::Begin
                        }
                        (MediaCall::Begin { .. }, Some(why)) => MediaAnswer::Refused(why),
                        (MediaCall::Keep { .. }, Some(why)) => MediaAnswer::Refused(why),
                        (MediaCall::Keep { .. }, None) => MediaAnswer::Done,
                        (
                            MediaCall::Output { .. }
                            | MediaCall::Content { .. }
                            | MediaCall::Subtitles { .. },
                            _,
                        ) => MediaAnswer::Output(Output {
                            bytes: self.file.len() as u64,
                            content_type: "video/mp4",
                            filename: "Ä \"x\".es.mp4",
                            tag: "\"t\"",
                            elsewhere: self.elsewhere,
                        }),
                        #[cfg(feature = "lists")]
                        (MediaCall::List { after, limit, .. }, _) => {
                            self.listed = lists::listed(after, limit);
                            MediaAnswer::Uploads {
                                uploads: &self.listed,
                                next: self.listed.last().map(|upload| upload.id),
                            }
                        }
                        (MediaCall::Remove { .. }, _) => MediaAnswer::Done,
                        (MediaCall::Part { number, .. }, _) => MediaAnswer::Part(Part {
                            bytes: number.into(),
                            url: "https://s3.test/x?partNumber=7",
                            expires_at: Timestamp::from_unix_ms(1_795_597_200_000),
                        }),
                        (MediaCall::Read { .. }, Some(why)) => MediaAnswer::Refused(why),
                        (MediaCall::Create(new), _) => {
                            self.bytes = new.bytes;
                            let mut memory = [0; 255];
                            let mut name = Out::new(&mut memory);
                            new.write_filename(&mut name);
                            let name = core::str::from_utf8(name.written()).unwrap();
                            self.named = String::from(name);
                            MediaAnswer::Upload(upload(new.id, &self.file, self.bytes, self.put))
                        }
                        (MediaCall::Read { upload: id } | MediaCall::End { upload: id }, _) => {
                            MediaAnswer::Upload(upload(id, &self.file, self.bytes, self.put))
                        }
                    });
                }
            }
        }
        self.filled = input.filled_range();
        String::from_utf8(core::mem::take(&mut self.sent)).unwrap()
    }

    /// Receives bytes in two parts.
    pub(super) fn receive_split(&mut self, bytes: &[u8], at: usize) -> String {
        let (one, two) = bytes.split_at(at);
        let mut said = self.receive(one);
        if !self.closed {
            said += &self.receive(two);
        }
        said
    }
}

pub(super) fn upload(id: Id, file: &[u8], bytes: u64, put: Put<'static>) -> Upload<'static> {
    Upload {
        id,
        bytes,
        received: file.len() as u64,
        filename: Some("v.mp4"),
        content_type: None,
        sha256: None,
        sha256_checked: false,
        expires_at: Timestamp::from_unix_ms(1_795_597_200_000),
        put,
    }
}

pub(super) const NAME: &str = "/v1/uploads/med_01m8hmbbfzenp8mfb755000001";
pub(super) const OUTPUT: &str = "/v1/translations/job_01m8hmbbfzenp8mfb755000001/output";

pub(super) fn put(body: &str) -> String {
    format!(
        "PUT {NAME} HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(super) fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: h\r\n{fields}\r\n")
}

pub(super) fn status(said: &str) -> &str {
    said.get(9..12).unwrap_or("none")
}
