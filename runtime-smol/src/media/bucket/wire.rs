//! Calls of an object store: each is signed, sent over a connection that is kept for as long as there are more, and made again
//! where the store is busy.
//!
//! `rusty-s3` signs and reads; what is sent and heard goes through the runtime's own exchange. A signed URL is as good as the key for
//! what it opens, so none is ever logged: what is said of a failure is the call, the status and the store's own code.

use super::place::Place;
use crate::{exchange::Link, tls::Trust};
use async_io::block_on;
use dubhook_core::{
    http::{Method, RequestHead},
    out::Out,
    server::MediaRefusal,
    url::Url,
};
use rusty_s3::{
    Bucket, Credentials, S3Action,
    actions::{
        CompleteMultipartUpload, CompleteMultipartUploadResponse, CreateMultipartUpload,
        ListObjectsV2,
    },
};
use std::{fmt, io, thread, time::Duration};

/// The longest answer that is read: what is longer is asked for in pieces.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// How many bytes of an object are asked for at once, and how many names of a list.
const PIECE_BYTES: usize = 128 << 10;
const NAMES_MAX: usize = 250;
/// How long a signed request of our own may be on its way.
const SIGNED_FOR: Duration = Duration::from_secs(300);
/// How long the store may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pauses before a call is made again.
const PAUSES_MS: [u64; 3] = [200, 1_000, 4_000];
/// The longest URL of a call, which a session's token makes long.
const URL_BYTES_MAX: usize = 8 * 1_024;
/// Room for the head of a call.
const HEAD_BYTES: usize = URL_BYTES_MAX + 1_024;

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is nothing of that name.
    NotFound,
    /// What should not be there is.
    Exists,
    /// It has no bytes there.
    Beyond,
    /// For a reason that whoever runs the server wants to know.
    Other(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("the object store does not have it"),
            Self::Exists => f.write_str("the object store has it already"),
            Self::Beyond => f.write_str("the object store has no such bytes"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<Fault> for MediaRefusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotFound => Self::NotFound,
            Fault::Exists => Self::Busy,
            Fault::Beyond => Self::Broken,
            Fault::Other(why) => {
                tracing::warn!(%why, "the object store cannot be read or written");
                Self::Broken
            }
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::other(fault.to_string())
    }
}

/// What a call was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    etag: Option<String>,
    length: Option<u64>,
    checksum: Option<String>,
    body: Vec<u8>,
}

/// What the store says of an object.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) bytes: u64,
    /// The SHA-256 that was checked when it came, in Base64.
    pub(super) checksum: Option<String>,
}

/// A part that has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) bytes: u64,
    /// Its tag; nothing where the store lists none, and then asks for none.
    pub(super) tag: String,
}

/// An object in a list, and how many bytes it has.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) bytes: u64,
}

/// A connection to the store for some calls, one after the other.
#[derive(Debug)]
pub(super) struct Session<'p> {
    place: &'p Place,
    link: Link<'p>,
}

impl<'p> Session<'p> {
    pub(super) fn new(place: &'p Place, trust: &Trust) -> Result<Self, Fault> {
        let url = Url::parse(&place.origin, URL_BYTES_MAX);
        let url = url.map_err(|error| Fault::Other(error.as_str().to_owned()))?;
        let link = Link::new(url, trust.clone(), ANSWER_BYTES_MAX).patience(PATIENCE);
        Ok(Self { place, link })
    }

    fn bucket(&self) -> &'p Bucket {
        &self.place.bucket
    }

    fn credentials(&self) -> Option<&'p Credentials> {
        Some(&self.place.credentials.0)
    }

    /// Makes a call until it is answered with what is no passing failure.
    fn call<'a>(
        &mut self,
        what: &'static str,
        method: Method,
        action: &impl S3Action<'a>,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Fault> {
        let mut pauses = PAUSES_MS.iter();
        loop {
            let url = action.sign(SIGNED_FOR);
            let failed = match self.once(method, url.as_str(), fields, body) {
                Ok(answer) if matches!(answer.status, 429 | 500..) => {
                    let code = code(&answer.body);
                    format!("{what}: {} {code}", answer.status)
                }
                Ok(answer) => return judged(what, answer),
                Err(error) => format!("{what}: {error}"),
            };
            match pauses.next() {
                Some(ms) => thread::sleep(Duration::from_millis(*ms)),
                None => return Err(Fault::Other(failed)),
            }
        }
    }

    fn once(
        &mut self,
        method: Method,
        url: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let bad = |error: &str| io::Error::new(io::ErrorKind::InvalidInput, error);
        let url = Url::parse(url, URL_BYTES_MAX).map_err(|error| bad(error.as_str()))?;
        let mut request = vec![0; HEAD_BYTES];
        let mut out = Out::new(&mut request);
        let mut head = RequestHead::to(&mut out, method, &url);
        for (name, value) in fields {
            head = head.field(name, value.as_bytes());
        }
        let written = head.finish_with_length(body.len());
        written.map_err(|_| bad("its head is too long"))?;
        let len = out.len();
        request.truncate(len);
        request.extend(body);
        let answer = block_on(self.link.exchange(method, &request))?;
        let text = |name| {
            let value = answer.fields.get(name)?;
            str::from_utf8(value).ok().map(str::to_owned)
        };
        Ok(Answer {
            status: answer.status,
            etag: text("etag"),
            checksum: text("x-amz-checksum-sha256"),
            length: text("content-length").and_then(|length| length.parse().ok()),
            body: answer.body.to_vec(),
        })
    }

    /// The bytes of an object, if they are no more than so many.
    pub(super) fn get(&mut self, key: &str, bytes_max: u64) -> Result<Vec<u8>, Fault> {
        let action = self.bucket().get_object(self.credentials(), key);
        let mut bytes = Vec::new();
        loop {
            let range = format!("bytes={}-{}", bytes.len(), bytes.len() + PIECE_BYTES - 1);
            let fields = [("range", range.as_str())];
            let answer = match self.call("GetObject", Method::Get, &action, &fields, b"") {
                // It ends there.
                Err(Fault::Beyond) => return Ok(bytes),
                answer => answer?,
            };
            let is_last = answer.status == 200 || answer.body.len() < PIECE_BYTES;
            bytes.extend(answer.body);
            if bytes.len() as u64 > bytes_max {
                return Err(Fault::Other("GetObject: it is too long".to_owned()));
            }
            if is_last {
                return Ok(bytes);
            }
        }
    }

    /// Writes a small object in place of what was there.
    pub(super) fn put(&mut self, key: &str, bytes: &[u8]) -> Result<(), Fault> {
        let action = self.bucket().put_object(self.credentials(), key);
        self.call("PutObject", Method::Put, &action, &[], bytes)?;
        Ok(())
    }

    /// Writes a small object where there is none.
    pub(super) fn put_new(&mut self, key: &str, bytes: &[u8]) -> Result<(), Fault> {
        let mut action = self.bucket().put_object(self.credentials(), key);
        action.headers_mut().insert("if-none-match", "*");
        let fields = [("if-none-match", "*")];
        self.call("PutObject", Method::Put, &action, &fields, bytes)?;
        Ok(())
    }

    /// What there is to know of an object.
    pub(super) fn head(&mut self, key: &str) -> Result<Head, Fault> {
        let mut action = self.bucket().head_object(self.credentials(), key);
        let mode = ("x-amz-checksum-mode", "ENABLED");
        action.headers_mut().insert(mode.0, mode.1);
        let answer = self.call("HeadObject", Method::Head, &action, &[mode], b"")?;
        let none = || Fault::Other("HeadObject: it does not say a length".to_owned());
        Ok(Head {
            bytes: answer.length.ok_or_else(none)?,
            checksum: answer.checksum,
        })
    }

    /// Removes an object, if it is there.
    pub(super) fn delete(&mut self, key: &str) -> Result<(), Fault> {
        let action = self.bucket().delete_object(self.credentials(), key);
        match self.call("DeleteObject", Method::Delete, &action, &[], b"") {
            Ok(_) | Err(Fault::NotFound) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// All objects whose names begin so.
    pub(super) fn list(&mut self, prefix: &str) -> Result<Vec<Listed>, Fault> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut action = self.bucket().list_objects_v2(self.credentials());
            action.with_prefix(prefix.to_owned());
            action.with_max_keys(NAMES_MAX);
            if let Some(token) = token.take() {
                action.with_continuation_token(token);
            }
            let answer = self.call("ListObjectsV2", Method::Get, &action, &[], b"")?;
            let page = ListObjectsV2::parse_response(&text(answer.body)?).map_err(unread)?;
            // Names of ours hold nothing that is written otherwise in a list.
            all.extend(page.contents.into_iter().map(|object| Listed {
                key: object.key,
                bytes: object.size.unwrap_or(0),
            }));
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// Begins an object in parts. Returns the name under which they are known.
    pub(super) fn begin_parts(&mut self, key: &str) -> Result<String, Fault> {
        let action = self
            .bucket()
            .create_multipart_upload(self.credentials(), key);
        let answer = self.call("CreateMultipartUpload", Method::Post, &action, &[], b"")?;
        let begun = CreateMultipartUpload::parse_response(&text(answer.body)?).map_err(unread)?;
        Ok(begun.upload_id().to_owned())
    }

    /// The parts that have come, in their order: as many as one list names.
    pub(super) fn parts(&mut self, key: &str, id: &str) -> Result<Vec<Part>, Fault> {
        let action = self.bucket().list_parts(self.credentials(), key, id);
        let answer = self.call("ListParts", Method::Get, &action, &[], b"")?;
        Ok(listed(&text(answer.body)?))
    }

    /// Sends a part. Returns its tag.
    pub(super) fn put_part(
        &mut self,
        key: &str,
        id: &str,
        number: u16,
        bytes: &[u8],
    ) -> Result<String, Fault> {
        let action = self
            .bucket()
            .upload_part(self.credentials(), key, number, id);
        let answer = self.call("UploadPart", Method::Put, &action, &[], bytes)?;
        let none = || Fault::Other("UploadPart: it does not say a tag".to_owned());
        answer.etag.ok_or_else(none)
    }

    /// Makes the object of its parts.
    pub(super) fn end_parts(&mut self, key: &str, id: &str, tags: &[String]) -> Result<(), Fault> {
        let tags = tags.iter().map(String::as_str);
        let action = CompleteMultipartUpload::new(self.bucket(), self.credentials(), key, id, tags);
        let body = action.clone().body();
        let fields = [("content-type", "application/xml")];
        let what = "CompleteMultipartUpload";
        let answer = self.call(what, Method::Post, &action, &fields, body.as_bytes())?;
        // It may say 200 before it knows, and fail in the body.
        let text = text(answer.body)?;
        match CompleteMultipartUploadResponse::parse(text.trim_start()) {
            Ok(_) => Ok(()),
            Err(_) => Err(Fault::Other(format!("{what}: {}", code(text.as_bytes())))),
        }
    }

    /// Gives parts up, if they are there.
    pub(super) fn drop_parts(&mut self, key: &str, id: &str) -> Result<(), Fault> {
        let action = self
            .bucket()
            .abort_multipart_upload(self.credentials(), key, id);
        match self.call("AbortMultipartUpload", Method::Delete, &action, &[], b"") {
            Ok(_) | Err(Fault::NotFound) => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

/// An answer that is one, or what is wrong.
fn judged(what: &str, answer: Answer) -> Result<Answer, Fault> {
    match answer.status {
        200..=299 => Ok(answer),
        404 => Err(Fault::NotFound),
        409 | 412 => Err(Fault::Exists),
        416 => Err(Fault::Beyond),
        status => {
            let code = code(&answer.body);
            Err(Fault::Other(format!("{what}: {status} {code}")))
        }
    }
}

/// The parts that a list names, in their order. Read by hand: stores differ in what they leave out of it.
fn listed(list: &str) -> Vec<Part> {
    let inside = |part: &str, name: &str| {
        let (_, rest) = part.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        Some(text.replace("&quot;", "\"").replace("&#34;", "\""))
    };
    let number = |part: &str, name| inside(part, name)?.trim().parse().ok();
    let part = |part: &str| {
        Some(Part {
            number: number(part, "PartNumber")?,
            bytes: number(part, "Size")?,
            tag: inside(part, "ETag").unwrap_or_default(),
        })
    };
    let mut parts: Vec<_> = list.split("<Part>").skip(1).filter_map(part).collect();
    parts.sort_unstable_by_key(|part| part.number);
    parts
}

/// The code of an error, as the store says it: letters alone, and nothing of what was sent.
fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split("<Code>").nth(1).unwrap_or_default();
    let code = code.split('<').next().unwrap_or_default();
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(64)
        .collect()
}

fn text(body: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(body).map_err(|_| Fault::Other("its answer is no text".to_owned()))
}

fn unread(error: impl fmt::Display) -> Fault {
    Fault::Other(format!("its answer cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_from_whatever_list_a_store_makes() {
        let amazon = "<?xml version=\"1.0\"?>\n<ListPartsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>\
            <Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag><Size>7</Size></Part>\
            <Part><ETag>\"b\"</ETag><Size>2</Size><PartNumber>2</PartNumber></Part></ListPartsResult>";
        let part = |number, bytes, tag: &str| Part {
            number,
            bytes,
            tag: tag.to_owned(),
        };
        assert_eq!(listed(amazon), [part(1, 7, "\"a\""), part(2, 2, "\"b\"")]);
        let sparse = "<ListPartsResult><Part><Size>2</Size><PartNumber>2</PartNumber></Part>\
            <Part><PartNumber>1</PartNumber><Size>7</Size></Part><Part></Part></ListPartsResult>";
        assert_eq!(listed(sparse), [part(1, 7, ""), part(2, 2, "")]);
        assert_eq!(listed(""), []);
    }

    #[test]
    fn of_an_error_the_code_alone_is_said() {
        let body = b"<Error><Code>AccessDenied</Code><Message>AKIAEXAMPLE</Message></Error>";
        assert_eq!(code(body), "AccessDenied");
        assert_eq!(code(b"<Code>a b\nc<"), "abc");
        assert_eq!(code(b""), "");
    }
}
