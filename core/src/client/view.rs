//! What the server says, read strictly: events, jobs, endpoints, problems.
//!
//! Every view borrows from the body that carried it. Members that nobody here asks for may be there;
//! those that are asked for must be what they must be.

use crate::{
    event::Kind,
    id::{Id, Prefix},
    job::Status,
    json::{self, Object, Str, Value},
};

/// Why a body is not what it should be. It is answered with 400 and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Malformed {
    /// It is no JSON object; where it stops being one, and why.
    Json(json::Error),
    /// This member is missing, there twice, or of another type or range.
    Member(&'static str),
    /// The event's type and its job's status contradict each other.
    Contradiction,
}

/// A job as the server tells of it: in the answer to a request, or as the `data` of an event.
#[derive(Debug, Clone, Copy)]
pub struct JobView<'b> {
    /// Which job.
    pub id: Id,
    /// The number of its latest event: what is older has a smaller one.
    pub sequence: u32,
    /// Where it is in its life.
    pub status: Status,
    /// How much is done, 0 to 100.
    pub progress: u8,
    /// All that was told, its strings checked already.
    object: Object<'b>,
}

#[cfg(feature = "defmt")]
impl defmt::Format for JobView<'_> {
    /// Leaves out the object: what answers a submission holds the secret of its callback.
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "JobView {{ id: {}, sequence: {}, status: {}, progress: {} }}",
            self.id,
            self.sequence,
            self.status,
            self.progress
        );
    }
}

impl<'b> JobView<'b> {
    /// Reads a body that is a job.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(body: &'b [u8]) -> Result<Self, Malformed> {
        Self::read(json::object(body).map_err(Malformed::Json)?)
    }

    fn read(object: Object<'b>) -> Result<Self, Malformed> {
        let [id, sequence, status, progress] =
            members(&object, ["id", "sequence", "status", "progress"])?;
        for (value, name) in members(&object, STRINGS)?.into_iter().zip(STRINGS) {
            text(name, value)?;
        }
        let sequence = number("sequence", sequence)?;
        let progress = number("progress", progress)?;
        Ok(Self {
            id: read_id(Prefix::Job, id)?,
            sequence: u32::try_from(sequence)
                .ok()
                .filter(|sequence| *sequence > 0)
                .ok_or(Malformed::Member("sequence"))?,
            status: read_status(status)?,
            progress: u8::try_from(progress)
                .ok()
                .filter(|progress| *progress <= 100)
                .ok_or(Malformed::Member("progress"))?,
            object,
        })
    }

    /// The video.
    #[must_use]
    pub fn video_url(&self) -> Option<Str<'b>> {
        self.string("video_url")
    }

    /// The language it is in, if the asker said so.
    #[must_use]
    pub fn source_language(&self) -> Option<Str<'b>> {
        self.string("source_language")
    }

    /// The language it shall be in.
    #[must_use]
    pub fn target_language(&self) -> Option<Str<'b>> {
        self.string("target_language")
    }

    /// Where the result is, once completed.
    #[must_use]
    pub fn output_url(&self) -> Option<Str<'b>> {
        self.string("output_url")
    }

    /// What went wrong, once failed.
    #[must_use]
    pub fn error(&self) -> Option<Str<'b>> {
        self.string("error")
    }

    /// What the asker calls it.
    #[must_use]
    pub fn reference(&self) -> Option<Str<'b>> {
        self.string("reference")
    }

    /// When it was accepted: RFC 3339.
    #[must_use]
    pub fn created_at(&self) -> Option<Str<'b>> {
        self.string("created_at")
    }

    /// When its latest event was: RFC 3339.
    #[must_use]
    pub fn updated_at(&self) -> Option<Str<'b>> {
        self.string("updated_at")
    }

    fn string(&self, name: &str) -> Option<Str<'b>> {
        match self.object.get(name) {
            Ok(Some(Value::String(text))) => Some(text),
            _ => None,
        }
    }
}

/// The members of a job that are strings or null, where they are there.
const STRINGS: [&str; 8] = [
    "video_url",
    "source_language",
    "target_language",
    "output_url",
    "error",
    "reference",
    "created_at",
    "updated_at",
];

/// The body of a webhook.
#[derive(Debug, Clone, Copy)]
pub(super) enum EventView<'b> {
    /// Something happened to a job.
    Job(Kind, JobView<'b>),
    /// Somebody tests whether the webhook works.
    Test,
    /// Of a type that this version does not know.
    Unknown,
}

impl<'b> EventView<'b> {
    pub(super) fn parse(body: &'b [u8]) -> Result<Self, Malformed> {
        let object = json::object(body).map_err(Malformed::Json)?;
        let [name, data] = members(&object, ["type", "data"])?;
        let name = text("type", name)?.ok_or(Malformed::Member("type"))?;
        let known = Kind::ALL.into_iter().find(|kind| name == kind.as_str());
        match (known, data) {
            (None, _) => Ok(Self::Unknown),
            (Some(Kind::Test), _) => Ok(Self::Test),
            (Some(kind), Some(Value::Object(data))) => {
                let job = JobView::read(data)?;
                if job.status != kind.status() {
                    return Err(Malformed::Contradiction);
                }
                Ok(Self::Job(kind, job))
            }
            (Some(_), _) => Err(Malformed::Member("data")),
        }
    }
}

/// A registered webhook, as far as its owner cares.
#[derive(Debug, Clone, Copy)]
pub(super) struct EndpointView<'b> {
    pub(super) id: Id,
    pub(super) enabled: bool,
    pub(super) disabled_reason: Option<Str<'b>>,
}

impl<'b> EndpointView<'b> {
    pub(super) fn parse(body: &'b [u8]) -> Result<Self, Malformed> {
        let object = json::object(body).map_err(Malformed::Json)?;
        let [id, enabled, reason] = members(&object, ["id", "enabled", "disabled_reason"])?;
        Ok(Self {
            id: read_id(Prefix::Endpoint, id)?,
            enabled: match enabled {
                Some(Value::Bool(enabled)) => enabled,
                _ => return Err(Malformed::Member("enabled")),
            },
            disabled_reason: text("disabled_reason", reason)?,
        })
    }
}

/// Reads the one word of `GET /status`.
pub(super) fn parse_status(body: &[u8]) -> Result<super::Simple, Malformed> {
    let object = json::object(body).map_err(Malformed::Json)?;
    let [status] = members(&object, ["status"])?;
    let status = text("status", status)?.ok_or(Malformed::Member("status"))?;
    super::Simple::ALL
        .into_iter()
        .find(|simple| status == simple.as_str())
        .ok_or(Malformed::Member("status"))
}

/// What a refusal says (RFC 9457), as far as it says it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Problem<'b> {
    /// The stable code, for programs.
    pub code: Option<Str<'b>>,
    /// The sentence, for people.
    pub detail: Option<Str<'b>>,
    /// The member or parameter that is wrong, if it is one.
    pub field: Option<Str<'b>>,
}

impl<'b> Problem<'b> {
    /// Reads what there is to read: a body that is no problem document says nothing.
    #[must_use]
    pub fn parse(body: &'b [u8]) -> Self {
        let member = |object: &Object<'b>, name| match object.get(name) {
            Ok(Some(Value::String(text))) => Some(text),
            _ => None,
        };
        match json::object(body) {
            Ok(object) => Self {
                code: member(&object, "code"),
                detail: member(&object, "detail"),
                field: member(&object, "field"),
            },
            Err(_) => Self::default(),
        }
    }
}

fn members<'b, const N: usize>(
    object: &Object<'b>,
    names: [&'static str; N],
) -> Result<[Option<Value<'b>>; N], Malformed> {
    object.fields(names).map_err(|twice| {
        let name = names.into_iter().find(|name| *name == twice.name);
        Malformed::Member(name.unwrap_or_default())
    })
}

/// A string that may be missing or null.
fn text<'b>(name: &'static str, value: Option<Value<'b>>) -> Result<Option<Str<'b>>, Malformed> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed::Member(name)),
    }
}

fn number(name: &'static str, value: Option<Value<'_>>) -> Result<u64, Malformed> {
    match value {
        Some(Value::Number(number)) => number.as_u64().map_err(|_| Malformed::Member(name)),
        _ => Err(Malformed::Member(name)),
    }
}

fn read_id(prefix: Prefix, value: Option<Value<'_>>) -> Result<Id, Malformed> {
    let mut memory = [0; 30];
    match value {
        Some(Value::String(text)) => text
            .decode_into(&mut memory)
            .and_then(|text| Id::parse(prefix, text))
            .ok_or(Malformed::Member("id")),
        _ => Err(Malformed::Member("id")),
    }
}

fn read_status(value: Option<Value<'_>>) -> Result<Status, Malformed> {
    let status = text("status", value)?.ok_or(Malformed::Member("status"))?;
    Status::ALL
        .into_iter()
        .find(|known| status == known.as_str())
        .ok_or(Malformed::Member("status"))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::{String, ToString};

    const JOB: &str = r#"{"id":"job_00000000000000000000000007","sequence":3,"status":"completed","progress":100,"video_url":"file:///a.mp4","source_language":null,"target_language":"es","output_url":"file:///b.mp4","error":null,"reference":"one \"two\"","created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.123Z"}"#;

    fn event(kind: &str, data: &str) -> String {
        std::format!(r#"{{"type":"{kind}","timestamp":"2026-11-24T09:00:00.123Z","data":{data}}}"#)
    }

    #[test]
    fn a_job_is_read_whole() {
        let job = JobView::parse(JOB.as_bytes()).unwrap();
        assert_eq!(job.id, Id::from_bits(7));
        assert_eq!((job.sequence, job.progress), (3, 100));
        assert_eq!(job.status, Status::Completed);
        assert!(job.output_url().unwrap() == "file:///b.mp4");
        assert!(job.reference().unwrap() == "one \"two\"");
        assert!(job.error().is_none() && job.source_language().is_none());
    }

    #[test]
    fn a_job_must_say_what_counts() {
        #[track_caller]
        fn check(from: &str, to: &str, expect: Malformed) {
            let changed = JOB.replacen(from, to, 1);
            assert_ne!(changed, JOB);
            assert_eq!(JobView::parse(changed.as_bytes()).err(), Some(expect));
        }
        check("\"id\"", "\"di\"", Malformed::Member("id"));
        check("job_0", "job_8", Malformed::Member("id"));
        check("job_0", "ep_00", Malformed::Member("id"));
        check(
            "\"sequence\":3",
            "\"sequence\":0",
            Malformed::Member("sequence"),
        );
        check(
            "\"sequence\":3",
            "\"sequence\":4294967296",
            Malformed::Member("sequence"),
        );
        check(
            "\"sequence\":3",
            "\"sequence\":3,\"sequence\":3",
            Malformed::Member("sequence"),
        );
        check(
            "\"sequence\":3",
            "\"sequence\":\"3\"",
            Malformed::Member("sequence"),
        );
        check("completed", "finished", Malformed::Member("status"));
        check(
            "\"progress\":100",
            "\"progress\":101",
            Malformed::Member("progress"),
        );
        check(
            "\"progress\":100",
            "\"progress\":1e2",
            Malformed::Member("progress"),
        );
        check("\"error\":null", "\"error\":1", Malformed::Member("error"));
        check(
            "\"error\":null",
            "\"error\":null,\"error\":null",
            Malformed::Member("error"),
        );
    }

    #[test]
    fn an_event_agrees_with_its_job() {
        #[track_caller]
        fn check(body: &str, expect: &str) {
            let found = match EventView::parse(body.as_bytes()) {
                Ok(EventView::Job(kind, job)) => std::format!("{} {}", kind.as_str(), job.sequence),
                Ok(EventView::Test) => "test".to_string(),
                Ok(EventView::Unknown) => "unknown".to_string(),
                Err(malformed) => std::format!("{malformed:?}"),
            };
            assert_eq!(found, expect);
        }
        check(
            &event("translation.completed", JOB),
            "translation.completed 3",
        );
        check(&event("translation.error", JOB), "Contradiction");
        check(&event("translation.completed", "[]"), "Member(\"data\")");
        check(r#"{"type":"translation.completed"}"#, "Member(\"data\")");
        check(&event("translation.finished", "7"), "unknown");
        check(&event("webhook.test", r#"{"id":"ep_0"}"#), "test");
        check(r#"{"data":{}}"#, "Member(\"type\")");
        check(r#"{"type":7}"#, "Member(\"type\")");
        check("[]", "Json(Error { offset: 0, kind: NotAnObject })");
    }

    #[test]
    fn a_problem_says_what_it_can() {
        let body =
            br#"{"type":"about:blank","code":"full","detail":"There is no room.","field":3}"#;
        let problem = Problem::parse(body);
        assert!(problem.code.unwrap() == "full");
        assert!(problem.detail.unwrap() == "There is no room.");
        assert!(problem.field.is_none());
        assert!(Problem::parse(b"<html>").code.is_none());
    }
}
