//! What a connection has to do with media: it does what the machine asks for, on threads that may wait.
//!
//! One piece at a time is on its way, so a connection reads no more from its socket than the disk has taken, and no more from
//! the disk than the socket has.

use crate::media::{Body, Filling, Kept, Media, NewUpload, Output, PartOf, Put};
use dubhook_core::{
    id::Id,
    out::Out,
    server::{
        self as machine, MediaAnswer, MediaCall, MediaOutput, MediaPart, MediaRefusal, MediaUpload,
        Subtitles,
    },
    service::Service,
    time::Timestamp,
};
#[cfg(target_os = "linux")]
use rustix::{
    fs::sendfile,
    io::{Errno, retry_on_intr},
};
use smol::unblock;
#[cfg(target_os = "linux")]
use std::net::TcpStream;
use std::{io, os::unix::fs::FileExt, sync::Arc};

/// How many bytes of an output are read at once.
pub(super) const PIECE_BYTES: u64 = 64 * 1_024;
/// How many of a file the kernel is told to send at once: more than sockets take.
#[cfg(target_os = "linux")]
const AT_ONCE_BYTES: u64 = 4 * 1_024 * 1_024;

/// What the machine asks for.
#[derive(Debug)]
pub(super) enum Asked {
    Create(NewUpload),
    List(Option<Id>, usize, Option<String>),
    Read(Id),
    Begin(Id, Option<u64>, u64),
    End,
    Part(Id, u16),
    Remove(Id),
    Content(Id),
    /// That an upload is the output of a job in this language, perhaps with another one as its subtitles.
    Keep(Id, Id, String, Option<Id>),
    Output(Id),
    Subtitles(Id, Subtitles),
    /// To store these bytes.
    Store(Vec<u8>),
    /// To send bytes of an output: where they are, and how many at most.
    Send(u64, u64),
}

/// What is told to it.
#[derive(Debug)]
pub(super) enum Told {
    Upload(Kept),
    /// Those of a page, and the last that was looked at.
    Uploads(Vec<Kept>, Option<Id>),
    Part(PartOf),
    Begin,
    Stored(usize),
    Done,
    Output(Output),
    Sent(u64),
    Refused(MediaRefusal),
}

/// An upload or an output on its way through a connection.
#[derive(Debug, Default)]
pub(super) struct Moving {
    filling: Option<Box<dyn Filling>>,
    sending: Option<Arc<Body>>,
}

impl Asked {
    /// What a call asks for that came at `now`, of jobs that `service` knows.
    pub(super) fn of(call: &MediaCall<'_>, service: &Service<'_>, now: Timestamp) -> Self {
        match call {
            MediaCall::Create(new) => Self::Create(NewUpload {
                id: new.id,
                bytes: new.bytes,
                filename: text(|out| new.write_filename(out)),
                content_type: text(|out| new.write_content_type(out)),
                sha256: text(|out| new.write_sha256(out)),
                created_at: now,
            }),
            MediaCall::List {
                after,
                limit,
                sha256,
            } => Self::List(*after, usize::from(*limit), sha256.map(str::to_owned)),
            MediaCall::Read { upload } => Self::Read(*upload),
            MediaCall::Begin { upload, at, bytes } => Self::Begin(*upload, *at, *bytes),
            MediaCall::End { .. } => Self::End,
            MediaCall::Part { upload, number } => Self::Part(*upload, *number),
            MediaCall::Remove { upload } => Self::Remove(*upload),
            MediaCall::Content { upload } => Self::Content(*upload),
            MediaCall::Keep {
                upload,
                subtitles,
                job,
            } => Self::Keep(*upload, *job, language(service, *job), *subtitles),
            MediaCall::Output { job } => Self::Output(*job),
            MediaCall::Subtitles { job, form } => Self::Subtitles(*job, *form),
        }
    }
}

impl Told {
    /// As the machine takes it. A list lies in `page` for that time.
    pub(super) fn as_answer<'a>(&'a self, page: &'a mut Vec<MediaUpload<'a>>) -> MediaAnswer<'a> {
        match self {
            Self::Upload(kept) => MediaAnswer::Upload(as_upload(kept)),
            Self::Uploads(kept, next) => {
                page.extend(kept.iter().map(as_upload));
                MediaAnswer::Uploads {
                    uploads: page,
                    next: *next,
                }
            }
            Self::Part(part) => MediaAnswer::Part(MediaPart {
                bytes: part.bytes,
                url: &part.url,
                expires_at: part.expires_at,
            }),
            Self::Begin => MediaAnswer::Begin,
            Self::Stored(bytes) => MediaAnswer::Stored { bytes: *bytes },
            Self::Done => MediaAnswer::Done,
            Self::Output(output) => MediaAnswer::Output(MediaOutput {
                bytes: output.bytes,
                content_type: &output.content_type,
                filename: &output.filename,
                tag: &output.tag,
                elsewhere: match &output.body {
                    Body::Elsewhere(url) => Some(url),
                    Body::File(_) | Body::Bytes(_) => None,
                },
            }),
            Self::Sent(bytes) => MediaAnswer::Sent { bytes: *bytes },
            Self::Refused(why) => MediaAnswer::Refused(*why),
        }
    }
}

/// An upload as the machine takes it.
fn as_upload(kept: &Kept) -> MediaUpload<'_> {
    MediaUpload {
        id: kept.upload.id,
        bytes: kept.upload.bytes,
        received: kept.received,
        filename: kept.upload.filename.as_deref(),
        content_type: kept.upload.content_type.as_deref(),
        sha256: kept.upload.sha256.as_deref(),
        sha256_checked: kept.is_checked,
        expires_at: kept.expires_at(),
        put: as_put(&kept.put),
    }
}

/// Into which language a job is translated.
pub(super) fn language(service: &Service<'_>, job: Id) -> String {
    let job = service.find_job(job);
    let said = text(|out| {
        job.iter()
            .for_each(|job| service.write_target_language(*job, out))
    });
    said.unwrap_or_default()
}

/// What is written, if something is.
fn text(write: impl FnOnce(&mut Out<'_>)) -> Option<String> {
    let mut memory = [0; 256];
    let mut out = Out::new(&mut memory);
    write(&mut out);
    let text = str::from_utf8(out.written()).ok();
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn as_put(put: &Put) -> machine::Put<'_> {
    match put {
        Put::Here => machine::Put::Here,
        Put::Elsewhere {
            url,
            checksum,
            expires_at,
        } => machine::Put::Elsewhere {
            url,
            checksum: checksum.as_deref(),
            expires_at: *expires_at,
        },
        Put::Parts { bytes, count } => machine::Put::Parts {
            bytes: *bytes,
            count: *count,
        },
    }
}

/// Reads bytes of an output that are there.
fn read(body: &Body, piece: &mut [u8], at: u64) -> io::Result<()> {
    match body {
        Body::File(file) => file.read_exact_at(piece, at),
        Body::Bytes(bytes) => {
            let start = usize::try_from(at).unwrap_or(usize::MAX);
            let part = start
                .checked_add(piece.len())
                .and_then(|end| bytes.get(start..end));
            piece.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
        Body::Elsewhere(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Has the kernel send bytes of a file to a socket that does not wait: how many, or none where it has no room.
///
/// # Errors
///
/// `Unsupported`, and nothing is sent, where the kernel does not do that from this file; whatever reading and writing fail with.
#[cfg(target_os = "linux")]
pub(super) fn send_file(
    socket: &TcpStream,
    body: &Body,
    mut at: u64,
    bytes: u64,
) -> io::Result<Option<u64>> {
    let Body::File(file) = body else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let len = bytes.min(AT_ONCE_BYTES) as usize;
    match retry_on_intr(|| sendfile(socket, file, Some(&mut at), len)) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(len) => Ok(Some(len as u64)),
        Err(Errno::AGAIN) => Ok(None),
        Err(Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
        Err(error) => Err(error.into()),
    }
}

impl Moving {
    /// The output that is being sent, if the kernel can read it.
    #[cfg(target_os = "linux")]
    pub(super) fn sent_file(&self) -> Option<Arc<Body>> {
        let body = self.sending.as_ref()?;
        matches!(**body, Body::File(_)).then(|| Arc::clone(body))
    }

    /// Does what is asked for. What is to be sent goes into `unsent`. None where an output can be read no more: its length is
    /// told already, so all that is left is to end the connection.
    pub(super) async fn carry_out(
        &mut self,
        media: &Arc<dyn Media>,
        asked: Asked,
        unsent: &mut Vec<u8>,
    ) -> Option<Told> {
        if let Asked::Send(at, bytes) = asked {
            let body = Arc::clone(self.sending.as_ref()?);
            let len = bytes.min(PIECE_BYTES) as usize;
            let mut piece = std::mem::take(unsent);
            let piece = unblock(move || {
                piece.resize(len, 0);
                read(&body, &mut piece, at).map(|()| piece)
            });
            *unsent = piece.await.ok()?;
            return Some(Told::Sent(len as u64));
        }
        let told = self.told(media, asked).await;
        Some(told.unwrap_or_else(|why| {
            self.filling = None;
            Told::Refused(why)
        }))
    }

    async fn told(&mut self, media: &Arc<dyn Media>, asked: Asked) -> Result<Told, MediaRefusal> {
        let media = Arc::clone(media);
        match asked {
            Asked::Create(new) => unblock(move || media.create(new)).await.map(Told::Upload),
            Asked::List(after, limit, sha256) => {
                let listed = unblock(move || media.list(after, limit, sha256.as_deref()));
                listed.await.map(|(kept, next)| Told::Uploads(kept, next))
            }
            Asked::Read(id) => unblock(move || media.find(id)).await.map(Told::Upload),
            Asked::Begin(id, at, bytes) => {
                let filling = unblock(move || media.begin(id, at, bytes)).await?;
                self.filling = Some(filling);
                Ok(Told::Begin)
            }
            Asked::Store(piece) => {
                let mut filling = self.filling.take().ok_or(MediaRefusal::Broken)?;
                let len = piece.len();
                let stored = unblock(move || filling.store(&piece).map(|()| filling));
                self.filling = Some(stored.await?);
                Ok(Told::Stored(len))
            }
            Asked::End => {
                let filling = self.filling.take().ok_or(MediaRefusal::Broken)?;
                unblock(move || filling.finish()).await.map(Told::Upload)
            }
            Asked::Part(id, number) => unblock(move || media.part(id, number.into()))
                .await
                .map(Told::Part),
            Asked::Remove(id) => unblock(move || media.remove(id)).await.map(|()| Told::Done),
            Asked::Keep(id, job, language, subtitles) => {
                let kept = unblock(move || media.keep(id, job, &language, subtitles));
                kept.await.map(|()| Told::Done)
            }
            Asked::Content(id) => self.open(unblock(move || media.content(id)).await?),
            Asked::Output(job) => self.open(unblock(move || media.output(job)).await?),
            Asked::Subtitles(job, form) => {
                self.open(unblock(move || media.subtitles(job, form)).await?)
            }
            Asked::Send(..) => Err(MediaRefusal::Broken),
        }
    }

    /// What is to be sent from now on.
    fn open(&mut self, output: Output) -> Result<Told, MediaRefusal> {
        let body = match &output.body {
            Body::File(file) => Body::File(file.try_clone().map_err(|_| MediaRefusal::Broken)?),
            Body::Bytes(bytes) => Body::Bytes(bytes.clone()),
            Body::Elsewhere(url) => Body::Elsewhere(url.clone()),
        };
        self.sending = Some(Arc::new(body));
        Ok(Told::Output(output))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::{
        fs::{self, File},
        net::TcpListener,
    };

    #[test]
    fn what_the_kernel_does_not_send_is_told_from_what_it_cannot() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let peer = TcpStream::connect(listener.local_addr().expect("an address"));
        let (socket, _) = listener.accept().expect("a connection");
        socket.set_nonblocking(true).expect("a socket");
        let path = std::env::temp_dir().join(format!("dubhook-sent-{}", std::process::id()));
        fs::write(&path, [b'x'; 10]).expect("a file");
        let file = Body::File(File::open(&path).expect("it is there"));
        fs::remove_file(&path).expect("it is there");
        let said = |body: &Body, at| send_file(&socket, body, at, 4).map_err(|error| error.kind());
        assert_eq!(said(&file, 8), Ok(Some(2)));
        assert_eq!(said(&file, 10), Err(io::ErrorKind::UnexpectedEof));
        // A file that is made up while it is read.
        let made_up = Body::File(File::open("/proc/self/mem").expect("it is there"));
        assert_eq!(said(&made_up, 0), Err(io::ErrorKind::Unsupported));
        drop(peer);
    }
}
