//! What both roles share of reading a head: its lines, their limits, and the fields that say where
//! the message ends and whether another one may follow.

use super::fields::{Fields, Known, Names};
use super::grammar::{LineEnd, decimal, find_line_end, is_token, members};
use super::refusal::Refusal;
use super::{Limits, Version};

/// How far a head was read, and what its fields said. All zero is the start.
///
/// Positions count from the message's first byte and fit into 16 bits, because no head may be
/// longer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Up to here there is no end of a line.
    scanned: u16,
    /// Where the current line starts; after the head, where the body does.
    line_start: u16,
    fields_start: u16,
    fields_end: u16,
    fields_count: u16,
    /// The value of `Content-Length`, or the largest there is.
    content_length: u32,
    /// The same, of bodies that are never held as a whole.
    #[cfg(feature = "media")]
    length: u64,
    has_content_length: bool,
    has_transfer_encoding: bool,
    has_close: bool,
    has_keep_alive: bool,
    /// What the fields are called.
    names: Names,
}

/// Where a body ends (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u32),
    /// After its last chunk.
    Chunked,
    /// With the connection. Only a response can say so.
    Close,
}

impl Head {
    pub(super) const fn new() -> Self {
        Self {
            scanned: 0,
            line_start: 0,
            fields_start: 0,
            fields_end: 0,
            fields_count: 0,
            content_length: 0,
            #[cfg(feature = "media")]
            length: 0,
            has_content_length: false,
            has_transfer_encoding: false,
            has_close: false,
            has_keep_alive: false,
            names: Names::NONE,
        }
    }

    /// The bytes that the head may take: as many as allowed, and no more than fit.
    pub(super) fn window(limits: &Limits, capacity: usize) -> usize {
        limits
            .head_bytes_max
            .min(capacity)
            .min(usize::from(u16::MAX))
    }

    /// The next line without its CRLF, if all of it is there. Goes on where it stopped the time
    /// before.
    ///
    /// `bytes` is never longer than [`window`](Self::window).
    pub(super) fn next_line<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, Refusal> {
        match find_line_end(bytes, usize::from(self.scanned))? {
            LineEnd::Beyond(scanned) => {
                self.scanned = scanned as u16;
                Ok(None)
            }
            LineEnd::At(end) => {
                let line = bytes
                    .get(usize::from(self.line_start)..end)
                    .unwrap_or_default();
                self.scanned = end.saturating_add(2) as u16;
                self.line_start = self.scanned;
                Ok(Some(line))
            }
        }
    }

    /// Whether nothing but empty lines was seen before the start line.
    pub(super) const fn is_untouched(&self) -> bool {
        self.scanned == self.line_start
    }

    /// Where the current line starts.
    pub(super) const fn line_start(&self) -> u16 {
        self.line_start
    }

    /// The line just taken was the start line: what follows are fields.
    pub(super) const fn begin_fields(&mut self) {
        self.fields_start = self.line_start;
    }

    /// The line just taken was the empty one: the head is whole.
    pub(super) const fn end_fields(&mut self) {
        self.fields_end = self.line_start.saturating_sub(2);
    }

    /// The length of the whole head in bytes, its empty line included.
    pub(super) fn len(&self) -> usize {
        usize::from(self.line_start)
    }

    pub(super) fn fields<'b>(&self, filled: &'b [u8]) -> Fields<'b> {
        let lines = usize::from(self.fields_start)..usize::from(self.fields_end);
        Fields::new(filled.get(lines).unwrap_or_default(), self.names)
    }

    /// Notes what a field is called, so that it is found.
    pub(super) fn note(&mut self, name: &[u8]) {
        self.names.add(name);
    }

    /// Counts one more field.
    pub(super) const fn count_field(&mut self, limits: &Limits) -> Result<(), Refusal> {
        if self.fields_count >= limits.fields_max {
            return Err(Refusal::TooManyFields);
        }
        self.fields_count = self.fields_count.saturating_add(1);
        Ok(())
    }

    /// Takes in a field that says where the message ends, or whether the connection goes on.
    pub(super) fn field(&mut self, known: Known, value: &[u8]) -> Result<(), Refusal> {
        match known {
            Known::ContentLength => self.content_length(value),
            Known::TransferEncoding => self.transfer_encoding(value),
            Known::Connection => {
                self.connection(value);
                Ok(())
            }
            Known::ContentType | Known::Expect | Known::Host => Ok(()),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let length = decimal(value).ok_or(Refusal::BadContentLength)?;
        if self.has_content_length {
            return Err(Refusal::ContentLengthRepeated);
        }
        self.has_content_length = true;
        self.content_length = u32::try_from(length).unwrap_or(u32::MAX);
        #[cfg(feature = "media")]
        {
            self.length = length;
        }
        Ok(())
    }

    /// Takes `chunked`, once, and nothing else. RFC 9110, section 5.6.1.2, would have empty list
    /// members ignored; recipients disagree on them, and a disagreement about framing is a hole.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.has_transfer_encoding {
            return Err(Refusal::BadTransferEncoding);
        }
        self.has_transfer_encoding = true;
        if value.eq_ignore_ascii_case(b"chunked") {
            return Ok(());
        }
        let mut is_chunked = false;
        for coding in members(value) {
            // What follows `chunked` is a mistake, and so is what is no coding.
            if is_chunked || !is_token(coding) {
                return Err(Refusal::BadTransferEncoding);
            }
            is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        }
        Err(if is_chunked {
            Refusal::TransferEncodingNotSupported
        } else {
            Refusal::BadTransferEncoding
        })
    }

    fn connection(&mut self, value: &[u8]) {
        for option in members(value) {
            self.has_close |= option.eq_ignore_ascii_case(b"close");
            self.has_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Whether there is a field that frames a body.
    pub(super) const fn has_framing(&self) -> bool {
        self.has_content_length || self.has_transfer_encoding
    }

    /// Whether a `Content-Length` other than 0, or any `Transfer-Encoding`, announces a body.
    pub(super) const fn announces_body(&self) -> bool {
        self.has_transfer_encoding || self.content_length > 0
    }

    /// Where the body ends, or `without` if no field says so.
    pub(super) fn framing(&self, version: Version, without: Framing) -> Result<Framing, Refusal> {
        match (self.has_transfer_encoding, self.has_content_length) {
            (true, true) => Err(Refusal::LengthAndTransferEncoding),
            // RFC 9112, section 6.1: treat a message of version 1.0 as if its framing were faulty.
            (true, false) if version == Version::V10 => Err(Refusal::BadTransferEncoding),
            (true, false) => Ok(Framing::Chunked),
            (false, true) => Ok(Framing::Length(self.content_length)),
            (false, false) => Ok(without),
        }
    }

    /// How long the body is; 0 where no field says so.
    #[cfg(feature = "media")]
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Whether the connection goes on after this message (RFC 9112, section 9.3).
    pub(super) const fn keep_alive(&self, version: Version) -> bool {
        match version {
            Version::V11 => !self.has_close,
            Version::V10 => self.has_keep_alive && !self.has_close,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &[(Known, &str)], expect: Result<Framing, Refusal>) {
        let mut head = Head::new();
        let result = fields
            .iter()
            .try_for_each(|(known, value)| head.field(*known, value.as_bytes()))
            .and_then(|()| head.framing(Version::V11, Framing::Close));
        assert_eq!(result, expect, "{fields:?}");
    }

    #[test]
    fn framing_is_unambiguous_or_refused() {
        use Known::{ContentLength as CL, TransferEncoding as TE};
        check(&[], Ok(Framing::Close));
        check(&[(CL, "7")], Ok(Framing::Length(7)));
        check(&[(CL, "4294967301")], Ok(Framing::Length(u32::MAX)));
        check(&[(CL, "7"), (CL, "7")], Err(Refusal::ContentLengthRepeated));
        check(&[(CL, "7, 7")], Err(Refusal::BadContentLength));
        check(&[(CL, "+7")], Err(Refusal::BadContentLength));
        check(&[(CL, "")], Err(Refusal::BadContentLength));
        check(&[(TE, "Chunked")], Ok(Framing::Chunked));
        check(
            &[(TE, "chunked"), (CL, "7")],
            Err(Refusal::LengthAndTransferEncoding),
        );
        check(
            &[(TE, "gzip, chunked")],
            Err(Refusal::TransferEncodingNotSupported),
        );
        for bad in [
            "",
            ",",
            "identity",
            "chunked,",
            ", chunked",
            "chunked, gzip",
            "chunked, chunked",
            "\"chunked\"",
            "chunked;q=1",
            "x y, chunked",
        ] {
            check(&[(TE, bad)], Err(Refusal::BadTransferEncoding));
        }
        check(
            &[(TE, "chunked"), (TE, "chunked")],
            Err(Refusal::BadTransferEncoding),
        );
    }

    #[test]
    fn version_1_0_knows_no_transfer_encoding() {
        let mut head = Head::new();
        assert_eq!(head.field(Known::TransferEncoding, b"chunked"), Ok(()));
        assert_eq!(
            head.framing(Version::V10, Framing::Close),
            Err(Refusal::BadTransferEncoding)
        );
    }

    #[test]
    fn connections_go_on_as_the_version_and_the_options_say() {
        let check = |version, value: &str, expect| {
            let mut head = Head::new();
            head.connection(value.as_bytes());
            assert_eq!(head.keep_alive(version), expect, "{version:?} {value}");
        };
        check(Version::V11, "", true);
        check(Version::V11, "Upgrade, CLOSE", false);
        check(Version::V11, "notclose, close-not", true);
        check(Version::V10, "", false);
        check(Version::V10, "Keep-Alive", true);
        check(Version::V10, "keep-alive, close", false);
    }
}
