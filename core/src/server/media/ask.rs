//! Which requests are about media, and what they ask of the driver.

use crate::{
    api::{self, MediaProblem, NewUpload, OfWork, Problem, Resource, Subtitles},
    digits::{canonical, canonical_u64},
    http::{Method, RecvBuf, Request},
    id::{Id, Ix, Prefix},
    out::Out,
    server::{
        ConnId, Server, answer,
        conn::Waiting,
        reply::{Answer, Reply},
    },
    service::NewJob,
    slab::Ix as Slot,
    time::Now,
};

/// What is asked of the media that the driver keeps.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MediaCall<'r> {
    /// Make room for an upload. Answered with [`MediaAnswer::Upload`](super::MediaAnswer::Upload).
    Create(NewUpload<'r>),
    /// Which uploads there are, newest first. Answered with [`MediaAnswer::Uploads`](super::MediaAnswer::Uploads).
    #[cfg(feature = "lists")]
    List {
        /// Those that come after this one, which need not be there any more; none for the newest.
        after: Option<Id>,
        /// How many at most.
        limit: u8,
        /// Those alone of which this SHA-256 was announced or found, in 64 hexadecimal digits.
        sha256: Option<&'r str>,
    },
    /// How far an upload is. Answered as [`Create`](Self::Create).
    Read {
        /// Which one.
        upload: Id,
    },
    /// Bytes of an upload are to come. Answered with [`MediaAnswer::Begin`](super::MediaAnswer::Begin), or refused before any
    /// of them is read.
    Begin {
        /// Of which one.
        upload: Id,
        /// Where they belong; none where they are all of it, from the start, whatever is there already.
        at: Option<u64>,
        /// How many.
        bytes: u64,
    },
    /// All bytes that were to come are stored. Answered with [`MediaAnswer::Upload`](super::MediaAnswer::Upload), once a loss of
    /// power would not take them.
    End {
        /// Of which one.
        upload: Id,
    },
    /// Where a part of an upload is to be sent. Answered with [`MediaAnswer::Part`](super::MediaAnswer::Part).
    Part {
        /// Of which one.
        upload: Id,
        /// Which part, from 1 on.
        number: u16,
    },
    /// An upload is wanted no more. Answered with [`MediaAnswer::Done`](super::MediaAnswer::Done).
    Remove {
        /// Which one.
        upload: Id,
    },
    /// The bytes of an upload that is whole. Answered as [`Output`](Self::Output).
    Content {
        /// Of which one.
        upload: Id,
    },
    /// An upload that is whole is the output of a job, by what its worker says, and from now on that alone; asked again, it is so
    /// already. Answered with [`MediaAnswer::Done`](super::MediaAnswer::Done).
    Keep {
        /// The upload.
        upload: Id,
        /// Another one, which is its subtitles.
        subtitles: Option<Id>,
        /// The job.
        job: Id,
    },
    /// A translation's output. Answered with [`MediaAnswer::Output`](super::MediaAnswer::Output).
    Output {
        /// Of which one.
        job: Id,
    },
    /// A translation's subtitles. Answered as [`Output`](Self::Output).
    Subtitles {
        /// Of which one.
        job: Id,
        /// In which form.
        form: Subtitles,
    },
}

/// What a connection waits for the driver to do.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Asked {
    pub(super) what: What,
    /// The upload, or the job.
    pub(super) id: Id,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Create,
    #[cfg(feature = "lists")]
    List,
    Read,
    Begin,
    /// The end of PUT, or of PATCH.
    End {
        of_patch: bool,
    },
    Remove,
    Content,
    Part(u16),
    /// Whether an upload is there that a job shall be about.
    Submit,
    Keep,
    Output,
    Subtitles(Subtitles),
}

impl What {
    /// Whether the request still lies in the input.
    pub(super) const fn has_request(self) -> bool {
        !matches!(self, Self::End { .. })
    }
}

/// What is answered to who wants to upload something.
pub(in crate::server) fn create(
    server: &mut Server<'_>,
    now: Now,
    request: &Request<'_>,
) -> Answer {
    check_version(request)?;
    let id = Id::new(now.timestamp, Ix::MIN, server.service.random());
    api::upload(request, id)?;
    let what = What::Create;
    Ok(Reply::Media(Asked { what, id }))
}

/// What is answered to who wants to see which uploads there are.
#[cfg(feature = "lists")]
pub(in crate::server) fn list(request: &Request<'_>) -> Answer {
    listed(request)?;
    let what = What::List;
    Ok(Reply::Media(Asked { what, id: Id::NONE }))
}

/// Which part of the list a request asks for.
#[cfg(feature = "lists")]
fn listed<'r>(request: &Request<'r>) -> Result<MediaCall<'r>, Problem> {
    let (page, sha256) = api::uploads(request.query)?;
    let after = match page.cursor {
        None => None,
        Some(cursor) => Some(Id::parse(Prefix::Media, cursor).ok_or(Problem::Cursor)?),
    };
    let limit = page.limit;
    Ok(MediaCall::List {
        after,
        limit,
        sha256,
    })
}

/// What is answered about an upload. Its bytes are taken before they have come (see [`Server::begin_upload`]).
pub(in crate::server) fn of_upload(request: &Request<'_>, name: &str) -> Answer {
    check_version(request)?;
    let id = Id::parse(Prefix::Media, name).ok_or(MediaProblem::NoSuchUpload)?;
    let what = match request.method {
        Method::Delete => What::Remove,
        _ => What::Read,
    };
    Ok(Reply::Media(Asked { what, id }))
}

/// What is answered about the bytes of the upload of that name.
pub(in crate::server) fn of_content(name: &str) -> Answer {
    let id = Id::parse(Prefix::Media, name).ok_or(MediaProblem::NoSuchUpload)?;
    let what = What::Content;
    Ok(Reply::Media(Asked { what, id }))
}

/// What is answered about where that part of that upload is to be sent.
pub(in crate::server) fn of_part(name: &str, number: &str) -> Answer {
    let id = Id::parse(Prefix::Media, name).ok_or(MediaProblem::NoSuchUpload)?;
    let number = canonical(number.as_bytes()).and_then(|number| number.try_into().ok());
    let what = What::Part(number.ok_or(MediaProblem::NoSuchUpload)?);
    Ok(Reply::Media(Asked { what, id }))
}

/// The upload that a job shall be about, if it is one: whether that is there is asked before the job is taken.
pub(in crate::server) fn submitted(new: &NewJob<'_>) -> Result<Option<Asked>, Problem> {
    const SCHEME: &[u8] = b"dubhook:";
    let url = new.video_url.bytes();
    if !url.clone().take(SCHEME.len()).eq(SCHEME.iter().copied()) {
        return Ok(None);
    }
    // A byte more than an id has, so that none is taken for what it begins with.
    let mut memory = [0; 31];
    let mut name = Out::new(&mut memory);
    url.skip(SCHEME.len())
        .take(31)
        .for_each(|byte| name.put_byte(byte));
    let name = core::str::from_utf8(name.written()).unwrap_or_default();
    let id = Id::parse(Prefix::Media, name).ok_or(MediaProblem::UploadNotReady)?;
    let what = What::Submit;
    Ok(Some(Asked { what, id }))
}

/// Whether a client of tus, if it is one, speaks the version that this server does (tus 1.0, section "Headers").
fn check_version(head: &Request<'_>) -> Result<(), Problem> {
    match head.fields.get_unique("tus-resumable") {
        Ok(None | Some(b"1.0.0")) => Ok(()),
        _ => Err(MediaProblem::TusVersion.into()),
    }
}

/// Whether a worker that completes the job of that name has uploaded the output, and still has the job: whoever has not is told so
/// by what reads his report.
pub(in crate::server) fn brings_output(
    server: &mut Server<'_>,
    request: &Request<'_>,
    name: &str,
) -> Result<bool, Problem> {
    let Some(id) = Id::parse(Prefix::Job, name) else {
        return Ok(false);
    };
    if api::brought(request)?.is_none() {
        return Ok(false);
    }
    let limits = &server.config.service;
    // Only whether callers are given a link counts here, and not which.
    let own = server.config.links.is_some().then_some("");
    let (lease, _) = api::report(request, OfWork::Complete, limits, own, server.decode)?;
    Ok(limits.remote_workers && server.service.is_worked_on(id, lease))
}

/// What is answered to that worker: first its output is kept, and then its report is taken.
pub(in crate::server) fn keep_output(name: &str) -> Answer {
    let id = Id::parse(Prefix::Job, name).ok_or(Problem::NoSuchJob)?;
    let what = What::Keep;
    Ok(Reply::Media(Asked { what, id }))
}

/// What is answered about the output of the job of that name, or its subtitles.
pub(in crate::server) fn of_output(name: &str, form: Option<Subtitles>) -> Answer {
    let id = Id::parse(Prefix::Job, name).ok_or(Problem::NoSuchJob)?;
    let what = form.map_or(What::Output, What::Subtitles);
    Ok(Reply::Media(Asked { what, id }))
}

/// The upload that these bytes are for, and where they belong.
fn filled(head: &Request<'_>) -> Result<(Id, Option<u64>), Problem> {
    let Some(Resource::Upload(name)) = api::route(head.path) else {
        return Err(MediaProblem::NoSuchUpload.into());
    };
    let upload = Id::parse(Prefix::Media, name).ok_or(MediaProblem::NoSuchUpload)?;
    if head.method == Method::Put {
        return Ok((upload, None));
    }
    check_version(head)?;
    // Who says nothing of tus need not say it of the bytes either.
    let is_tus = head.fields.get("tus-resumable").is_some();
    let content_type = head.fields.get_unique("content-type");
    if is_tus && content_type != Ok(Some(b"application/offset+octet-stream")) {
        return Err(MediaProblem::NotOffset.into());
    }
    let at = head.fields.get_unique("upload-offset").ok().flatten();
    let at = at
        .and_then(canonical_u64)
        .ok_or(MediaProblem::OffsetMissing)?;
    Ok((upload, Some(at)))
}

impl Server<'_> {
    /// What [`Drive::Media`](crate::server::Drive::Media) asks for on a connection, whose `input` is as it was then. None where
    /// it asks for nothing.
    #[must_use]
    pub fn media_call<'r>(&self, id: ConnId, input: &'r RecvBuf<'_>) -> Option<MediaCall<'r>> {
        let conn = self.conn(id)?;
        let Reply::Media(Asked { what, id }) = conn.reply else {
            return None;
        };
        Some(match what {
            What::Create => {
                let request = conn.parser.request(input.filled())?;
                MediaCall::Create(api::upload(&request, id).ok()?)
            }
            #[cfg(feature = "lists")]
            What::List => listed(&conn.parser.request(input.filled())?).ok()?,
            What::Read => MediaCall::Read { upload: id },
            What::Begin => {
                let head = conn.parser.head(input.filled())?;
                let (upload, at) = filled(&head).ok()?;
                let bytes = conn.parser.length();
                MediaCall::Begin { upload, at, bytes }
            }
            What::End { .. } => MediaCall::End { upload: id },
            What::Remove => MediaCall::Remove { upload: id },
            What::Part(number) => MediaCall::Part { upload: id, number },
            What::Submit => MediaCall::Read { upload: id },
            What::Content => MediaCall::Content { upload: id },
            What::Keep => {
                let request = conn.parser.request(input.filled())?;
                let brought = api::brought(&request).ok()??;
                MediaCall::Keep {
                    upload: brought.upload,
                    subtitles: brought.subtitles,
                    job: id,
                }
            }
            What::Output => MediaCall::Output { job: id },
            What::Subtitles(form) => MediaCall::Subtitles { job: id, form },
        })
    }

    /// Reads a head on, and where it is that of an upload's bytes, decides before any of these are read. Whether the connection
    /// is owed an answer then.
    #[inline(never)]
    pub(in crate::server) fn begin_upload(&mut self, ix: Slot, input: &RecvBuf<'_>) -> bool {
        let Some(conn) = self.conns.get_mut(ix).filter(|conn| !conn.closing) else {
            return false;
        };
        match conn.parser.advance_head(&self.config.http, input) {
            Err(refusal) => {
                conn.refuse(Problem::Http(refusal));
                return true;
            }
            Ok(false) => return false,
            Ok(true) if !matches!(conn.parser.method(), Some(Method::Put | Method::Patch)) => {
                return false;
            }
            Ok(true) => {}
        }
        let Some(head) = conn.parser.head(input.filled()) else {
            return false;
        };
        if !matches!(api::route(head.path), Some(Resource::Upload(_))) {
            return false;
        }
        let (version, keep_alive) = (head.version, head.keep_alive);
        let admitted = answer::admit(&head, &self.config)
            .and_then(|_| answer::admit_body(&head))
            .and_then(|()| filled(&head));
        let asked = match (conn.parser.stream_length(), admitted) {
            (Err(refusal), _) => Err(Problem::Http(refusal)),
            (_, Err(problem)) => Err(problem),
            (Ok(None), _) => Err(MediaProblem::LengthRequired.into()),
            (Ok(Some(_)), Ok((upload, _))) => Ok(upload),
        };
        match asked {
            Err(problem) => conn.refuse(problem),
            Ok(id) => {
                let what = What::Begin;
                conn.reply = Reply::Media(Asked { what, id });
                conn.version = version;
                conn.keep_alive = keep_alive;
                conn.head_only = false;
                conn.waiting = Waiting::Answer;
            }
        }
        true
    }
}
