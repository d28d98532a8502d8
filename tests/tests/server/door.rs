//! The door: a machine that is called wrongly says so, and nothing comes of it.

use dubhook_core::{
    dispatch::{EndpointChange, EndpointError, NewEndpoint},
    event::Filter,
    http::RecvBuf,
    id::Ix,
    log::AttemptError,
    out::Out,
    record::{Keep, Table},
    server::{
        AcceptError, Config, Drive, HandleError, Input, Output, PollError, Ready, Server,
        ServerStorage,
    },
    service::{AttemptResult, NewJob, RequestError, RestoreError, SubmitError},
    signature::Secret,
};
use dubhook_tests::{
    caller::{Caller, request},
    machine::{Machine, Records, at, config},
};

const JOB: &str = r#"{"video_url":"https://example.test/v.mp4","target_language":"es","callback_url":"http://127.0.0.1:3120/"}"#;

type Memory = ServerStorage<16, 8, 8, 16>;

fn server(memory: &mut Memory) -> Server<'_> {
    Server::new(memory.lend(Keep::Records), config(), [9; 32]).unwrap()
}

/// The records of a machine with a job in it.
fn records() -> Records {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    assert_eq!(machine.call("POST", "/v1/translations", JOB).0, 202);
    machine.commit();
    machine.records
}

#[test]
fn work_begins_once_and_nothing_is_put_back_after_it() {
    let records = records();
    let mut memory = Box::new(Memory::new());
    let mut server = server(&mut memory);
    for (key, value) in &records {
        assert_eq!(server.restore(at(0), *key, value), Ok(()));
    }
    // Before it has begun nothing else can be done.
    assert_eq!(server.accept(at(0)), Err(AcceptError::NotStarted));
    let mut memory = [0; 1_024];
    let polled = server.poll(at(0), Ready::ALL, &mut memory);
    assert_eq!(polled, Err(PollError::NotStarted));
    let told = server.handle(at(0), Input::Shutdown);
    assert_eq!(told, Err(HandleError::NotStarted));

    assert_eq!(server.start(at(0)), Ok(()));
    let before = dubhook_tests::dump::dump(server.service());
    assert_eq!(server.start(at(0)), Err(RestoreError::Started));
    for (key, value) in &records {
        let again = server.restore(at(0), *key, value);
        assert_eq!(again, Err(RestoreError::Started));
    }
    assert_eq!(dubhook_tests::dump::dump(server.service()), before);
    assert_eq!(server.service().audit(), Ok(()));
}

#[test]
fn where_work_has_begun_by_itself_nothing_is_put_back_either() {
    let (key, value) = records().pop_first().unwrap();
    let mut memory = Box::new(Memory::new());
    let mut server = server(&mut memory);
    let _conn = server.accept(at(0)).unwrap();
    let late = server.restore(at(0), key, &value);
    assert_eq!(late, Err(RestoreError::Started));
    assert_eq!(server.start(at(0)), Err(RestoreError::Started));
}

#[test]
fn records_out_of_order_are_refused_and_the_machine_with_them() {
    let records = records();
    let mut memory = Box::new(Memory::new());
    let mut server = server(&mut memory);
    let reversed = records.iter().rev();
    let first_error = reversed
        .map(|(key, value)| server.restore(at(0), *key, value))
        .find_map(Result::err);
    assert!(first_error.is_some());
    // The first two are out of order, or the first one alone makes no sense.
    let (first, last) = (records.iter().next(), records.iter().next_back());
    let (first, last) = (first.unwrap(), last.unwrap());
    assert_eq!(first.0.table, Table::Meta);
    let mut memory = Box::new(Memory::new());
    let mut server = self::server(&mut memory);
    assert_eq!(server.restore(at(0), *first.0, first.1), Ok(()));
    let twice = server.restore(at(0), *first.0, first.1);
    assert_eq!(twice, Err(RestoreError::Order));
    // It stays of no use.
    assert_eq!(
        server.restore(at(0), *last.0, last.1),
        Err(RestoreError::Order)
    );
    assert_eq!(server.start(at(0)), Err(RestoreError::Order));
    assert_eq!(server.accept(at(0)), Err(AcceptError::NotStarted));
}

#[test]
fn memory_that_is_too_short_loses_no_record() {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let mut caller = Caller::open(&mut machine);
    caller.send(&mut machine, &request("POST", "/v1/translations", "", JOB));
    assert_eq!(caller.wants, Drive::Wait);
    let enough = machine.server.config().record_bytes_max();
    for len in [0, 1, enough - 1] {
        let mut memory = vec![0; len];
        let polled = machine.server.poll(at(0), Ready::RECORDS, &mut memory);
        assert_eq!(polled, Err(PollError::ShortMemory));
    }
    // Whoever takes no records need not lend any memory.
    let polled = machine.server.poll(at(0), Ready::NONE, &mut []);
    assert!(matches!(polled, Ok(Output::Sleep(_))));
    assert!(machine.commit() > 0);
    let tables: Vec<_> = machine.records.keys().map(|key| key.table).collect();
    assert!(tables.contains(&Table::Job) && tables.contains(&Table::Stream));
    caller.turn(&mut machine);
    assert_eq!(caller.answers()[0].status, 202);
}

#[test]
fn a_batch_is_for_the_machine_that_it_came_from() {
    let mut machines = [1, 2].map(|seed| Machine::durable(seed, Records::new(), at(0)));
    let [one, two] = &mut machines;
    for machine in [&mut *one, &mut *two] {
        let mut caller = Caller::open(machine);
        caller.send(machine, &request("POST", "/v1/translations", "", JOB));
    }
    let (_, batch) = one.write();
    let (_, other) = two.write();
    let taken = one.server.handle(at(0), Input::Durable(other.unwrap()));
    assert_eq!(taken, Err(HandleError::Batch));
    assert!(!one.server.is_all_durable());
    assert_eq!(one.next_conn(), None, "nothing became durable");
    one.durable_now(batch.unwrap());
    assert!(one.server.is_all_durable());
    assert!(one.next_conn().is_some());
}

#[test]
fn no_record_comes_out_between_a_batch_and_its_being_durable() {
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let mut first = Caller::open(&mut machine);
    first.send(&mut machine, &request("POST", "/v1/translations", "", JOB));
    let (count, batch) = machine.write();
    assert!(count > 0);
    let mut second = Caller::open(&mut machine);
    second.send(&mut machine, &request("POST", "/v1/translations", "", JOB));
    assert!(machine.server.has_unsaved());
    let (none, no_batch) = machine.write();
    assert_eq!((none, no_batch), (0, None));
    machine.durable_now(batch.unwrap());
    first.turn(&mut machine);
    second.turn(&mut machine);
    assert_eq!((first.answers().len(), second.answers().len()), (1, 0));
    assert!(machine.commit() > 0);
    second.turn(&mut machine);
    assert_eq!(second.answers().len(), 1);
}

#[test]
fn an_attempt_that_was_told_of_names_nothing() {
    let mut machine = Machine::volatile(1);
    assert_eq!(machine.call("POST", "/v1/translations", JOB).0, 202);
    let (attempt, _) = machine.attempt().unwrap();
    let mut url = [0; 256];
    let short = machine.server.attempt_url(attempt.id, &mut url[..3]);
    assert_eq!(short.err(), Some(RequestError::ShortMemory));
    let url = machine.server.attempt_url(attempt.id, &mut url).unwrap();
    let short = machine
        .server
        .write_attempt(at(0), attempt.id, &url, &mut [0; 100]);
    assert_eq!(short, Err(RequestError::ShortMemory));
    assert!(machine.settle(&attempt, 200).is_some());
    let written = machine
        .server
        .write_attempt(at(0), attempt.id, &url, &mut [0; 2_048]);
    assert_eq!(written, Err(RequestError::Unknown));
    let again = machine.server.attempt_url(attempt.id, &mut [0; 256]).err();
    assert_eq!(again, Some(RequestError::Unknown));
    let again = Input::Attempt {
        id: attempt.id,
        result: AttemptResult::Failed(AttemptError::Closed),
    };
    let again = machine.server.handle(at(0), again);
    assert_eq!(again, Err(HandleError::Attempt));
}

/// The bytes lie in memory of the driver's, where a device may write at the wrong moment.
#[test]
fn bytes_that_change_after_they_were_looked_at_end_the_connection() {
    let asks = request("POST", "/v1/translations", "", JOB);
    for place in 0..asks.len() {
        for byte in [0, b' ', b'\n', b'9'] {
            let mut machine = Machine::volatile(1);
            let conn = machine.server.accept(at(0)).unwrap();
            let mut memory = [asks.clone(), asks.clone()].concat();
            let len = memory.len();
            // The second request is whole and waits for room.
            let size = machine.server.config().answer_bytes_max();
            let mut output = vec![0; size];
            let mut filled = 0..len;
            let mut turns = 0;
            loop {
                let mut input = RecvBuf::resume(&mut memory, filled.clone());
                let mut out = Out::new(&mut output);
                let drive = machine.server.drive(at(0), conn, &mut input, &mut out);
                filled = input.filled_range();
                turns += 1;
                match drive.unwrap() {
                    Drive::Flush if turns == 1 => {
                        let at = filled.start + place.min(filled.len().saturating_sub(1));
                        if let Some(changed) = memory.get_mut(at) {
                            *changed = byte;
                        }
                    }
                    Drive::Flush => assert!(turns < 10, "{place}: it never ends"),
                    _ => break,
                }
            }
        }
    }
}

fn secret_text(secret: &Secret) -> String {
    let mut memory = [0; 128];
    let mut out = Out::new(&mut memory);
    secret.write_text(&mut out);
    String::from_utf8(out.written().to_vec()).unwrap()
}

/// As long as the limits allow, each of them.
#[test]
fn no_record_is_longer_than_is_said() {
    let limits = Config::DEVICE.service;
    let mut machine = Machine::durable(1, Records::new(), at(0));
    let url = |start: &str, len: usize| format!("{start}{}", "a".repeat(len - start.len()));
    let body = format!(
        r#"{{"video_url":"{}","target_language":"{}","source_language":"{}","reference":"{}","callback_url":"{}"}}"#,
        url("https://v.test/", limits.url_bytes_max),
        "en-aaaaaaaa-bbbbbbbb-cccccccc-ddddd",
        "en-aaaaaaaa-bbbbbbbb-cccccccc-ddddd",
        "r".repeat(limits.reference_bytes_max),
        url("http://127.0.0.1/", limits.callback_bytes_max),
    );
    assert_eq!(machine.call("POST", "/v1/translations", &body).0, 202);
    let hook = format!(
        r#"{{"url":"{}","description":"{}","secret":"{}"}}"#,
        url("http://127.0.0.1/", limits.callback_bytes_max),
        "d".repeat(limits.description_bytes_max),
        secret_text(&Secret::from_bytes(&[7; 64]).unwrap()),
    );
    let (status, made) = machine.call("POST", "/v1/webhooks", &hook);
    assert_eq!(status, 201);
    // Whatever was replaced is in it too, while it signs.
    let rotate = format!(
        "/v1/webhooks/{}/rotate-secret",
        made["id"].as_str().unwrap()
    );
    while machine.call("POST", &rotate, "").0 == 200 {}
    machine.commit();
    let most = |records: &Records| records.values().map(Vec::len).max();
    let most = most(&machine.records).unwrap();
    assert_eq!(most, machine.server.config().record_bytes_max());
}

#[test]
fn what_a_front_end_hands_in_is_checked_before_it_is_kept() {
    let mut memory = Box::new(Memory::new());
    let mut server = server(&mut memory);
    let good = NewJob {
        video_url: "https://example.test/v.mp4".into(),
        source_language: None,
        target_language: "es".into(),
        reference: None,
        callback_url: None,
    };
    let long = format!("https://example.test/{}", "a".repeat(500));
    let bad = [
        NewJob {
            video_url: "my video.mp4".into(),
            ..good
        },
        NewJob {
            video_url: long.as_str().into(),
            ..good
        },
        NewJob {
            target_language: "español".into(),
            ..good
        },
        NewJob {
            callback_url: Some("nonsense".into()),
            ..good
        },
        NewJob {
            callback_url: Some("".into()),
            ..good
        },
    ];
    for new in &bad {
        assert_eq!(server.submit(at(0), new), Err(SubmitError::Invalid));
        let keyed = server.submit_once(at(0), new, b"key", b"request");
        assert_eq!(keyed, Err(SubmitError::Invalid));
    }
    let job = server.submit(at(0), &good).unwrap().job;

    let nowhere = NewEndpoint {
        subject: Ix::new(9),
        ..NewEndpoint::new("http://127.0.0.1:3120/", Filter::ALL).unwrap()
    };
    let made = server.create_endpoint(at(0), nowhere);
    assert_eq!(made, Err(EndpointError::Subject));
    let narrowed = NewEndpoint {
        subject: Some(job),
        ..NewEndpoint::new("http://127.0.0.1:3120/", Filter::ALL).unwrap()
    };
    let made = server.create_endpoint(at(0), narrowed).unwrap();
    let change = EndpointChange {
        url: Some("nonsense".into()),
        ..EndpointChange::default()
    };
    let changed = server.change_endpoint(made, change);
    assert_eq!(changed, Err(EndpointError::Url));
    // What was taken can be put back, and it was all written.
    let mut records = Records::new();
    let mut room = vec![0; server.config().record_bytes_max()];
    while let Output::Save { key, value } = server.poll(at(0), Ready::RECORDS, &mut room).unwrap() {
        match value {
            Some(value) => drop(records.insert(key, value.to_vec())),
            None => drop(records.remove(&key)),
        }
    }
    for table in [Table::Meta, Table::Job, Table::State, Table::Endpoint] {
        assert!(records.keys().any(|key| key.table == table), "{table:?}");
    }
    let mut memory = Box::new(Memory::new());
    let mut again = self::server(&mut memory);
    for (key, value) in &records {
        assert_eq!(again.restore(at(0), *key, value), Ok(()));
    }
    assert_eq!(again.start(at(0)), Ok(()));
}

#[test]
fn a_connection_is_known_to_the_machine_alone_that_took_it_on() {
    let mut memory = [const { Memory::new() }; 2].map(Box::new);
    let [one, two] = &mut memory;
    let mut one = Server::new(one.lend(Keep::Nothing), config(), [1; 32]).unwrap();
    let mut two = Server::new(two.lend(Keep::Nothing), config(), [2; 32]).unwrap();
    let (_, of_two) = (one.accept(at(0)).unwrap(), two.accept(at(0)).unwrap());
    let mut room = vec![0; one.config().answer_bytes_max()];
    let mut bytes = *b"GET /status HTTP/1.1\r\nhost: here\r\n\r\n";
    let len = bytes.len();
    let mut input = RecvBuf::new(&mut bytes, len);
    let driven = one.drive(at(0), of_two, &mut input, &mut Out::new(&mut room));
    assert_eq!(driven, Ok(Drive::Close));
}
