//! What is written down about a file, beside it: a JSON object.

use super::{contract::NewUpload, names};
use dubhook_core::{
    id::{Id, Prefix},
    json::{self, Value, Writer},
    out::Out,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// The most bytes that a note has: its strings are short, and each letter of them may be escaped.
const BYTES_MAX: usize = 8 * 1_024;

/// A note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) bytes: u64,
    pub(super) created_at_ms: u64,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) sha256: Option<String>,
    /// Under which name an object store knows the parts of it, until they are put together.
    pub(super) parts: Option<String>,
    /// The upload that an output is, where its bytes lie as that.
    pub(super) object: Option<Id>,
    /// The job whose output an upload is becoming.
    pub(super) output_of: Option<Id>,
}

impl Note {
    /// What is written down of an upload that is asked for.
    pub(super) fn of(upload: &NewUpload) -> Self {
        Self {
            bytes: upload.bytes,
            created_at_ms: upload.created_at.as_unix_ms(),
            filename: upload.filename.clone(),
            content_type: upload.content_type.clone(),
            sha256: upload.sha256.as_deref().map(str::to_ascii_lowercase),
            ..Self::default()
        }
    }

    /// The same of what is an output in this language.
    pub(super) fn of_output(self, language: &str) -> Self {
        let name = names::of_output(self.filename, self.content_type.as_deref(), language);
        Self {
            filename: Some(name),
            ..self
        }
    }

    /// Whether this SHA-256 was announced or found, where one is asked for.
    pub(super) fn has(&self, sha256: Option<&str>) -> bool {
        let told = self.sha256.as_deref().unwrap_or_default();
        sha256.is_none_or(|asked| told.eq_ignore_ascii_case(asked))
    }

    /// Reads a note; what is none is as good as not there.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read(path)?;
        Self::parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let object = json::object(text).ok()?;
        let names = [
            "bytes",
            "created_at_ms",
            "filename",
            "content_type",
            "sha256",
            "parts",
            "object",
            "output_of",
        ];
        let found = object.fields(names).ok()?;
        let [
            bytes,
            created,
            filename,
            content_type,
            sha256,
            parts,
            object,
            job,
        ] = found;
        let number = |value| match value {
            Some(Value::Number(number)) => number.as_u64().ok(),
            _ => None,
        };
        let text = |value: Option<Value<'_>>| match value {
            Some(Value::String(text)) => String::from_utf8(text.bytes().collect()).ok(),
            _ => None,
        };
        Some(Self {
            bytes: number(bytes)?,
            created_at_ms: number(created)?,
            filename: text(filename),
            content_type: text(content_type),
            sha256: text(sha256),
            parts: text(parts),
            object: text(object).and_then(|name| Id::parse(Prefix::Media, &name)),
            output_of: text(job).and_then(|name| Id::parse(Prefix::Job, &name)),
        })
    }

    pub(super) fn render(&self) -> Vec<u8> {
        let mut memory = vec![0; BYTES_MAX];
        let mut out = Out::new(&mut memory);
        let mut json = Writer::new(&mut out);
        json.object()
            .name("bytes")
            .u64(self.bytes)
            .name("created_at_ms")
            .u64(self.created_at_ms)
            .name("filename")
            .string_or_null(self.filename.as_deref())
            .name("content_type")
            .string_or_null(self.content_type.as_deref())
            .name("sha256")
            .string_or_null(self.sha256.as_deref());
        if let Some(parts) = &self.parts {
            json.name("parts").string(parts);
        }
        if let Some(id) = self.object {
            json.name("object").string(&id.text(Prefix::Media));
        }
        if let Some(id) = self.output_of {
            json.name("output_of").string(&id.text(Prefix::Job));
        }
        json.end_object();
        out.written().to_vec()
    }

    /// Writes the note in place of what was there: all of it or nothing, whatever happens.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let mut file = File::create(&new)?;
        file.write_all(&self.render())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_folder(path)
    }
}

/// Makes durable which names are in the folder of `path`.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_nothing_else_is() {
        let note = Note {
            bytes: u64::MAX,
            created_at_ms: 7,
            filename: Some("\u{1f600} \"x\"\\../\u{7f}".repeat(10)),
            content_type: None,
            sha256: Some("0".repeat(64)),
            parts: Some("a.b-c_".to_owned()),
            object: Id::parse(Prefix::Media, "med_01m8hmbbfzenp8mfb755000001"),
            output_of: Id::parse(Prefix::Job, "job_01m8hmbbfzenp8mfb755000001"),
        };
        let text = note.render();
        assert_eq!(Note::parse(&text), Some(note));
        for len in 0..text.len() {
            assert_eq!(Note::parse(&text[..len]), None, "{len}");
        }
    }
}
