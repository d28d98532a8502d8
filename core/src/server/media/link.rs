//! Links to media: who has one needs no key.
//!
//! | link | good for | as long as |
//! | --- | --- | --- |
//! | `/v1/translations/{id}/output?expires=…&signature=…` | that job's output and its subtitles | `expires` lies ahead, in Unix seconds |
//! | `/v1/uploads/{id}/content?job=…&lease=…&signature=…` | that upload | that job is with its worker under that lease |
//!
//! The first is made of the job's id and a time that counts from when the job was made, so a job has one link whenever it is
//! written, and what speaks of it is the same to the byte.

use crate::{
    api::{self, Field, MediaProblem, OfTranslation, Problem, Resource},
    digits::{canonical, canonical_u64},
    http::Request,
    id::{Id, Prefix},
    out::Out,
    server::Server,
    signature::LinkKey,
    slab::Ix,
    time::Now,
};

/// The longest link, in bytes: what leads to the server is not longer than a few names.
pub(in crate::server) const LINK_BYTES_MAX: usize = 512;

/// What links begin with, and what they are signed with.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    /// How callers reach the server: a URL without a slash at its end, 255 bytes at most.
    pub base: &'a str,
    /// The key, the same after each start.
    pub key: &'a LinkKey,
    /// How long the link to an output is good after its job was made, in milliseconds.
    pub output_ms: u64,
}

/// Takes a request that came without a key and is for something that links lead to, if it is a link that is good. `otherwise` is
/// what is wrong with it if it is no link at all.
///
/// # Errors
///
/// [`Problem`] says why it is not taken.
pub(in crate::server) fn admit<'r>(
    server: &Server<'_>,
    now: Now,
    head: &Request<'r>,
    otherwise: Problem,
) -> Result<Option<Resource<'r>>, Problem> {
    let links = server.config.links.as_ref().filter(|_| server.config.media);
    let (Some(links), Some(resource)) = (links, api::route(head.path)) else {
        return Err(otherwise);
    };
    let Some(signature) = api::parameter(head.query, Field::Signature)? else {
        return Err(otherwise);
    };
    let is_good = match resource {
        Resource::Translation(name, OfTranslation::Output | OfTranslation::Subtitles(_)) => {
            let expires = api::parameter(head.query, Field::Expires)?.unwrap_or_default();
            let lines = [b"output", name.as_bytes(), expires.as_bytes()];
            let expires = canonical_u64(expires.as_bytes()).ok_or(MediaProblem::LinkWrong)?;
            check(links, &lines, signature)?;
            now.timestamp.as_unix_seconds() < expires
        }
        Resource::Content(name) => {
            let job = api::parameter(head.query, Field::Job)?.unwrap_or_default();
            let lease = api::parameter(head.query, Field::Lease)?.unwrap_or_default();
            let lines = [b"input", name.as_bytes(), job.as_bytes(), lease.as_bytes()];
            let job = Id::parse(Prefix::Job, job).ok_or(MediaProblem::LinkWrong)?;
            let lease = canonical(lease.as_bytes()).ok_or(MediaProblem::LinkWrong)?;
            check(links, &lines, signature)?;
            server.service.is_worked_on(job, Some(lease))
        }
        _ => return Err(otherwise),
    };
    match resource.methods() {
        _ if !is_good => Err(MediaProblem::LinkExpired.into()),
        methods if !methods.has(head.method) => Err(Problem::Method(methods)),
        _ => Ok(Some(resource)),
    }
}

fn check(links: &Links<'_>, lines: &[&[u8]], signature: &str) -> Result<(), Problem> {
    if links.key.fits(lines, signature.as_bytes()) {
        Ok(())
    } else {
        Err(MediaProblem::LinkWrong.into())
    }
}

impl Server<'_> {
    /// Writes the link to a job's output, the same whenever it is asked for. Writes nothing where callers do not reach the server by
    /// any [`links`](crate::server::Config::links).
    pub fn write_output_link(&self, job: Id, out: &mut Out<'_>) {
        let Some(links) = &self.config.links else {
            return;
        };
        let mut memory = [0; 20];
        let mut expires = Out::new(&mut memory);
        let until = job.made_at().after_ms(links.output_ms);
        expires.put_u64(until.as_unix_seconds());
        let name = job.text(Prefix::Job);
        let lines = [b"output", name.as_bytes(), expires.written()];
        out.put(links.base.as_bytes());
        out.put(b"/v1/translations/");
        out.put(name.as_bytes());
        out.put(b"/output?expires=");
        out.put(expires.written());
        out.put(b"&signature=");
        out.put(&links.key.sign(&lines));
    }

    /// The link to the output that a worker brings with its report, if it brings one: callers are told that, whatever it says.
    pub(in crate::server) fn own_output<'m>(
        &self,
        request: &Request<'_>,
        job: Id,
        memory: &'m mut [u8],
    ) -> Result<Option<&'m str>, Problem> {
        if !self.config.media || api::brought(request)?.is_none() {
            return Ok(None);
        }
        let mut out = Out::new(memory);
        self.write_output_link(job, &mut out);
        let len = out.finish().unwrap_or(0);
        let link = memory.get(..len).filter(|link| !link.is_empty());
        Ok(link.and_then(|link| core::str::from_utf8(link).ok()))
    }

    /// Writes where a worker reads the upload that its job is about, if it is about one.
    pub(in crate::server) fn write_input_link(
        &self,
        job: Ix,
        id: Id,
        lease: u32,
        out: &mut Out<'_>,
    ) {
        let Some(links) = &self.config.links else {
            return;
        };
        let mut memory = [0; 64];
        let mut url = Out::new(&mut memory);
        self.service.write_video_url(job, &mut url);
        let url = core::str::from_utf8(url.written()).unwrap_or_default();
        let Some(upload) = url
            .strip_prefix("dubhook:")
            .filter(|name| Id::parse(Prefix::Media, name).is_some())
        else {
            return;
        };
        let mut memory = [0; 20];
        let mut number = Out::new(&mut memory);
        number.put_u64(lease.into());
        let name = id.text(Prefix::Job);
        let lines = [
            b"input",
            upload.as_bytes(),
            name.as_bytes(),
            number.written(),
        ];
        out.put(b",\"input_url\":\"");
        out.put(links.base.as_bytes());
        out.put(b"/v1/uploads/");
        out.put(upload.as_bytes());
        out.put(b"/content?job=");
        out.put(name.as_bytes());
        out.put(b"&lease=");
        out.put(number.written());
        out.put(b"&signature=");
        out.put(&links.key.sign(&lines));
        out.put(b"\"");
    }
}
