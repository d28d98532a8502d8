//! What the server says, read strictly. The views borrow from the body that carried them.

use super::{Problem, Translation};
use crate::{
    id::{Id, Prefix},
    json::{self, ReadError, Str},
    model::{
        self,
        cell::{
            Cell, Holds,
            Member::{May, Must},
            Said, Word,
        },
        record::{self, Cells, Record, Recorded},
    },
};

/// Reads the body of a webhook: an event of a translation, a test, or a type that this version does not know. The body is
/// its sender's only once its signature is [verified](crate::signature::verify). Texts stay as they stand in the body;
/// [`map`](model::Event::map) makes an event of it that may be kept.
///
/// ```
/// use dubhook_core::{client::read_event, event::Kind, model::Data};
///
/// let body = br#"{"type":"translation.error","timestamp":"2026-11-24T09:00:00.123Z","data":{
///     "id":"job_01kas4ve3qes2rvbqxvxyw0003","sequence":3,"status":"error","progress":40,
///     "video_url":"https://v.test/1.mp4","source_language":null,"target_language":"es",
///     "output_url":null,"error":"no \"sound\"","reference":null,
///     "created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.123Z"}}"#;
/// let event = read_event(body).unwrap();
/// let Data::Translation(Kind::Error, translation) = event.data else { panic!() };
/// assert!(translation.error.unwrap() == "no \"sound\"");
/// ```
///
/// # Errors
///
/// [`ReadError`] says what it is not, and where.
pub fn read_event(body: &[u8]) -> Result<model::Event<Str<'_>>, ReadError> {
    json::from_slice(body)
}

/// Reads what there is to read: a body that is no problem document says nothing.
pub(super) fn read_problem(body: &[u8]) -> Problem<'_> {
    record::from_slice(body).unwrap_or(Problem::NONE)
}

/// A page of the list of translations, newest first. Each is read when it is looked at.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct List<'b> {
    data: json::Array<'b>,
    next_cursor: Option<Str<'b>>,
}

impl<'b> List<'b> {
    /// Reads the answer to `GET /v1/translations`.
    ///
    /// # Errors
    ///
    /// [`ReadError`] says what it is not, and where. What is wrong with a translation shows when that is looked at.
    pub fn read(body: &'b [u8]) -> Result<Self, ReadError> {
        record::from_slice(body)
    }

    /// The translations.
    pub fn translations(
        &self,
    ) -> impl Iterator<Item = Result<Translation<'b>, ReadError>> + use<'b> {
        json::from_array(self.data)
    }

    /// Where the next page begins; none where there is none.
    #[must_use]
    pub const fn next_cursor(&self) -> Option<Str<'b>> {
        self.next_cursor
    }
}

impl<'b> Recorded<'b, Str<'b>> for List<'b> {
    const RECORD: &'static Record = &Record {
        names: &["data", "next_cursor"],
        members: &[Must(Holds::Array), May(Holds::Text)],
    };

    fn from_cells(cells: Cells<'b, Str<'b>>) -> Option<Self> {
        let [Cell::Array(data), next_cursor, ..] = cells else {
            return None;
        };
        Some(Self {
            data,
            next_cursor: next_cursor.text(),
        })
    }
}

/// A registered webhook, as far as its owner cares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Registered<'b> {
    pub(super) id: Id,
    pub(super) enabled: bool,
    pub(super) disabled_reason: Option<Str<'b>>,
}

impl<'b> Recorded<'b, Str<'b>> for Registered<'b> {
    const RECORD: &'static Record = &Record {
        names: &["id", "enabled", "disabled_reason"],
        members: &[
            Must(Holds::Word(Word::Id(Prefix::Endpoint))),
            Must(Holds::Flag),
            May(Holds::Text),
        ],
    };

    fn from_cells(cells: Cells<'b, Str<'b>>) -> Option<Self> {
        let [
            Cell::Said(Said::Id(id)),
            Cell::Flag(enabled),
            disabled_reason,
            ..,
        ] = cells
        else {
            return None;
        };
        Some(Self {
            id,
            enabled,
            disabled_reason: disabled_reason.text(),
        })
    }
}

/// Reads the one word of `GET /status`.
pub(super) fn read_status(body: &[u8]) -> Result<model::NewestStatus, ReadError> {
    record::from_slice::<model::Newest>(body).map(|newest| newest.status)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::{
        client::Translation,
        job::Status,
        json::ReadErrorKind::{self, Missing, Range, Twice, Type},
        model::Data,
    };
    use std::string::{String, ToString};

    const JOB: &str = r#"{"id":"job_00000000000000000000000007","sequence":3,"status":"completed","progress":100,"video_url":"file:///a.mp4","source_language":null,"target_language":"es","output_url":"file:///b.mp4","error":null,"reference":"one \"two\"","created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.123Z"}"#;

    fn event(kind: &str, data: &str) -> String {
        std::format!(r#"{{"type":"{kind}","timestamp":"2026-11-24T09:00:00.123Z","data":{data}}}"#)
    }

    #[test]
    fn a_job_is_read_whole() {
        let job: Translation<'_> = json::from_slice(JOB.as_bytes()).unwrap();
        assert_eq!(job.id, Id::from_bits(7));
        assert_eq!((job.sequence, job.progress), (3, 100));
        assert_eq!(job.status, Status::Completed);
        assert!(job.output_url.unwrap() == "file:///b.mp4");
        assert!(job.reference.unwrap() == "one \"two\"");
        assert!(job.error.is_none() && job.source_language.is_none());
    }

    #[test]
    fn a_job_must_say_what_counts() {
        #[track_caller]
        fn check(from: &str, to: &str, kind: ReadErrorKind, member: &str) {
            let changed = JOB.replacen(from, to, 1);
            assert_ne!(changed, JOB);
            let found = json::from_slice::<Translation<'_>>(changed.as_bytes());
            let error = found.unwrap_err();
            assert_eq!((error.kind, error.member), (kind, Some(member)), "{to}");
        }
        check("\"id\"", "\"di\"", Missing, "id");
        check("job_0", "job_8", Range, "id");
        check("job_0", "ep_00", Range, "id");
        check("\"sequence\":3", "\"sequence\":0", Range, "sequence");
        check(
            "\"sequence\":3",
            "\"sequence\":4294967296",
            Range,
            "sequence",
        );
        check(
            "\"sequence\":3",
            "\"sequence\":3,\"sequence\":3",
            Twice,
            "sequence",
        );
        check("\"sequence\":3", "\"sequence\":\"3\"", Type, "sequence");
        check("completed", "finished", Range, "status");
        check("\"progress\":100", "\"progress\":101", Range, "progress");
        check("\"progress\":100", "\"progress\":1e2", Type, "progress");
        check("\"error\":null", "\"error\":1", Type, "error");
        check(
            "\"error\":null",
            "\"error\":null,\"error\":null",
            Twice,
            "error",
        );
    }

    #[test]
    fn an_event_agrees_with_its_job() {
        #[track_caller]
        fn check(body: &str, expect: &str) {
            let found = match read_event(body.as_bytes()) {
                Ok(event) => match event.data {
                    Data::Translation(kind, job) => {
                        std::format!("{} {}", kind.as_str(), job.sequence)
                    }
                    Data::Test(_) => "test".to_string(),
                    Data::Unknown(_) => "unknown".to_string(),
                },
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expect);
        }
        check(
            &event("translation.completed", JOB),
            "translation.completed 3",
        );
        check(
            &event("translation.error", JOB),
            "a value is out of range at byte 0",
        );
        check(
            &event("translation.completed", "[]"),
            "data: a value is of another type at byte 78",
        );
        check(
            r#"{"type":"translation.completed"}"#,
            "data: a member is missing at byte 0",
        );
        check(&event("translation.finished", "7"), "unknown");
        check(
            &event("webhook.test", r#"{"id":"ep_00000000000000000000000001"}"#),
            "test",
        );
        check(r#"{"data":{}}"#, "type: a member is missing at byte 0");
        check(
            r#"{"type":7}"#,
            "type: a value is of another type at byte 8",
        );
        check("[]", "a value is of another type at byte 0");
    }

    #[test]
    fn a_problem_says_what_it_can() {
        let body =
            br#"{"type":"about:blank","code":"full","detail":"There is no room.","field":3}"#;
        let problem = read_problem(body);
        assert!(problem.code.unwrap() == "full");
        assert!(problem.detail.unwrap() == "There is no room.");
        assert!(problem.field.is_none());
        assert!(read_problem(b"<html>").code.is_none());
    }
}
