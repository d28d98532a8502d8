//! The client machine against the server machine, in virtual time and without a socket.

use dubhook_core::{
    client::{Failure, Input, Output},
    job::Status,
    model::{NewTranslation, NewestStatus},
    service::Report,
};
use dubhook_tests::{machine::Machine, pair::Pair};

/// A client that has registered.
fn registered() -> Pair {
    let mut pair = Pair::new(1);
    pair.client.start(pair.machine.now);
    pair.exchange();
    assert_eq!(pair.learned(), ["registered", "status none"]);
    pair
}

fn submit(pair: &mut Pair) {
    let new = NewTranslation {
        video_url: "file:///v.mp4",
        target_language: "es",
        ..NewTranslation::default()
    };
    pair.client.submit(pair.machine.now, &new).unwrap();
}

#[test]
fn a_client_that_registers_is_told_pending_and_completed() {
    let mut pair = Pair::new(1);
    // The job is there before the client is.
    let job = pair.submit();
    pair.client.start(pair.machine.now);
    pair.settle();
    assert_eq!(pair.learned(), ["registered", "status pending"]);
    assert_eq!(pair.client.status(), Some(NewestStatus::Pending));

    assert_eq!(pair.machine.start_job(), Some(job));
    pair.settle();
    assert_eq!(pair.learned(), ["told translation.processing 2"]);
    pair.machine
        .report(job, Report::Completed("file:///out.mp4"));
    for delivery in &pair.take_deliveries() {
        assert_eq!(pair.deliver(delivery), 204);
    }
    // It holds the new status without having asked.
    assert_eq!(pair.learned(), ["told translation.completed 3"]);
    assert_eq!(pair.client.status(), Some(NewestStatus::Completed));
    assert_eq!(pair.client.job(job).unwrap().progress, 100);
    assert_eq!(
        pair.machine.call("GET", "/status", "").1["status"],
        "completed"
    );
}

#[test]
fn a_client_that_registers_is_told_pending_and_error() {
    let mut pair = registered();
    let job = pair.submit();
    pair.settle();
    assert_eq!(pair.client.status(), Some(NewestStatus::Pending));
    pair.machine.start_job();
    pair.settle();
    pair.machine
        .report(job, Report::Failed("The video has no sound."));
    pair.settle();
    assert_eq!(
        pair.learned(),
        [
            "told translation.pending 1",
            "told translation.processing 2",
            "told translation.error 3"
        ]
    );
    assert_eq!(pair.client.status(), Some(NewestStatus::Error));
}

#[test]
fn a_translation_that_is_submitted_is_followed_to_its_end() {
    let mut pair = registered();
    submit(&mut pair);
    pair.settle();
    assert_eq!(
        pair.learned(),
        ["submitted 1"],
        "its first event says no more"
    );
    let job = pair.machine.start_job().unwrap();
    pair.machine.report(job, Report::Progress(40));
    pair.settle();
    pair.machine
        .report(job, Report::Completed("file:///out.mp4"));
    pair.settle();
    let learned = pair.learned();
    assert_eq!(learned.first().unwrap(), "told translation.processing 2");
    assert_eq!(learned.last().unwrap(), "told translation.completed 4");
    // An end is an end: but for the registration, nothing is asked any more.
    pair.asked.clear();
    pair.advance_ms(600_000);
    assert!(
        pair.asked
            .iter()
            .all(|(line, _)| line.starts_with("GET /v1/webhooks/"))
    );
    assert_eq!(pair.asked.len(), 10);
}

#[test]
fn a_lost_webhook_costs_time_and_never_truth() {
    let mut pair = registered();
    submit(&mut pair);
    pair.settle();
    pair.learned();
    let job = pair.machine.start_job().unwrap();
    pair.machine
        .report(job, Report::Completed("file:///out.mp4"));
    for delivery in &pair.take_deliveries() {
        pair.lose(delivery);
    }
    // All that the server sends is lost, for ever; within the first pause the client has asked.
    let mut waited_ms = 0;
    while pair.client.job(job).unwrap().status != Status::Completed {
        pair.advance_ms(100);
        waited_ms += 100;
        for delivery in &pair.take_deliveries() {
            pair.lose(delivery);
        }
    }
    assert!((4_500..=5_600).contains(&waited_ms), "{waited_ms}");
    assert_eq!(pair.learned(), ["asked translation.completed 3"]);
    // What comes after all is a repeat.
    pair.advance_ms(400_000);
    pair.settle();
    assert_eq!(pair.learned(), Vec::<String>::new());
}

#[test]
fn repeats_and_reorder_do_nothing() {
    let mut pair = registered();
    let job = pair.submit();
    let first = pair.take_deliveries();
    assert_eq!(pair.deliver(&first[0]), 204);
    pair.machine.start_job();
    let second = pair.take_deliveries();
    assert_eq!(pair.deliver(&second[0]), 204);
    pair.machine
        .report(job, Report::Completed("file:///out.mp4"));
    let third = pair.take_deliveries();
    assert_eq!(pair.deliver(&third[0]), 204);
    let learned = pair.learned();
    assert_eq!(learned.len(), 3);
    // A network that repeats: each again, and the oldest last.
    for (_, request) in [&third[0], &second[0], &first[0]] {
        assert_eq!(pair.arrive(request), 204);
    }
    assert_eq!(pair.learned(), Vec::<String>::new());
    assert_eq!(pair.client.job(job).unwrap().status, Status::Completed);
    assert_eq!(pair.client.status(), Some(NewestStatus::Completed));

    // A delivery whose answer is lost comes again, and is answered as before.
    let job = pair.submit();
    let first = pair.take_deliveries();
    assert_eq!(pair.arrive(&first[0].1), 204);
    pair.lose(&first[0]);
    pair.advance_ms(6_000);
    let again = pair.take_deliveries();
    assert_eq!(pair.deliver(&again[0]), 204);
    assert_eq!(pair.learned(), ["told translation.pending 1"]);
    assert!(pair.client.job(job).is_some());
}

#[test]
fn a_server_that_lost_its_memory_is_told_again_whom_to_tell() {
    let mut pair = registered();
    submit(&mut pair);
    pair.settle();
    pair.learned();
    // It dies, is away for a minute, and comes back with nothing.
    let now = pair.machine.now;
    pair.reachable = false;
    pair.advance_ms(60_000);
    let away = pair.learned();
    assert!(away.iter().all(|line| line == "delayed: Unreachable"));
    assert!((5..=9).contains(&away.len()), "{}", away.len());
    let later = pair.machine.now;
    assert_eq!(later.instant.ms_since(now.instant), 60_000);
    pair.machine = Machine::volatile(9);
    pair.machine.now = later;
    pair.reachable = true;
    pair.advance_ms(33_000);
    let learned = pair.learned();
    for expect in ["job unknown", "registration lost", "registered"] {
        assert!(learned.iter().any(|line| line == expect), "{learned:?}");
    }
    let job = pair.submit();
    pair.settle();
    assert_eq!(pair.learned(), ["told translation.pending 1"]);
    assert_eq!(pair.client.job(job).unwrap().status, Status::Pending);
}

#[test]
fn an_idle_client_finds_out_within_a_minute() {
    let mut pair = registered();
    let now = pair.machine.now;
    pair.machine = Machine::volatile(9);
    pair.machine.now = now;
    pair.advance_ms(60_000);
    assert_eq!(
        pair.learned(),
        ["registration lost", "registered", "status none"]
    );
}

#[test]
fn a_client_that_closes_is_told_no_more() {
    let mut pair = registered();
    let job = pair.submit();
    let under_way = pair.take_deliveries();
    pair.client.close();
    pair.exchange();
    assert!(pair.client.is_closed());
    assert_eq!(pair.learned(), ["unregistered"]);
    let (_, list) = pair.machine.call("GET", "/v1/webhooks", "");
    assert_eq!(list["data"].as_array().unwrap().len(), 0);
    // What was under way then is turned away for good.
    assert_eq!(pair.deliver(&under_way[0]), 410);
    pair.machine.start_job();
    pair.machine.report(job, Report::Failed("no"));
    assert!(pair.take_deliveries().is_empty());
    pair.advance_ms(86_400_000);
    assert!(pair.take_deliveries().is_empty());
}

#[test]
fn a_submission_whose_answer_is_lost_makes_one_job() {
    let mut pair = registered();
    submit(&mut pair);
    let mut memory = [0; 2_048];
    let mut out = dubhook_core::out::Out::new(&mut memory);
    let now = pair.machine.now;
    let Output::Send(exchange) = pair.client.poll(now, &mut out).unwrap() else {
        panic!("nothing to send");
    };
    // The request arrives; its answer does not.
    pair.machine.exchange(out.written());
    let input = Input::Failure {
        id: exchange.id,
        failure: Failure::Broken,
    };
    let _ = pair.client.handle(now, input).unwrap();
    let job = pair.machine.start_job().unwrap();
    pair.machine
        .report(job, Report::Completed("file:///out.mp4"));
    pair.advance_ms(600);
    let learned = pair.learned();
    assert_eq!(learned, ["submitted 1", "asked translation.completed 3"]);
    assert_eq!(pair.machine.server.service().jobs_len(), 1);
    pair.settle();
    assert_eq!(pair.learned(), Vec::<String>::new());
}
