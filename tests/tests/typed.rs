//! Typed values: what the server renders by hand is what a serializer makes of the model, byte for byte; and what is read
//! into a type is right, or an error that says where.

use dubhook_core::{
    event::{Filter, Kind},
    id::Id,
    job::Status,
    json::{self, ReadError, ReadErrorKind, Str},
    model::{
        Attempt, Attempts, Claim, Data, Event, NewTranslation, NewWebhook, Page, Problem,
        Redelivery,
    },
    model::{Sensitive, Translation, Webhook},
    service::Report,
    time::Timestamp,
};
use dubhook_tests::machine::Machine;
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// Reads a body into a type. Returns that and what a serializer of others makes of it; our own makes the body of it again.
#[track_caller]
fn again<T: DeserializeOwned + Serialize>(body: &str) -> (T, String) {
    let mut memory = vec![0; body.len()];
    let value: T = read(body, &mut memory).unwrap_or_else(|error| panic!("{error}: {body}"));
    let mut written = vec![0; 2 * body.len() + 64];
    let len = json::to_slice(&value, &mut written).unwrap();
    assert_eq!(str::from_utf8(&written[..len]).unwrap(), body);
    let len = serde_json_core::to_slice(&value, &mut written).unwrap();
    written.truncate(len);
    (value, canonical(String::from_utf8(written).unwrap()))
}

fn read<'a, T: Deserialize<'a>>(body: &'a str, memory: &'a mut [u8]) -> Result<T, ReadError> {
    json::from_slice_in(body.as_bytes(), memory)
}

/// The other serializer writes the digits of `\u001F` large; RFC 8785, section 3.2.2.2, wants them small.
fn canonical(mut text: String) -> String {
    for code in (0u8..0x20).filter(|code| code & 0xf > 9) {
        text = text.replace(&format!("\\u{code:04X}"), &format!("\\u{code:04x}"));
    }
    text
}

/// A request on the machine, and the answer's status and body as they are.
fn call(machine: &mut Machine, method: &str, path: &str, body: &str) -> (u16, String) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = machine.exchange(request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn post(machine: &mut Machine, path: &str, body: &impl Serialize) -> (u16, String) {
    let body = serde_json::to_string(body).unwrap();
    call(machine, "POST", path, &body)
}

/// No longer than a device takes.
fn text() -> impl Strategy<Value = String> {
    let any = proptest::collection::vec(any::<char>(), 0..12);
    prop_oneof![
        any.prop_map(|chars| chars.into_iter().collect()),
        "[ -~\u{0}-\u{1f}é😀\"\\\\]{0,24}",
    ]
    .prop_map(|mut text: String| {
        text.truncate(text.floor_char_boundary(32));
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_rendered_is_what_a_serializer_makes_of_the_model(
        reference in proptest::option::of(text()),
        description in text(),
        why in text(),
        source in proptest::option::of(Just("en".to_owned())),
        ending in 0..3u8,
        progress in 0..=100u8,
        callback in any::<bool>(),
    ) {
        let mut machine = Machine::volatile(7);
        let new = NewWebhook {
            events: Some(Filter::TRANSLATION),
            description: Some(description.clone()),
            ..NewWebhook::new("http://127.0.0.1:3120/hook?a=1".to_owned())
        };
        let (status, answer) = post(&mut machine, "/v1/webhooks", &new);
        prop_assert_eq!(status, 201);
        let (webhook, written) = again::<Webhook<String>>(&answer);
        prop_assert_eq!(&written, &answer);
        prop_assert_eq!(&webhook.description, &description);
        prop_assert!(webhook.enabled && webhook.secret.is_some());
        let (_, list) = call(&mut machine, "GET", "/v1/webhooks", "");
        let (page, written) = again::<Page<Vec<Webhook<String>>, String>>(&list);
        prop_assert_eq!(written, list);
        prop_assert_eq!(page.data.len(), 1);

        let callback = callback.then(|| "http://127.0.0.1:3121/".to_owned());
        let new = NewTranslation {
            source_language: source,
            reference: reference.clone(),
            callback_url: callback.clone(),
            ..NewTranslation::new("https://v.test/1.mp4".to_owned(), "es".to_owned())
        };
        let (status, answer) = post(&mut machine, "/v1/translations", &new);
        prop_assert_eq!(status, 202);
        let (accepted, written) = again::<Translation<String>>(&answer);
        prop_assert_eq!(&written, &answer);
        prop_assert_eq!(&accepted.reference, &reference);
        prop_assert_eq!(accepted.callback_secret.is_some(), callback.is_some());

        let id = machine.start_job().unwrap();
        prop_assert_eq!(id, accepted.id);
        machine.report(id, Report::Progress(progress));
        match ending {
            0 => machine.report(id, Report::Completed("https://v.test/1.es.mp4")),
            1 => machine.report(id, Report::Failed(&why)),
            _ => {}
        }
        let mut kinds = Vec::new();
        while let Some((attempt, request)) = machine.attempt() {
            let (_, body) = request.split_once("\r\n\r\n").unwrap();
            let (event, written) = again::<Event<String>>(body);
            prop_assert_eq!(&written, body);
            let Data::Translation(kind, translation) = event.data else { panic!("{body}") };
            prop_assert_eq!(translation.updated_at, event.timestamp);
            prop_assert_eq!(kind.status(), translation.status);
            prop_assert_eq!(&translation.reference, &reference);
            if kind == Kind::Error {
                prop_assert_eq!(translation.error.as_ref(), Some(&why));
            }
            kinds.push(kind);
            machine.settle(&attempt, 500);
        }
        prop_assert!(kinds.contains(&Kind::Pending));

        let path = format!("/v1/translations/{}", accepted.name());
        let (_, answer) = call(&mut machine, "GET", &path, "");
        prop_assert_eq!(again::<Translation<String>>(&answer).1, answer);
        let (_, list) = call(&mut machine, "GET", "/v1/translations?limit=1", "");
        prop_assert_eq!(again::<Page<Vec<Translation<String>>, String>>(&list).1, list);
        let path = format!("/v1/webhooks/{}", webhook.name());
        let (_, lines) = call(&mut machine, "GET", &format!("{path}/attempts"), "");
        let (attempts, written) = again::<Attempts<Vec<Attempt<String>>>>(&lines);
        prop_assert_eq!(written, lines);
        prop_assert_eq!(attempts.data[0].status, Some(500));
        let (status, _) = call(&mut machine, "POST", &format!("{path}/test"), "");
        prop_assert_eq!(status, 202);
    }

    #[test]
    fn what_serde_json_reads_is_read_the_same(texts in proptest::collection::vec(text(), 0..6), numbers in proptest::collection::vec(any::<i64>(), 0..4)) {
        let map: BTreeMap<String, (String, Option<i64>)> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| (text.clone(), (text.to_uppercase(), numbers.get(at).copied())))
            .collect();
        let body = serde_json::to_string_pretty(&map).unwrap();
        let mut memory = vec![0; body.len()];
        let found: BTreeMap<&str, (&str, Option<i64>)> = read(&body, &mut memory).unwrap();
        let found: BTreeMap<_, _> = found
            .iter()
            .map(|(name, (text, number))| ((*name).to_owned(), ((*text).to_owned(), *number)))
            .collect();
        prop_assert_eq!(&found, &map);
        let mut memory = vec![0; body.len()];
        let found: serde_json::Value = read(&body, &mut memory).unwrap();
        prop_assert_eq!(found, serde_json::to_value(&map).unwrap());
    }
}

const EVENT: &str = r#"{"type":"translation.completed","timestamp":"2026-11-24T09:00:00.123Z","data":{"id":"job_00000000000000000000000007","sequence":3,"status":"completed","progress":100,"video_url":"file:///a.mp4","source_language":null,"target_language":"es","output_url":"file:///b.mp4","error":null,"reference":"one \"two\"","created_at":"2026-11-24T08:59:00.000Z","updated_at":"2026-11-24T09:00:00.123Z"}}"#;

#[test]
fn the_order_of_members_does_not_matter() {
    let whole: serde_json::Value = serde_json::from_str(EVENT).unwrap();
    // Sorted by name: the data before the type, and each member of it elsewhere.
    let sorted = whole.to_string();
    assert!(sorted.find("\"data\"") < sorted.find("\"type\""));
    let ours: Event<Str<'_>> = json::from_slice(EVENT.as_bytes()).unwrap();
    let again: Event<Str<'_>> = json::from_slice(sorted.as_bytes()).unwrap();
    assert_eq!(again, ours);
    assert!(ours.translation().unwrap().reference.unwrap() == "one \"two\"");
    // A format that cannot look for the type says what is wrong; where the type wants nothing of the data, nothing is.
    let error = serde_json::from_value::<Event<String>>(whole).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the data of an event stands before its type"
    );
    let missing = serde_json::from_str::<Event<String>>(r#"{"data":{}}"#).unwrap_err();
    assert!(missing.to_string().starts_with("missing field `type`"));
    let unknown = r#"{"data":7,"type":"door.opened","timestamp":"2026-11-24T09:00:00Z"}"#;
    let unknown: Event<String> = serde_json::from_str(unknown).unwrap();
    assert_eq!(unknown.data, Data::Unknown("door.opened".to_owned()));
    let escaped = EVENT
        .replacen("completed", r"complet\u0065d", 1)
        .replacen("\"id\"", r#""\u0069d""#, 1)
        .replacen("job_", r"j\u006fb_", 1)
        .replacen("2026", r"\u00320\u00326", 1);
    assert_eq!(
        json::from_slice::<Event<Str<'_>>>(escaped.as_bytes()),
        Ok(ours)
    );
}

#[test]
fn texts_are_what_their_owner_wants_them_to_be() {
    let mut memory = [0; 64];
    let lent: Event<&str> = read(EVENT, &mut memory).unwrap();
    assert_eq!(lent.translation().unwrap().reference, Some("one \"two\""));
    let mut memory = [0; 64];
    let kept: Event<heapless::String<32>> = read(EVENT, &mut memory).unwrap();
    assert_eq!(kept.translation().unwrap().video_url, "file:///a.mp4");
    let mut memory = [0; 64];
    let short = read::<Event<heapless::String<12>>>(EVENT, &mut memory).unwrap_err();
    assert_eq!(
        (short.kind, short.member),
        (ReadErrorKind::Range, Some("video_url"))
    );
    // Where there is a heap, serde_json reads it as well.
    let theirs: Event<String> = serde_json::from_str(EVENT).unwrap();
    let mut memory = [0; 64];
    assert_eq!(
        read::<Event<String>>(EVENT, &mut memory).as_ref(),
        Ok(&theirs)
    );
    // What stays as it stands can be owned later.
    let standing: Event<Str<'_>> = json::from_slice(EVENT.as_bytes()).unwrap();
    assert_eq!(standing.map(|text| text.to_string()), theirs);
    let kept = standing.map(|text| text.to_text::<32>().unwrap());
    assert_eq!(kept.translation().unwrap().video_url, "file:///a.mp4");
}

#[test]
fn a_string_is_written_as_what_it_means() {
    #[track_caller]
    fn check(document: &str, expect: &str) {
        let text: Str<'_> = json::from_slice(document.as_bytes()).unwrap();
        assert_eq!(text.to_string(), expect);
        let fits = text.to_text::<8>();
        assert_eq!(fits.as_deref(), (expect.len() <= 8).then_some(expect));
    }
    check(r#""""#, "");
    check(r#""plain""#, "plain");
    check(r#""\u0061\n\"\\""#, "a\n\"\\");
    check(r#""\u00e9é\u20ac€""#, "éé€€");
    check(r#""\ud83d\ude00x😀""#, "😀x😀");
    check(r#""\u0000\ud83d\ude00""#, "\0😀");
}

#[test]
fn types_that_nobody_knows_can_be_told_apart() {
    let body =
        r#"{"type":"translation.archived","timestamp":"2026-11-24T09:00:00Z","data":[7,{}]}"#;
    let event: Event<&str> = json::from_slice(body.as_bytes()).unwrap();
    assert_eq!(event.data, Data::Unknown("translation.archived"));
    let body = r#"{"type":"webhook.test","timestamp":"2026-11-24T09:00:00Z","data":{"id":"ep_00000000000000000000000001"}}"#;
    let event: Event<&str> = json::from_slice(body.as_bytes()).unwrap();
    assert_eq!(event.data, Data::Test(Id::from_bits(1)));
}

#[test]
fn an_error_says_what_and_where() {
    use ReadErrorKind::{Missing, Range, Twice, Type};

    #[track_caller]
    fn check(from: &str, to: &str, kind: ReadErrorKind, member: Option<&str>, at: &str) {
        let body = EVENT.replacen(from, to, 1);
        assert_ne!(body, EVENT);
        let error = json::from_slice::<Event<Str<'_>>>(body.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.member), (kind, member), "{to}");
        assert!(
            body[error.offset..].starts_with(at),
            "{to}: {}",
            &body[error.offset..]
        );
    }
    check("\"type\"", "\"tpye\"", Missing, Some("type"), "{\"tpye\"");
    check("\"data\"", "\"date\"", Missing, Some("data"), "{\"type\"");
    check("\"sequence\":3,", "", Missing, Some("sequence"), "{\"id\"");
    check(
        "\"sequence\":3",
        "\"sequence\":3,\"sequence\":4",
        Twice,
        Some("sequence"),
        "{\"id\"",
    );
    check(
        "\"sequence\":3",
        "\"sequence\":\"3\"",
        Type,
        Some("sequence"),
        "\"3\"",
    );
    check(
        "\"sequence\":3",
        "\"sequence\":3.0",
        Type,
        Some("sequence"),
        "3.0",
    );
    check(
        "\"sequence\":3",
        "\"sequence\":-3",
        Range,
        Some("sequence"),
        "-3",
    );
    check(
        "\"sequence\":3",
        "\"sequence\":4294967296",
        Range,
        Some("sequence"),
        "4294967296",
    );
    check(
        "\"sequence\":3",
        "\"sequence\": null",
        Type,
        Some("sequence"),
        "null",
    );
    check(
        "\"sequence\":3",
        "\"sequence\": true",
        Type,
        Some("sequence"),
        "true",
    );
    check(
        "\"sequence\":3",
        "\"sequence\": false ",
        Type,
        Some("sequence"),
        "false",
    );
    check(
        "\"sequence\":3",
        "\"sequence\":[ ]",
        Type,
        Some("sequence"),
        "[ ]",
    );
    check(
        "\"progress\":100",
        "\"progress\":101",
        Range,
        Some("progress"),
        "101",
    );
    check(
        "\"completed\"",
        "\"finished\"",
        Range,
        Some("status"),
        "\"finished\"",
    );
    check("job_0", "ep_00", Range, Some("id"), "\"ep_00");
    check(
        "2026-11-24T08",
        "2026-13-24T08",
        Range,
        Some("created_at"),
        "\"2026-13",
    );
    check("\"error\":null", "\"error\":7", Type, Some("error"), "7");

    let error = json::from_slice::<Event<Str<'_>>>(b" {\"type\": }").unwrap_err();
    assert_eq!(
        error.kind,
        ReadErrorKind::Json(json::ErrorKind::UnexpectedByte)
    );
    assert_eq!(
        (error.offset, error.to_string().as_str()),
        (10, "unexpected character at byte 10")
    );
    let error = json::from_slice::<Event<Str<'_>>>(b" 7").unwrap_err();
    assert_eq!((error.kind, error.offset), (Type, 1));
    // What serde_json_core accepts in a member that nobody asks for is refused.
    for bad in [
        "\"\u{1}\"",
        "truest",
        "\"\\ud800\"",
        "01",
        &"[".repeat(400_000),
    ] {
        let body = EVENT.replacen("\"id\"", &format!("\"more\":{bad},\"id\""), 1);
        let error = json::from_slice::<Event<Str<'_>>>(body.as_bytes()).unwrap_err();
        assert!(matches!(error.kind, ReadErrorKind::Json(_)), "{bad:.20}");
    }
}

#[test]
fn escapes_need_memory_unless_a_text_stays_as_it_stands() {
    let error = json::from_slice::<Event<&str>>(EVENT.as_bytes()).unwrap_err();
    assert_eq!(
        (error.kind, error.member),
        (ReadErrorKind::Escaped, Some("reference"))
    );
    let error = json::from_slice::<Event<String>>(EVENT.as_bytes()).unwrap_err();
    assert_eq!(
        (error.kind, error.member),
        (ReadErrorKind::Escaped, Some("reference"))
    );
    for room in 0..9 {
        let mut memory = vec![0; room];
        assert_eq!(read::<Event<&str>>(EVENT, &mut memory), Err(error));
    }
    let mut memory = [0; 9];
    assert!(read::<Event<&str>>(EVENT, &mut memory).is_ok());
    // A string that stands in a document is in no other format.
    assert!(serde_json::from_str::<Event<Str<'_>>>(EVENT).is_err());
}

#[test]
fn all_that_serde_asks_for_is_there() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Kinds {
        Unit,
        New(i8),
        Tuple(u8, bool),
        Struct { a: Option<char>, b: f64 },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(Vec<Kinds>);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        list: Wrapped,
        nothing: (),
        map: BTreeMap<String, i64>,
    }
    let all = All {
        list: Wrapped(vec![
            Kinds::Unit,
            Kinds::New(-128),
            Kinds::Tuple(7, true),
            Kinds::Struct {
                a: Some('é'),
                b: -0.5,
            },
        ]),
        nothing: (),
        map: [("a\n".to_owned(), i64::MIN), (String::new(), i64::MAX)].into(),
    };
    let body = serde_json::to_string(&all).unwrap();
    let mut written = vec![0; body.len()];
    assert_eq!(json::to_slice(&all, &mut written), Ok(body.len()));
    assert_eq!(str::from_utf8(&written), Ok(body.as_str()));
    let mut memory = vec![0; body.len()];
    assert_eq!(read::<All>(&body, &mut memory), Ok(all));
}

#[test]
fn a_problem_passes_over_what_is_of_another_type() {
    let body = r#"{"type":"about:blank","status":422,"code":"full","detail":"No \"room\".","field":3,"offset":"x"}"#;
    let problem: Problem<Str<'_>> = json::from_slice(body.as_bytes()).unwrap();
    assert!(problem.code.unwrap() == "full" && problem.detail.unwrap() == "No \"room\".");
    assert_eq!(
        (problem.status, problem.field, problem.offset),
        (Some(422), None, None)
    );
    let mut machine = Machine::volatile(1);
    for (path, body) in [
        ("/v1/translations", "{\"video_url\":7}"),
        ("/v1/translations", "{"),
        ("/x", ""),
    ] {
        let (_, answer) = call(&mut machine, "POST", path, body);
        assert_eq!(again::<Problem<String>>(&answer).1, answer);
    }
}

#[test]
fn what_is_asked_for_is_written_without_what_is_not_said() {
    let mut memory = [0; 256];
    let new: NewWebhook<&str> = NewWebhook {
        secret: Some(Sensitive::new("whsec_x")),
        job: Some("job_00000000000000000000000007"),
        ..NewWebhook::new("http://a.test/")
    };
    let len = json::to_slice(&new, &mut memory).unwrap();
    assert_eq!(
        &memory[..len],
        br#"{"url":"http://a.test/","secret":"whsec_x","job":"job_00000000000000000000000007"}"#
    );
    assert!(!format!("{new:?}").contains("whsec_"));
    let redelivery = Redelivery::<&str>::default();
    assert_eq!(json::to_slice(&redelivery, &mut memory), Ok(2));
    let short = json::to_slice(&new, &mut memory[..20]);
    assert_eq!(short, Err(json::WriteError::NoRoom));
    for none in [f64::NAN, f64::INFINITY] {
        let written = json::to_slice(&none, &mut memory);
        assert_eq!(written, Err(json::WriteError::Type));
    }
    let map = BTreeMap::from([(7, 8)]);
    let written = json::to_slice(&map, &mut memory);
    assert_eq!(written, Err(json::WriteError::Type));
}

#[test]
fn a_claim_is_read() {
    let translation = EVENT.split_once("\"data\":").unwrap().1;
    let body =
        format!(r#"{{"job":{translation},"lease":3,"lease_ms":30000}}"#).replace("}}}", "}}");
    let body = body.replacen("}},\"lease\"", "},\"lease\"", 1);
    let claim: Claim<Str<'_>> = json::from_slice(body.as_bytes()).unwrap();
    assert_eq!((claim.lease, claim.lease_ms), (3, 30_000));
    assert_eq!(claim.job.status, Status::Completed);
    assert_eq!(
        claim.job.created_at,
        Timestamp::parse_rfc3339(b"2026-11-24T08:59:00Z").unwrap()
    );
}
