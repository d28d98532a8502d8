//! Many more jobs than there is room for pass through a small server, for years of virtual time: what it holds stays within
//! its bounds, full is an answer that passes, and nothing is lost on the way.

use dubhook_core::{record::Table, service::Report};
use dubhook_tests::machine::{Machine, field};

const JOBS: usize = 6_000;
/// The capacity of the machine, in jobs and in endpoints.
const CAPACITY: usize = 16;
const ENDPOINTS: usize = 8;
const HOUR_MS: u64 = 60 * 60_000;

/// How many slots a table has, and so how many records there are of it at most.
const fn slots(table: Table) -> usize {
    match table {
        Table::Meta => 1,
        Table::Job | Table::State | Table::Key => CAPACITY,
        Table::Endpoint => ENDPOINTS,
        Table::Event => 6 * CAPACITY,
        Table::Stream => 2 * CAPACITY,
    }
}

/// Makes all attempts that are due. One receiver takes everything, the other never answers well.
fn deliver(machine: &mut Machine) -> usize {
    let mut arrived = 0;
    machine.commit();
    while let Some((attempt, request)) = machine.attempt() {
        let good = request.starts_with("POST /good ");
        assert!(!field(&request, "webhook-signature").is_empty());
        machine.settle(&attempt, if good { 200 } else { 500 });
        arrived += usize::from(good);
        machine.commit();
    }
    arrived
}

fn check(machine: &Machine) {
    let service = machine.server.service();
    assert_eq!(service.audit(), Ok(()));
    assert!(service.jobs_len() <= CAPACITY);
    for table in Table::ALL {
        let records = machine.records.keys().filter(|key| key.table == table);
        assert!(records.count() <= slots(table), "{table:?}");
    }
}

#[test]
fn memory_is_bounded_for_ever_and_nothing_is_lost() {
    let mut machine = Machine::archiving(1);
    let mut bad = String::new();
    for path in ["good", "bad"] {
        let body = format!(r#"{{"url":"http://127.0.0.1:3120/{path}"}}"#);
        let (status, hook) = machine.call("POST", "/v1/webhooks", &body);
        assert_eq!(status, 201);
        bad = format!("/v1/webhooks/{}", hook["id"].as_str().unwrap());
    }
    let (mut arrived, mut full, mut ids) = (0, 0, Vec::new());
    for number in 0..JOBS {
        let key = format!("idempotency-key: {number}\r\n");
        let ask =
            format!(r#"{{"video_url":"https://v.test/{number}.mp4","target_language":"es"}}"#);
        let job = loop {
            let (status, job) = machine.call_with("POST", "/v1/translations", &key, &ask);
            if status == 202 {
                break job;
            }
            // Those that the bad receiver is owed hold the room until they are given up.
            assert_eq!((status, &job["code"]), (503, &"full".into()));
            full += 1;
            machine.advance_ms(6 * HOUR_MS);
            arrived += deliver(&mut machine);
        };
        ids.push(job["id"].as_str().unwrap().to_owned());
        machine.commit();
        let id = machine.start_job().expect("work");
        machine.report(id, Report::Completed("file:///out.mp4"));
        arrived += deliver(&mut machine);
        machine.advance_ms(60_000);
        check(&machine);
        if number % 100 == 0 {
            // It is disabled for failing too long, and somebody believes in it.
            machine.call("PATCH", &bad, r#"{"enabled":true}"#);
        }
    }
    assert!(full > 0, "there was always room");
    assert_eq!(
        arrived,
        3 * JOBS,
        "of each job pending, processing and completed"
    );
    assert_eq!(machine.archive.len(), JOBS);
    for id in ids.iter().step_by(97) {
        let (status, job) = machine.call("GET", &format!("/v1/translations/{id}"), "");
        assert_eq!((status, &job["status"]), (200, &"completed".into()));
    }
}
