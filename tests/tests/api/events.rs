//! Streams of events, as a client without a webhook sees them.

use crate::{JOB, call, check_problem, durable, named, new_job};
use dubhook_core::{server::Drive, service::Report};
use dubhook_tests::{
    caller::{Caller, request},
    machine::{Machine, field},
};
use serde_json::Value;

/// A message of a stream: the fields of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    id: String,
    kind: String,
    data: Value,
}

impl Message {
    /// What it says of its job.
    fn job(&self) -> &str {
        self.data["data"]["id"].as_str().unwrap()
    }

    fn sequence(&self) -> u64 {
        self.data["data"]["sequence"].as_u64().unwrap()
    }
}

/// Opens a stream; returns what it began with.
fn open(machine: &mut Machine, path: &str, last: Option<&str>) -> (Caller, Vec<Message>) {
    let mut caller = Caller::open(machine);
    let fields = last.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
    caller.send(machine, &request("GET", path, &fields, ""));
    let bytes = String::from_utf8(caller.take()).unwrap();
    let (head, rest) = bytes.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(field(&bytes, "content-type"), "text/event-stream");
    assert_eq!(field(&bytes, "cache-control"), "no-store");
    assert_eq!(field(&bytes, "connection"), "close");
    assert!(!head.contains("content-length"));
    let rest = rest.strip_prefix("retry: 1000\n\n").expect("a pause");
    let begun = messages(rest);
    (caller, begun)
}

/// What has come since the last time.
fn more(caller: &mut Caller) -> Vec<Message> {
    messages(&String::from_utf8(caller.take()).unwrap())
}

/// The messages of a text that is whole ones, by the rules of the HTML standard, section 9.2.6.
fn messages(text: &str) -> Vec<Message> {
    assert!(
        text.is_empty() || text.ends_with("\n\n"),
        "half a message: {text:?}"
    );
    let blocks = text.split_terminator("\n\n").filter(|block| *block != ":");
    let message = |block: &str| {
        let mut message = Message {
            id: String::new(),
            kind: String::new(),
            data: Value::Null,
        };
        for line in block.split('\n') {
            match line.split_once(": ").expect("a field") {
                ("id", id) => message.id = id.to_owned(),
                ("event", kind) => message.kind = kind.to_owned(),
                ("data", data) => message.data = serde_json::from_str(data).unwrap(),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(message.data["type"], *message.kind);
        message
    };
    blocks.map(message).collect()
}

/// Lets a connection run until it has nothing more to say.
fn settle(machine: &mut Machine, caller: &mut Caller) {
    named(machine, &mut [caller]);
}

fn kinds(messages: &[Message]) -> Vec<&str> {
    let kinds = messages.iter().map(|message| &message.kind[..]);
    kinds
        .map(|kind| kind.strip_prefix("translation.").unwrap_or(kind))
        .collect()
}

#[test]
fn a_stream_has_every_event_from_now_on_as_webhooks_have_them() {
    let mut machine = Machine::volatile(1);
    let _ = new_job(&mut machine);
    let (mut caller, begun) = open(&mut machine, "/v1/events", None);
    assert_eq!(begun, [], "what was before is not told");
    let hook = r#"{"url":"http://127.0.0.1:3120/hook"}"#;
    assert_eq!(call(&mut machine, "POST", "/v1/webhooks", hook).status, 201);
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Progress(50));
    machine.report(id, Report::Completed("https://o.test/1"));
    settle(&mut machine, &mut caller);
    let told = more(&mut caller);
    assert_eq!(kinds(&told), ["processing", "progress", "completed"]);
    // The hook's deliveries have the same ids and bodies.
    let mut delivered = Vec::new();
    while let Some((attempt, request)) = machine.attempt() {
        let _ = machine.settle(&attempt, 204);
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        delivered.push((field(&request, "webhook-id").to_owned(), body));
    }
    for (id, body) in delivered {
        let message = told.iter().find(|message| message.id == id);
        assert_eq!(message.unwrap().data, body);
    }
    // Other jobs are told as well, and the stream goes on.
    let _ = call(&mut machine, "POST", "/v1/translations", JOB);
    settle(&mut machine, &mut caller);
    assert_eq!(kinds(&more(&mut caller)), ["pending"]);
    assert!(matches!(caller.wants, Drive::Input { .. }));
}

#[test]
fn a_stream_of_one_job_begins_with_it_as_it_stands_and_ends_with_it() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    let other = new_job(&mut machine);
    let id = machine.start_job().unwrap();
    let path = job.replace("/v1/translations/", "/v1/events?job=");
    let (mut caller, begun) = open(&mut machine, &path, None);
    assert_eq!(kinds(&begun), ["processing"]);
    let other_id = machine.start_job().unwrap();
    machine.report(other_id, Report::Failed("no sound"));
    machine.report(id, Report::Progress(10));
    settle(&mut machine, &mut caller);
    assert_eq!(kinds(&more(&mut caller)), ["progress"]);
    machine.report(id, Report::Completed("https://o.test/1"));
    settle(&mut machine, &mut caller);
    let last = more(&mut caller);
    assert_eq!(kinds(&last), ["completed"]);
    assert_eq!(caller.wants, Drive::Close);
    assert!(job.ends_with(last[0].job()) && !other.ends_with(last[0].job()));
    machine.server.close(caller.id);
    assert_eq!(machine.server.conns_held(), 0);
    // Who comes back with less is told the rest; who has all is told not to come back.
    let (again, begun) = open(&mut machine, &path, None);
    assert_eq!(
        (kinds(&begun), again.wants),
        (vec!["completed"], Drive::Close)
    );
    let mut caller = Caller::open(&mut machine);
    let fields = format!("last-event-id: {}\r\n", last[0].id);
    caller.send(&mut machine, &request("GET", &path, &fields, ""));
    assert_eq!(caller.answers()[0].status, 204);
}

#[test]
fn who_comes_back_is_told_what_came_between() {
    let mut machine = Machine::volatile(1);
    let (mut caller, _) = open(&mut machine, "/v1/events", None);
    let job = new_job(&mut machine);
    let id = machine.start_job().unwrap();
    for percent in 1..=4 {
        machine.report(id, Report::Progress(percent));
    }
    machine.report(id, Report::Completed("https://o.test/1"));
    settle(&mut machine, &mut caller);
    let all = more(&mut caller);
    assert_eq!(all.len(), 7);
    let of_job = job.replace("/v1/translations/", "/v1/events?job=");
    for (at, message) in all.iter().enumerate() {
        let (again, rest) = open(&mut machine, "/v1/events", Some(&message.id));
        assert_eq!(rest, all[at + 1..]);
        machine.server.close(again.id);
        if at + 1 < all.len() {
            let (again, rest) = open(&mut machine, &of_job, Some(&message.id));
            assert_eq!(rest, all[at + 1..]);
            machine.server.close(again.id);
        }
    }
}

#[test]
fn a_stream_says_that_it_missed_events() {
    let mut machine = Machine::volatile(1);
    let (mut caller, _) = open(&mut machine, "/v1/events", None);
    let [job, _, _] = [(); 3].map(|()| new_job(&mut machine));
    settle(&mut machine, &mut caller);
    let first = more(&mut caller).remove(0);
    // Twice as many events as the feed of sixteen jobs has room for.
    for _ in 0..3 {
        let id = machine.start_job().unwrap();
        for percent in 0..100 {
            machine.report(id, Report::Progress(percent));
        }
    }
    settle(&mut machine, &mut caller);
    let after = more(&mut caller);
    assert_eq!((&after[0].kind[..], after.len()), ("stream.gap", 129));
    let of_job = job.replace("/v1/translations/", "/v1/events?job=");
    for last in [&first.id[..], "evt_7zzzzzzzzzzzzzzzzzzzzzzzzz", "?"] {
        let (again, begun) = open(&mut machine, "/v1/events", Some(last));
        assert_eq!(&begun[..], &after[..], "{last}");
        machine.server.close(again.id);
        // A stream of one job has how it stands, and its sequence says the rest.
        let (again, begun) = open(&mut machine, &of_job, Some(last));
        assert_eq!((begun.len(), begun[0].sequence()), (1, 101), "{last}");
        machine.server.close(again.id);
    }
}

#[test]
fn events_of_jobs_that_have_left_memory_are_missed_as_well() {
    let mut machine = Machine::volatile(1);
    let (mut caller, _) = open(&mut machine, "/v1/events", None);
    for round in 0..2 {
        for _ in 0..16 {
            let _ = call(&mut machine, "POST", "/v1/translations", JOB);
            let id = machine.start_job().unwrap();
            if round == 0 {
                machine.report(id, Report::Completed("https://o.test/1"));
            }
        }
    }
    settle(&mut machine, &mut caller);
    let told = more(&mut caller);
    assert_eq!((&told[0].kind[..], told.len()), ("stream.gap", 1 + 2 * 16));
}

#[test]
fn events_are_told_only_once_they_are_durable() {
    let mut machine = durable();
    let (mut caller, _) = open(&mut machine, "/v1/events", None);
    let mut asker = Caller::open(&mut machine);
    asker.send(&mut machine, &request("POST", "/v1/translations", "", JOB));
    settle(&mut machine, &mut caller);
    assert_eq!(more(&mut caller), []);
    machine.commit();
    named(&mut machine, &mut [&mut caller, &mut asker]);
    assert_eq!(kinds(&more(&mut caller)), ["pending"]);
}

#[test]
fn small_outputs_get_the_same_stream() {
    let mut machine = Machine::volatile(1);
    let (mut whole, _) = open(&mut machine, "/v1/events", None);
    let least = machine.server.config().answer_bytes_max();
    let mut small = Caller::with_output(&mut machine, least);
    small.send(&mut machine, &request("GET", "/v1/events", "", ""));
    small.take();
    for _ in 0..16 {
        let _ = new_job(&mut machine);
    }
    named(&mut machine, &mut [&mut whole, &mut small]);
    let told = more(&mut whole);
    assert_eq!((told.len(), more(&mut small)), (16, told));
}

#[test]
fn a_quiet_stream_shows_that_it_is_alive() {
    let mut machine = Machine::volatile(1);
    let (mut caller, _) = open(&mut machine, "/v1/events", None);
    machine.advance_ms(14_999);
    settle(&mut machine, &mut caller);
    assert_eq!(caller.take(), b"");
    for _ in 0..3 {
        machine.advance_ms(1);
        settle(&mut machine, &mut caller);
        assert_eq!(caller.take(), b":\n\n");
        machine.advance_ms(14_999);
    }
    // An event is a sign of life as well.
    let _ = new_job(&mut machine);
    settle(&mut machine, &mut caller);
    assert_eq!(more(&mut caller).len(), 1);
    machine.advance_ms(14_000);
    settle(&mut machine, &mut caller);
    assert_eq!(caller.take(), b"");
}

#[test]
fn a_stream_is_read_and_there_are_not_too_many() {
    let mut machine = Machine::volatile(1);
    let head = call(&mut machine, "POST", "/v1/events", "");
    check_problem(&head, 405, "method_not_allowed", None);
    for path in [
        "/v1/events?job=",
        "/v1/events?job=x",
        "/v1/events?job=job_01k00000000000000000000000",
    ] {
        let answer = call(&mut machine, "GET", path, "");
        check_problem(&answer, 422, "invalid_request", Some("job"));
    }
    let mut head = Caller::open(&mut machine);
    head.send(&mut machine, &request("HEAD", "/v1/events", "", ""));
    let text = String::from_utf8(head.take()).unwrap();
    assert!(text.ends_with("\r\n\r\n") && head.wants == Drive::Close);
    machine.server.close(head.id);

    let open: Vec<_> = (0..4)
        .map(|_| open(&mut machine, "/v1/events", None))
        .collect();
    let full = call(&mut machine, "GET", "/v1/events", "");
    check_problem(&full, 503, "full", None);
    drop(open);
}

#[test]
fn a_server_that_stops_ends_its_streams() {
    let mut machine = Machine::volatile(1);
    let (mut caller, _) = open(&mut machine, "/v1/events", None);
    machine.server.shutdown();
    settle(&mut machine, &mut caller);
    assert_eq!(caller.wants, Drive::Close);
}
