//! Streams of events, as a client without a webhook sees them.

use crate::{JOB, call, check_problem, durable, named, new_job};
use dubhook_core::{server::Drive, service::Report};
use dubhook_tests::{
    caller::{Caller, request},
    machine::{Machine, field},
    stream::{Message, Stream},
};
use serde_json::Value;

/// A connection with a stream on it.
struct Watcher {
    caller: Caller,
    stream: Stream,
}

impl Watcher {
    /// Opens a stream; returns what it began with.
    fn open(machine: &mut Machine, path: &str, last: Option<&str>) -> (Self, Vec<Message>) {
        let caller = Caller::open(machine);
        Self::on(caller, machine, path, last)
    }

    fn on(
        caller: Caller,
        machine: &mut Machine,
        path: &str,
        last: Option<&str>,
    ) -> (Self, Vec<Message>) {
        let mut watcher = Self {
            caller,
            stream: Stream::new(path.strip_prefix("/v1/events?job=")),
        };
        let fields = last.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        let request = request("GET", path, &fields, "");
        watcher.caller.send(machine, &request);
        let begun = watcher.more();
        (watcher, begun)
    }

    /// What has come since the last time.
    fn more(&mut self) -> Vec<Message> {
        let messages = self.stream.read(&self.caller.take());
        assert!(self.stream.is_whole(), "half a message");
        messages
    }
}

/// Lets a connection run until it has nothing more to say.
fn settle(machine: &mut Machine, watcher: &mut Watcher) {
    named(machine, &mut [&mut watcher.caller]);
}

fn kinds(messages: &[Message]) -> Vec<&str> {
    let kinds = messages.iter().map(|message| &message.kind[..]);
    kinds
        .map(|kind| kind.strip_prefix("translation.").unwrap_or(kind))
        .collect()
}

#[test]
fn a_stream_of_a_job_has_its_last_event_though_its_room_is_wanted() {
    let mut machine = Machine::volatile(1);
    let jobs = [(); 16].map(|()| new_job(&mut machine));
    let path = jobs[0].replace("translations/", "events?job=");
    let (mut watcher, _) = Watcher::open(&mut machine, &path, None);
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Completed("https://o.test/1"));
    let refused = call(&mut machine, "POST", "/v1/translations", JOB);
    check_problem(&refused, 503, "full", None);
    settle(&mut machine, &mut watcher);
    assert_eq!(kinds(&watcher.more()), ["processing", "completed"]);
    assert_eq!(watcher.caller.wants, Drive::Close);
    new_job(&mut machine);
}

#[test]
fn a_stream_has_every_event_from_now_on_as_webhooks_have_them() {
    let mut machine = Machine::volatile(1);
    let _ = new_job(&mut machine);
    let (mut watcher, begun) = Watcher::open(&mut machine, "/v1/events", None);
    assert_eq!(begun, [], "what was before is not told");
    let hook = r#"{"url":"http://127.0.0.1:3120/hook"}"#;
    assert_eq!(call(&mut machine, "POST", "/v1/webhooks", hook).status, 201);
    let id = machine.start_job().unwrap();
    machine.report(id, Report::Progress(50));
    machine.report(id, Report::Completed("https://o.test/1"));
    settle(&mut machine, &mut watcher);
    let told = watcher.more();
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
    settle(&mut machine, &mut watcher);
    assert_eq!(kinds(&watcher.more()), ["pending"]);
    assert!(matches!(watcher.caller.wants, Drive::Input { .. }));
}

#[test]
fn a_stream_of_one_job_begins_with_it_as_it_stands_and_ends_with_it() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    let other = new_job(&mut machine);
    let id = machine.start_job().unwrap();
    let path = job.replace("/v1/translations/", "/v1/events?job=");
    let (mut watcher, begun) = Watcher::open(&mut machine, &path, None);
    assert_eq!(kinds(&begun), ["processing"]);
    let other_id = machine.start_job().unwrap();
    machine.report(other_id, Report::Failed("no sound"));
    machine.report(id, Report::Progress(10));
    settle(&mut machine, &mut watcher);
    assert_eq!(kinds(&watcher.more()), ["progress"]);
    machine.report(id, Report::Completed("https://o.test/1"));
    settle(&mut machine, &mut watcher);
    let last = watcher.more();
    assert_eq!(kinds(&last), ["completed"]);
    assert_eq!(watcher.caller.wants, Drive::Close);
    assert!(
        watcher.stream.has_ended,
        "its last chunk says that it is whole"
    );
    assert!(job.ends_with(last[0].job()) && !other.ends_with(last[0].job()));
    machine.server.close(watcher.caller.id);
    assert_eq!(machine.server.conns_held(), 0);
    // Who comes back with less is told the rest; who has all is told not to come back.
    let (again, begun) = Watcher::open(&mut machine, &path, None);
    assert_eq!(
        (kinds(&begun), again.caller.wants),
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
    let (mut watcher, _) = Watcher::open(&mut machine, "/v1/events", None);
    let job = new_job(&mut machine);
    let id = machine.start_job().unwrap();
    for percent in 1..=4 {
        machine.report(id, Report::Progress(percent));
    }
    machine.report(id, Report::Completed("https://o.test/1"));
    settle(&mut machine, &mut watcher);
    let all = watcher.more();
    assert_eq!(all.len(), 7);
    let of_job = job.replace("/v1/translations/", "/v1/events?job=");
    for (at, message) in all.iter().enumerate() {
        let (again, rest) = Watcher::open(&mut machine, "/v1/events", Some(&message.id));
        assert_eq!(rest, all[at + 1..]);
        machine.server.close(again.caller.id);
        if at + 1 < all.len() {
            let (again, rest) = Watcher::open(&mut machine, &of_job, Some(&message.id));
            assert_eq!(rest, all[at + 1..]);
            machine.server.close(again.caller.id);
        }
    }
}

#[test]
fn a_stream_says_that_it_missed_events() {
    let mut machine = Machine::volatile(1);
    let (mut watcher, _) = Watcher::open(&mut machine, "/v1/events", None);
    let [job, _, _] = [(); 3].map(|()| new_job(&mut machine));
    settle(&mut machine, &mut watcher);
    let first = watcher.more().remove(0);
    // Twice as many events as the feed of sixteen jobs has room for.
    for _ in 0..3 {
        let id = machine.start_job().unwrap();
        for percent in 0..100 {
            machine.report(id, Report::Progress(percent));
        }
    }
    settle(&mut machine, &mut watcher);
    let after = watcher.more();
    assert_eq!((&after[0].kind[..], after.len()), ("stream.gap", 129));
    let of_job = job.replace("/v1/translations/", "/v1/events?job=");
    for last in [&first.id[..], "evt_7zzzzzzzzzzzzzzzzzzzzzzzzz", "?"] {
        let (again, begun) = Watcher::open(&mut machine, "/v1/events", Some(last));
        assert_eq!(&begun[..], &after[..], "{last}");
        machine.server.close(again.caller.id);
        // A stream of one job has how it stands, and its sequence says the rest.
        let (again, begun) = Watcher::open(&mut machine, &of_job, Some(last));
        assert_eq!((begun.len(), begun[0].sequence()), (1, 101), "{last}");
        machine.server.close(again.caller.id);
    }
}

#[test]
fn events_of_jobs_that_have_left_memory_are_missed_as_well() {
    let mut machine = Machine::volatile(1);
    let (mut watcher, _) = Watcher::open(&mut machine, "/v1/events", None);
    for round in 0..2 {
        for _ in 0..16 {
            let _ = call(&mut machine, "POST", "/v1/translations", JOB);
            let id = machine.start_job().unwrap();
            if round == 0 {
                machine.report(id, Report::Completed("https://o.test/1"));
            }
        }
    }
    settle(&mut machine, &mut watcher);
    let told = watcher.more();
    assert_eq!((&told[0].kind[..], told.len()), ("stream.gap", 1 + 2 * 16));
}

#[test]
fn events_are_told_only_once_they_are_durable() {
    let mut machine = durable();
    let (mut watcher, _) = Watcher::open(&mut machine, "/v1/events", None);
    let mut asker = Caller::open(&mut machine);
    asker.send(&mut machine, &request("POST", "/v1/translations", "", JOB));
    settle(&mut machine, &mut watcher);
    assert_eq!(watcher.more(), []);
    machine.commit();
    named(&mut machine, &mut [&mut watcher.caller, &mut asker]);
    assert_eq!(kinds(&watcher.more()), ["pending"]);
}

#[test]
fn who_knows_no_chunks_gets_none_and_no_line_makes_an_empty_event() {
    let mut machine = Machine::volatile(1);
    let mut old = Caller::open(&mut machine);
    old.send(&mut machine, b"GET /v1/events HTTP/1.0\r\n\r\n");
    let text = String::from_utf8(old.take()).unwrap();
    assert!(!text.contains("transfer-encoding"), "{text}");
    assert!(text.ends_with("\r\n\r\nretry: 1000\n"), "{text}");
    machine.advance_ms(15_000);
    named(&mut machine, &mut [&mut old]);
    assert_eq!(old.take(), b":\n");
}

#[test]
fn small_outputs_get_the_same_stream() {
    let mut machine = Machine::volatile(1);
    let (mut whole, _) = Watcher::open(&mut machine, "/v1/events", None);
    let least = machine.server.config().answer_bytes_max();
    let small = Caller::with_output(&mut machine, least);
    let (mut small, _) = Watcher::on(small, &mut machine, "/v1/events", None);
    for _ in 0..16 {
        let _ = new_job(&mut machine);
    }
    named(&mut machine, &mut [&mut whole.caller, &mut small.caller]);
    let told = whole.more();
    assert_eq!((told.len(), small.more()), (16, told));
}

#[test]
fn a_quiet_stream_shows_that_it_is_alive() {
    let mut machine = Machine::volatile(1);
    let (mut watcher, _) = Watcher::open(&mut machine, "/v1/events", None);
    let mut is_silent = |machine: &mut Machine, ms, signs| {
        machine.advance_ms(ms);
        settle(machine, &mut watcher);
        let told = watcher.more().len();
        assert_eq!(watcher.stream.signs_of_life, signs);
        told
    };
    for signs in 0..3 {
        assert_eq!(is_silent(&mut machine, 14_999, signs), 0);
        assert_eq!(is_silent(&mut machine, 1, signs + 1), 0);
    }
    // An event is a sign of life as well.
    machine.advance_ms(14_000);
    let _ = call(&mut machine, "POST", "/v1/translations", JOB);
    assert_eq!(is_silent(&mut machine, 0, 3), 1);
    assert_eq!(is_silent(&mut machine, 14_999, 3), 0);
    assert_eq!(is_silent(&mut machine, 1, 4), 0);
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
        .map(|_| Watcher::open(&mut machine, "/v1/events", None))
        .collect();
    let full = call(&mut machine, "GET", "/v1/events", "");
    check_problem(&full, 503, "full", None);
    drop(open);
}

#[test]
fn a_server_that_stops_ends_its_streams() {
    let mut machine = Machine::volatile(1);
    let (mut watcher, _) = Watcher::open(&mut machine, "/v1/events", None);
    let mut late = Caller::open(&mut machine);
    machine.shutdown();
    // Its request was under way already.
    late.send(&mut machine, &request("GET", "/v1/events", "", ""));
    let answer = late.answers().remove(0);
    check_problem(&answer, 503, "stopping", None);
    named(&mut machine, &mut [&mut watcher.caller, &mut late]);
    assert_eq!(watcher.caller.wants, Drive::Close);
}
