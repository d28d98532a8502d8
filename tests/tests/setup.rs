//! Tables that do not go together are refused when the machine is made, and the error names the one that is at fault.

use dubhook_core::{
    dispatch::Verdict,
    record::Keep,
    server::{Config, Server, ServerMemory, ServerStorage, Sizes},
    service::Limits,
    setup::{Lent, SetupError},
};
use dubhook_tests::{
    machine::{Machine, at},
    tables::Vectors,
};

const SIZES: Sizes = Sizes {
    jobs: 4,
    blocks: 56,
    endpoints: 2,
    keys: 4,
    events: 24,
    streams: 8,
    lanes: 4,
    attempts: 2,
    conns: 2,
    log: 4,
    log_answer_bytes: 0,
    feed: 32,
};

/// What a server says of tables of these sizes, made for a device.
fn refused(config: &Config<'_>, sizes: &Sizes) -> Option<SetupError> {
    let mut memory = ServerMemory::<Vectors>::new(sizes, &Config::DEVICE);
    Server::new(memory.lend(Keep::Records), *config, [1; 32]).err()
}

#[track_caller]
fn check(what: Lent, needed: usize, sizes: &Sizes) {
    let error = refused(&Config::DEVICE, sizes).expect("refused");
    assert_eq!((error.what, error.needed), (what, needed), "{error}");
    assert!(error.lent < needed && error.to_string().contains(&needed.to_string()));
}

#[test]
fn what_belongs_together_is_checked_when_the_machine_is_made() {
    assert_eq!(refused(&Config::DEVICE, &SIZES), None);
    check(Lent::Jobs, 1, &Sizes { jobs: 0, ..SIZES });
    let needed = Limits::DEVICE.state_events_max().into();
    let events = needed - 1;
    check(Lent::Events, needed, &Sizes { events, ..SIZES });
    check(
        Lent::Streams,
        1,
        &Sizes {
            streams: 0,
            ..SIZES
        },
    );
    check(
        Lent::Attempts,
        1,
        &Sizes {
            attempts: 0,
            ..SIZES
        },
    );
    check(Lent::Keys, 1, &Sizes { keys: 0, ..SIZES });
    check(Lent::Text, 3, &Sizes { blocks: 2, ..SIZES });
    check(Lent::Connections, 1, &Sizes { conns: 0, ..SIZES });
    check(Lent::Log, 4, &Sizes { log: 3, ..SIZES });
}

#[test]
fn lanes_that_deliver_nothing_are_refused() {
    check(Lent::Lanes, 3, &Sizes { lanes: 1, ..SIZES });
    // With none for callbacks a job would be accepted whose callback is never told.
    check(Lent::Lanes, 3, &Sizes { lanes: 2, ..SIZES });
}

#[test]
fn memory_that_is_shorter_than_the_limits_allow_is_refused() {
    let with = |service| Config {
        service,
        ..Config::DEVICE
    };
    let longer = with(Limits {
        reference_bytes_max: 33,
        ..Limits::DEVICE
    });
    let error = refused(&longer, &SIZES).expect("refused");
    assert_eq!(error.what, Lent::Scratch);
    assert_eq!(error.needed, longer.scratch_bytes_max());
    // It would be the caller who hears that a URL is too long.
    let longer = with(Limits {
        url_bytes_max: 300,
        ..Limits::DEVICE
    });
    let error = refused(&longer, &SIZES).expect("refused");
    assert_eq!(error.what, Lent::Decode);
    assert_eq!(error.needed, longer.decode_bytes_max());
}

#[test]
fn a_device_without_endpoints_tells_callbacks() {
    let memory = Box::leak(Box::new(ServerStorage::<1, 0, 1, 1>::new()));
    let mut config = Config::DEVICE;
    config.guard.allow_loopback = true;
    let server = Server::new(memory.lend(Keep::Nothing), config, [1; 32]).unwrap();
    let mut machine = Machine::over(server, at(0));
    let body = r#"{"video_url":"https://a.test/v.mp4","target_language":"es","callback_url":"http://127.0.0.1:3120/"}"#;
    assert_eq!(machine.call("POST", "/v1/translations", body).0, 202);
    let (attempt, request) = machine.attempt().expect("an attempt");
    assert!(attempt.callback && request.starts_with("POST / HTTP/1.1\r\nhost: 127.0.0.1:3120\r\n"));
    let settled = machine.settle(&attempt, 200).expect("in flight");
    assert_eq!(settled.verdict, Verdict::Delivered);
}
