//! The figures of a server, as a program that watches it reads them.

use crate::{HOOK, JOB, call, deliver_all, durable, new_hook, new_job};
use dubhook_core::{
    server::{ApiKey, Config},
    service::Report,
};
use dubhook_tests::{
    caller::{Caller, ask, config_with_keys, request},
    machine::{Machine, config},
};
use std::collections::{BTreeMap, BTreeSet};

/// Figures by their names, labels included.
type Figures = BTreeMap<String, u64>;

/// Reads the text format of Prometheus, version 0.0.4, as strictly as its document says, and here all values are whole
/// numbers.
fn parse(text: &str) -> Figures {
    assert!(text.ends_with('\n'), "the last line must end too");
    let (mut figures, mut families) = (Figures::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let help = line.strip_prefix("# HELP ").expect("a family begins so");
        let (name, help) = help.split_once(' ').expect("a name and a text");
        let is_name = |name: &str| {
            let rest =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(rest)
        };
        assert!(name.starts_with("dubhook_") && is_name(name), "{name}");
        assert!(!help.contains('\\') && help.ends_with('.'), "{help}");
        assert!(families.insert(name.to_owned()), "{name} twice");
        let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
        let kind = kind
            .and_then(|kind| kind.strip_prefix(name))
            .expect("its type");
        match kind {
            " counter" => assert!(name.ends_with("_total"), "{name}"),
            " gauge" => assert!(!name.ends_with("_total"), "{name}"),
            other => panic!("{name} is of type{other}"),
        }
        let mut samples = 0;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            let labels = sample.strip_prefix(name).expect("a sample of the family");
            if !labels.is_empty() {
                let label = labels
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix("\"}"));
                let (label, value) = label.and_then(|l| l.split_once("=\"")).expect("a label");
                assert!(is_name(label) && !value.contains(['"', '\\']), "{sample}");
            }
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(
                figures.insert(sample.to_owned(), value).is_none(),
                "{sample} twice"
            );
            samples += 1;
        }
        assert!(samples > 0, "{name} has no sample");
    }
    figures
}

fn figures(machine: &mut Machine) -> Figures {
    let answer = call(machine, "GET", "/metrics", "");
    assert_eq!(answer.status, 200);
    let kind = answer.field("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    parse(std::str::from_utf8(&answer.body).unwrap())
}

/// Checks that `happen` moves these figures by so much, and no other one but those of the requests that it takes.
#[track_caller]
fn check(machine: &mut Machine, expect: &[(&str, i64)], happen: impl FnOnce(&mut Machine)) {
    let before = figures(machine);
    happen(machine);
    let after = figures(machine);
    assert_eq!(before.len(), after.len());
    let moved = after.iter().filter_map(|(name, value)| {
        let by = *value as i64 - before[name] as i64;
        let of_requests = name.contains("http_answers") || name.contains("connections_accepted");
        (by != 0 && !of_requests).then_some((name.as_str(), by))
    });
    let mut expect: Vec<_> = expect
        .iter()
        .map(|(name, by)| (format!("dubhook_{name}"), *by))
        .collect();
    expect.sort();
    let expect: Vec<_> = expect
        .iter()
        .map(|(name, by)| (name.as_str(), *by))
        .collect();
    assert_eq!(moved.collect::<Vec<_>>(), expect);
}

#[test]
fn a_new_server_has_capacity_and_nothing_else() {
    let found = figures(&mut Machine::volatile(1));
    let version = format!(
        "dubhook_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    let some: Vec<_> = found.iter().filter(|(_, value)| **value > 0).collect();
    let expect = [
        (version.as_str(), 1),
        // The one that asks.
        ("dubhook_connections", 1),
        ("dubhook_connections_accepted_total", 1),
        ("dubhook_connections_capacity", 8),
        ("dubhook_delivery_attempts_capacity", 16),
        ("dubhook_jobs_capacity", 16),
        ("dubhook_webhooks_capacity", 8),
    ];
    let some: Vec<_> = some
        .iter()
        .map(|(name, value)| (name.as_str(), **value))
        .collect();
    assert_eq!(some, expect);
}

#[test]
fn jobs_are_counted_as_they_come_and_end() {
    for (report, status) in [
        (
            Some(Report::Completed("https://v.test/1.es.mp4")),
            "completed",
        ),
        (Some(Report::Failed("no")), "error"),
        (None, "canceled"),
    ] {
        let mut machine = durable();
        let mut path = String::new();
        check(
            &mut machine,
            &[("jobs_submitted_total", 1), ("jobs", 1)],
            |machine| {
                path = new_job(machine);
            },
        );
        let mut job = None;
        check(&mut machine, &[("jobs_processing", 1)], |machine| {
            job = machine.start_job()
        });
        let ended = format!("jobs_ended_total{{status=\"{status}\"}}");
        let expect = [(ended.as_str(), 1), ("jobs_processing", -1)];
        check(&mut machine, &expect, |machine| match report {
            Some(report) => machine.report(job.unwrap(), report),
            None => assert_eq!(
                call(machine, "POST", &format!("{path}/cancel"), "").status,
                200
            ),
        });
    }
}

#[test]
fn deliveries_are_counted_as_they_arrive_or_are_given_up() {
    let mut machine = durable();
    let mut hook = String::new();
    check(&mut machine, &[("webhooks", 1)], |machine| {
        hook = new_hook(machine, HOOK).0
    });
    let submitted = [
        ("jobs_submitted_total", 1),
        ("jobs", 1),
        ("deliveries_owed", 1),
    ];
    check(&mut machine, &submitted, |machine| drop(new_job(machine)));
    let mut under_way = None;
    check(
        &mut machine,
        &[("delivery_attempts_in_flight", 1)],
        |machine| {
            under_way = machine.attempt();
        },
    );
    let arrived = [
        ("delivery_attempts_total", 1),
        ("delivery_attempts_in_flight", -1),
        ("deliveries_ended_total{outcome=\"delivered\"}", 1),
        ("deliveries_owed", -1),
    ];
    check(&mut machine, &arrived, |machine| {
        machine.settle(&under_way.unwrap().0, 204);
    });
    check(&mut machine, &submitted, |machine| drop(new_job(machine)));
    check(&mut machine, &[("delivery_attempts_total", 1)], |machine| {
        assert_eq!(deliver_all(machine, 500).len(), 1);
    });
    // The last of all its attempts; the endpoint has failed for too long by then, or not.
    let mut tried = 1;
    while figures(&mut machine)["dubhook_dead_letters"] == 0 {
        machine.advance_ms(60 * 60_000);
        tried += deliver_all(&mut machine, 500).len();
    }
    let found = figures(&mut machine);
    assert_eq!(found["dubhook_delivery_attempts_total"], 1 + tried as u64);
    assert_eq!(
        found["dubhook_deliveries_ended_total{outcome=\"given_up\"}"],
        1
    );
    assert_eq!(found["dubhook_deliveries_owed"], 0);
    check(
        &mut machine,
        &[("webhooks", -1), ("dead_letters", -1)],
        |machine| {
            assert_eq!(call(machine, "DELETE", &hook, "").status, 204);
            machine.advance_ms(1);
            machine.commit();
        },
    );
}

#[test]
fn webhooks_that_disable_themselves_are_counted_and_those_that_people_disable_are_not() {
    let mut machine = durable();
    let (hook, _) = new_hook(&mut machine, HOOK);
    for (enabled, by) in [(false, 0), (true, 0)] {
        let expect: &[_] = if by == 0 {
            &[]
        } else {
            &[("webhooks_disabled_total", by)]
        };
        check(&mut machine, expect, |machine| {
            let change = format!(r#"{{"enabled":{enabled}}}"#);
            assert_eq!(call(machine, "PATCH", &hook, &change).status, 200);
        });
    }
    new_job(&mut machine);
    let found = figures(&mut machine);
    assert_eq!(found["dubhook_webhooks_disabled_total"], 0);
    deliver_all(&mut machine, 410);
    assert_eq!(figures(&mut machine)["dubhook_webhooks_disabled_total"], 1);
}

#[test]
fn what_is_refused_for_want_of_room_is_counted() {
    let mut machine = Machine::sized::<1, 1, 2>(config());
    new_job(&mut machine);
    check(&mut machine, &[("refused_total", 1)], |machine| {
        assert_eq!(call(machine, "POST", "/v1/translations", JOB).status, 503);
    });
    check(&mut machine, &[("connections", 1)], |machine| {
        assert!(machine.server.accept(machine.now).is_ok());
    });
    let one = figures(&mut machine);
    assert_eq!(one["dubhook_connections_refused_total"], 0);
    let full = machine.server.accept(machine.now).expect("the last one");
    assert_eq!(
        machine.server.accept(machine.now),
        Err(dubhook_core::server::AcceptError::Full)
    );
    machine.server.close(full);
    let two = figures(&mut machine);
    assert_eq!(two["dubhook_connections_refused_total"], 1);
    assert_eq!(two["dubhook_connections_capacity"], 2);
    let accepted = "dubhook_connections_accepted_total";
    assert_eq!(two[accepted] - one[accepted], 2);
}

#[test]
fn connections_that_wait_are_counted() {
    let mut machine = Machine::volatile(1);
    let job = new_job(&mut machine);
    assert_eq!(machine.next_conn(), None);
    let expect = [("connections", 2), ("connections_held", 2)];
    check(&mut machine, &expect, |machine| {
        for (path, fields) in [("/v1/events", ""), (&job, "prefer: wait=9\r\n")] {
            let mut caller = Caller::open(machine);
            caller.send(machine, &request("GET", path, fields, ""));
        }
    });
}

#[test]
fn answers_are_counted_by_the_class_of_their_status() {
    let mut machine = durable();
    let classes = ["2xx", "3xx", "4xx", "5xx"]
        .map(|class| format!("dubhook_http_answers_total{{class=\"{class}\"}}"));
    let counts = |machine: &mut Machine| {
        let found = figures(machine);
        classes.clone().map(|class| found[&class])
    };
    // The answer that tells of the others is counted by the next.
    for (method, path, body, expect) in [
        ("GET", "/healthz", "", [2, 0, 0, 0]),
        ("HEAD", "/healthz", "", [2, 0, 0, 0]),
        ("POST", "/v1/translations", JOB, [2, 0, 0, 0]),
        ("OPTIONS", "*", "", [2, 0, 0, 0]),
        ("GET", "/x", "", [1, 0, 1, 0]),
        ("POST", "/v1/translations", "{", [1, 0, 1, 0]),
        ("BREW", "/healthz", "", [1, 0, 0, 1]),
    ] {
        let before = counts(&mut machine);
        call(&mut machine, method, path, body);
        let after = counts(&mut machine);
        let by = [0, 1, 2, 3].map(|class| after[class] - before[class]);
        assert_eq!(by, expect, "{method} {path}");
    }
}

#[test]
fn a_page_is_one_answer_and_the_archive_s_answers_count_too() {
    const LONG: &[u8] = &[b'x'; 30_000];
    const PAGES: &[dubhook_core::server::Page<'_>] = &[dubhook_core::server::Page::new(
        "/long",
        &[dubhook_core::http::FieldLine::new(
            "content-type: text/plain\r\n",
        )],
        LONG,
    )];
    let mut machine = Machine::sized::<1, 1, 2>(Config {
        pages: PAGES,
        ..config()
    });
    let success = "dubhook_http_answers_total{class=\"2xx\"}";
    let before = figures(&mut machine)[success];
    assert_eq!(
        call(&mut machine, "GET", "/long", "").body.len(),
        LONG.len()
    );
    assert_eq!(figures(&mut machine)[success] - before, 2);

    let mut machine = Machine::archiving(1);
    let mut paths = Vec::new();
    for _ in 0..17 {
        paths.push(new_job(&mut machine));
        let id = machine.start_job().unwrap();
        machine.report(id, Report::Failed("no"));
        machine.commit();
    }
    let before = figures(&mut machine)[success];
    assert_eq!(call(&mut machine, "GET", &paths[0], "").status, 200);
    assert_eq!(figures(&mut machine)[success] - before, 2);
}

#[test]
fn whether_it_stops_is_seen_on_a_connection_that_is_still_answered() {
    let mut machine = Machine::volatile(1);
    assert_eq!(figures(&mut machine)["dubhook_stopping"], 0);
    let mut caller = Caller::open(&mut machine);
    machine.shutdown();
    let get = request("GET", "/metrics", "", "");
    caller.send(&mut machine, &get);
    let answers = caller.answers();
    let text = String::from_utf8(answers[0].body.clone()).unwrap();
    assert_eq!(parse(&text)["dubhook_stopping"], 1);
}

#[test]
fn no_key_is_needed_and_no_name_or_secret_is_told() {
    let keys = vec![ApiKey::new("a-key")].leak();
    let mut machine = Machine::sized::<4, 4, 4>(config_with_keys(keys));
    let with_key = "authorization: Bearer a-key\r\n";
    let job = r#"{"video_url":"https://private.test/v.mp4","target_language":"es","reference":"order-17"}"#;
    assert_eq!(
        ask(&mut machine, "POST", "/v1/translations", with_key, job).status,
        202
    );
    let hook = ask(&mut machine, "POST", "/v1/webhooks", with_key, HOOK);
    let secret = hook.json()["secret"].as_str().unwrap().to_owned();
    let text = String::from_utf8(call(&mut machine, "GET", "/metrics", "").body).unwrap();
    assert_eq!(parse(&text)["dubhook_jobs"], 1);
    for private in [
        "private.test",
        "order-17",
        "127.0.0.1",
        "a-key",
        &secret,
        "job_",
        "ep_",
    ] {
        assert!(!text.contains(private), "{private}");
    }
}
