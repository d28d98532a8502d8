//! Tables that do not go together are refused when the machine is made, and the error names the one that is at fault.

use dubhook_core::{
    delivery::Verdict,
    record::Keep,
    server::{Config, Server, ServerStorage, Tables},
    service::Limits,
    setup::{Lent, SetupError},
};
use dubhook_tests::machine::{Machine, at};

type Storage = ServerStorage<4, 2, 2, 2>;

fn refused(config: &Config<'_>, shorten: impl FnOnce(&mut Tables<'_>)) -> Option<SetupError> {
    let mut memory = Box::new(Storage::new());
    let mut tables = memory.lend(Keep::Records);
    shorten(&mut tables);
    Server::new(tables, *config, [1; 32]).err()
}

/// Cuts a lent slice.
macro_rules! cut {
    ($slice:expr, $len:expr) => {
        $slice = core::mem::take(&mut $slice)
            .get_mut(..$len)
            .expect("longer")
    };
}

#[track_caller]
fn check(what: Lent, needed: usize, shorten: impl FnOnce(&mut Tables<'_>)) {
    let error = refused(&Config::DEVICE, shorten).expect("refused");
    assert_eq!((error.what, error.needed), (what, needed), "{error}");
    assert!(error.lent < needed && error.to_string().contains(&needed.to_string()));
}

#[test]
fn what_belongs_together_is_checked_when_the_machine_is_made() {
    let config = Config::DEVICE;
    let limits = &config.service;
    assert_eq!(refused(&config, |_| ()), None);
    check(Lent::Jobs, 1, |t| cut!(t.service.jobs, 0));
    check(Lent::Chains, 4, |t| {
        cut!(t.service.dispatch.outbox.chains, 3)
    });
    let events = limits.state_events_max().into();
    check(Lent::Events, events, |t| {
        cut!(t.service.dispatch.outbox.events, events - 1)
    });
    check(Lent::Streams, 1, |t| {
        cut!(t.service.dispatch.outbox.streams, 0)
    });
    check(Lent::Attempts, 1, |t| {
        cut!(t.service.dispatch.outbox.attempts, 0)
    });
    check(Lent::Keys, 1, |t| cut!(t.service.keys, 0));
    check(Lent::Text, 3, |t| cut!(t.service.dispatch.blocks, 2));
    check(Lent::Connections, 1, |t| cut!(t.conns, 0));
    check(Lent::Watches, 1, |t| cut!(t.watches, 0));
    check(Lent::Log, 4, |t| cut!(t.service.dispatch.log, 3));
}

#[test]
fn lanes_that_deliver_nothing_are_refused() {
    check(Lent::Lanes, 3, |t| cut!(t.service.dispatch.outbox.lanes, 1));
    // With none for callbacks a job would be accepted whose callback is never told.
    check(Lent::Lanes, 3, |t| cut!(t.service.dispatch.outbox.lanes, 2));
}

#[test]
fn memory_that_is_shorter_than_the_limits_allow_is_refused() {
    let config = Config::DEVICE;
    let scratch = config.scratch_bytes_max();
    check(Lent::Scratch, scratch, |t| {
        cut!(t.service.dispatch.scratch, scratch - 1)
    });
    // It would be the caller who hears that a URL is too long.
    let decode = config.decode_bytes_max();
    check(Lent::Decode, decode, |t| cut!(t.decode, decode - 1));
    let longer = Config {
        service: Limits {
            url_bytes_max: 121,
            ..Limits::DEVICE
        },
        ..Config::DEVICE
    };
    assert!(refused(&longer, |_| ()).is_some());
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
    assert!(
        attempt.target.callback
            && request.starts_with("POST / HTTP/1.1\r\nhost: 127.0.0.1:3120\r\n")
    );
    let settled = machine.settle(&attempt, 200).expect("in flight");
    assert_eq!(settled.verdict, Verdict::Delivered);
}
