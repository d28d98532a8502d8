//! The log of attempts as JSON: the feature `lists`.

use super::Service;
use crate::{
    event::Kind,
    id::Prefix,
    json::{Writer, write_escaped},
    log::Line,
    out::Out,
    slab::Ix,
};

impl Service<'_> {
    /// Writes line number `rank` of an endpoint's attempt log, 0 the newest. `false` where there is
    /// none.
    pub fn write_attempt_line(&self, endpoint: Ix, rank: usize, out: &mut Out<'_>) -> bool {
        let Some((line, answer)) = self.dispatch.attempt_line(endpoint, rank) else {
            return false;
        };
        write_line(line, answer, out);
        true
    }
}

fn write_line(line: &Line, answer: &[u8], out: &mut Out<'_>) {
    let mut json = Writer::new(out);
    json.object()
        .name("at")
        .quoted(|out| line.at.write_rfc3339(out))
        .name("event")
        .quoted(|out| line.event.write(Prefix::Event, out))
        .name("type")
        .string_or_null(Kind::from_u8(line.kind).map(Kind::as_str))
        .name("attempt")
        .u64(line.number.into())
        .name("status");
    match line.status {
        0 => json.null(),
        status => json.u64(status.into()),
    };
    json.name("duration_ms")
        .u64(line.duration_ms.into())
        .name("error")
        .string_or_null(line.error.as_str())
        .name("answer")
        .quoted(|out| write_lossy(answer, out))
        .end_object();
}

/// Writes bytes from outside as text: what is no UTF-8 becomes a question mark.
fn write_lossy(mut bytes: &[u8], out: &mut Out<'_>) {
    while let Err(error) = core::str::from_utf8(bytes) {
        let (text, rest) = bytes
            .split_at_checked(error.valid_up_to())
            .unwrap_or_default();
        write_escaped(out, text);
        out.put_byte(b'?');
        let bad = error.error_len().unwrap_or(rest.len());
        bytes = rest.get(bad..).unwrap_or_default();
    }
    write_escaped(out, bytes);
}
