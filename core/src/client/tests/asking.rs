//! What the client asks, when, and what it makes of the answers.

use super::*;

#[test]
fn it_registers_then_asks_for_all_it_follows() {
    let mut memory = ClientStorage::new();
    let mut config = config(true);
    config.server = config.server.with_key("k3y").unwrap();
    let mut world = World::new(&mut memory, config);
    world.client.follow(world.now(), id(5)).unwrap();

    let exchange = world.poll().unwrap();
    let request = str::from_utf8(&world.request).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        head,
        format!(
            "POST /v1/webhooks HTTP/1.1\r\nhost: 127.0.0.1:8000\r\nuser-agent: dubhook/{version}\r\n\
             accept: application/json\r\nauthorization: Bearer k3y\r\n\
             content-type: application/json\r\ncontent-length: {}",
            body.len()
        )
    );
    assert_eq!(
        body,
        r#"{"url":"http://localhost:3120/webhook","events":["translation.*"],"description":"dubhook client","secret":"whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}"#
    );
    assert_eq!(world.poll(), None, "one exchange at a time");
    assert_eq!(world.respond(exchange, 201, "", ENDPOINT), "registered");
    assert!(world.client.is_registered());

    world.answer("GET /status HTTP/1.1\r\n", 404, "{}");
    assert_eq!(world.client.status(), None);
    let told = world.answer(
        "GET /v1/translations/job_00000000000000000000000005 ",
        200,
        &job(5, 2, "processing"),
    );
    assert_eq!(told, "job processing 2 asked");
    assert_eq!(world.client.job(id(5)).unwrap().progress, 10);
    assert_eq!(world.client.status(), Some(NewestStatus::Pending));
    assert_eq!(world.poll(), None);
}

#[test]
fn a_webhook_can_be_narrowed() {
    let mut memory = ClientStorage::new();
    let mut config = config(true);
    let webhook = config.webhook.as_mut().unwrap();
    webhook.job = Some(id(5));
    webhook.events = crate::event::Filter::NONE;
    assert!(webhook.events.add("translation.error"));
    let mut world = World::new(&mut memory, config);
    assert!(world.poll().is_some());
    let request = str::from_utf8(&world.request).unwrap();
    assert!(request.contains(r#""events":["translation.error"]"#));
    assert!(request.ends_with(r#","job":"job_00000000000000000000000005"}"#));
}

#[test]
fn a_silent_job_is_asked_about_after_growing_pauses() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    // The look at the registration is another story.
    world.client.config.timings.check_ms = u32::MAX;
    world.register();
    world.follow(5);
    let mut total_ms = 0;
    for expect_ms in [
        5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000,
    ] {
        let (waited_ms, _) = world.wait();
        let off_ms = expect_ms / 10;
        assert!(
            (expect_ms - off_ms..=expect_ms + off_ms).contains(&waited_ms),
            "{waited_ms}, not {expect_ms}"
        );
        total_ms += waited_ms;
        let told = world.answer("GET /v1/translations/", 200, &job(5, 1, "pending"));
        assert_eq!(told, "");
    }
    assert_eq!(world.ms, total_ms);

    // A webhook puts the question off; an answer that should have come as one makes pauses short.
    world.ms += 100_000;
    world.tell(&event(5, 2, "translation.processing", "processing"));
    assert!(world.wait().0 >= 270_000);
    let told = world.answer("GET /v1/translations/", 200, &job(5, 4, "processing"));
    assert_eq!(told, "job progress 4 asked");
    world.answer("GET /v1/webhooks/", 200, ENDPOINT);
    assert!(world.wait().0 <= 5_500);
    let told = world.answer("GET /v1/translations/", 200, &job(5, 3, "processing"));
    assert_eq!(told, "", "older than what is known");
    world.wait();
    let told = world.answer("GET /v1/translations/", 200, &job(5, 5, "completed"));
    assert_eq!(told, "job completed 5 asked");
    world.answer("GET /v1/webhooks/", 200, ENDPOINT);
    assert_eq!(world.poll(), None);
    let next = world.client.deadline().unwrap();
    assert_eq!(
        next.at.ms_since(world.now().instant),
        u64::from(u32::MAX),
        "nothing but the registration is left to ask about"
    );
}

#[test]
fn without_a_webhook_it_asks_more_often() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(false));
    world.answer("GET /status ", 404, "");
    world.follow(5);
    for expect_ms in [1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
        let (waited_ms, _) = world.wait();
        let off_ms = expect_ms / 10;
        assert!((expect_ms - off_ms..=expect_ms + off_ms).contains(&waited_ms));
        world.answer("GET /v1/translations/", 200, &job(5, 1, "pending"));
    }
}

#[test]
fn a_job_that_the_server_does_not_know_is_let_go() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(false));
    world.answer("GET /status ", 404, "");
    world.client.follow(world.now(), id(5)).unwrap();
    let told = world.answer("GET /v1/translations/", 404, "{}");
    assert_eq!(told, "job unknown");
    assert_eq!(world.client.job(id(5)), None);
    assert_eq!(world.client.deadline(), None);
}

#[test]
fn a_server_that_is_away_is_tried_again_and_again() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    for expect_ms in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        let told = world.fail("POST /v1/webhooks ", Failure::Unreachable);
        assert_eq!(told, "Register delayed: Unreachable");
        assert_eq!(world.poll(), None, "not at once");
        assert_eq!(world.client.deadline().unwrap().reason, Reason::Retry);
        let off_ms = expect_ms / 10;
        assert!((expect_ms - off_ms..=expect_ms + off_ms).contains(&world.wait().0));
    }
    world.register();

    // Whoever wants something now need not wait for the pause to end, unless the server asked for it.
    world.client.ask_status(world.now());
    world.fail("GET /status ", Failure::Broken);
    world.client.follow(world.now(), id(5)).unwrap();
    let exchange = world.poll().unwrap();
    world.respond(exchange, 503, "retry-after: 120\r\n", "");
    world.client.follow(world.now(), id(6)).unwrap();
    assert_eq!(world.poll(), None);
    assert_eq!(world.wait().0, 120_000);
}

#[test]
fn a_server_that_was_started_anew_is_told_again_whom_to_tell() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    world.follow(5);
    world.client.ask_status(world.now());
    world.fail("GET /status ", Failure::Unreachable);
    world.wait();
    world.answer("GET /status ", 404, "");
    // It was away, so the registration is looked at without delay.
    let told = world.answer("GET /v1/webhooks/ep_00000000000000000000000001 ", 404, "{}");
    assert_eq!(told, "registration lost");
    assert!(!world.client.is_registered());
    let again = ENDPOINT.replace("ep_0", "ep_1");
    assert_eq!(
        world.answer("POST /v1/webhooks ", 201, &again),
        "registered"
    );
    world.answer("GET /status ", 404, "");
    assert_eq!(
        world.answer("GET /v1/translations/", 404, ""),
        "job unknown"
    );
    // Not to know a job is suspicious; not when the registration is still known.
    world.answer("GET /v1/webhooks/ep_1", 200, &again);
    // And from then on each minute.
    assert_eq!(world.wait().0, 60_000);
    world.answer(
        "GET /v1/webhooks/ep_10000000000000000000000001 ",
        200,
        &again,
    );
    assert_eq!(world.wait().0, 60_000);
}

#[test]
fn a_disabled_webhook_is_replaced_unless_somebody_wants_it_so() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    let disabled = |reason: &str| {
        let rest = format!("false,\"disabled_reason\":\"{reason}\"}}");
        ENDPOINT.replace("true}", &rest)
    };
    world.wait();
    let told = world.answer(
        "GET /v1/webhooks/",
        200,
        &disabled("switched off by request"),
    );
    assert_eq!(told, "switched off");
    assert!(world.client.is_registered());
    world.wait();
    let told = world.answer(
        "GET /v1/webhooks/",
        200,
        &disabled("the receiver answered 410"),
    );
    assert_eq!(told, "");
    world.answer(
        "DELETE /v1/webhooks/ep_00000000000000000000000001 ",
        204,
        "",
    );
    world.register();
}

#[test]
fn a_refused_registration_leaves_asking() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    let told = world.answer("POST /v1/webhooks ", 422, r#"{"code":"callback_blocked"}"#);
    assert_eq!(told, "Register refused: 422 callback_blocked");
    world.answer("GET /status ", 200, r#"{"status":"error"}"#);
    assert_eq!(world.client.status(), Some(NewestStatus::Error));
    assert_eq!(world.poll(), None);
    world.client.start(world.now());
    world.register();
}

#[test]
fn an_answer_that_makes_no_sense_is_a_failure() {
    for (status, body) in [
        (200, "no json"),
        (200, "{}"),
        (200, r#"{"status":"done"}"#),
        (500, r#"{"status":"pending"}"#),
        (429, ""),
        (408, ""),
    ] {
        let mut memory = ClientStorage::new();
        let mut world = World::new(&mut memory, config(false));
        let told = world.answer("GET /status ", status, body);
        assert!(told.starts_with("Status delayed"), "{told}");
        world.wait();
        world.answer("GET /status ", 200, r#"{"status":"completed"}"#);
        assert_eq!(world.client.status(), Some(NewestStatus::Completed));
    }
    // An answer about another job than the one that was asked about.
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(false));
    world.answer("GET /status ", 404, "");
    world.client.follow(world.now(), id(5)).unwrap();
    let told = world.answer("GET /v1/translations/", 200, &job(6, 1, "pending"));
    assert!(told.contains("Unreadable"), "{told}");
    assert_eq!(world.client.job(id(5)), None);
}

#[test]
fn an_answer_that_is_overdue_is_a_failure_and_comes_too_late() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(false));
    let exchange = world.poll().unwrap();
    assert_eq!(world.client.deadline().unwrap().reason, Reason::Answer);
    assert!(matches!(world.poll_output(), Output::Sleep(_)));
    let (waited_ms, told) = world.wait();
    assert_eq!(
        (waited_ms, told.as_str()),
        (15_000, "Status delayed: TimedOut")
    );
    assert_eq!(world.client.in_flight(), None);
    let told = world.respond(exchange, 200, "", r#"{"status":"completed"}"#);
    assert_eq!((told.as_str(), world.client.status()), ("Exchange", None));
}

#[test]
fn the_same_seed_and_inputs_give_the_same_outputs() {
    let run = |seed| {
        let mut memory = ClientStorage::<4>::new();
        let mut config = config(true);
        config.webhook.as_mut().unwrap().secret = None;
        let mut world = World {
            client: Client::new(memory.lend(), config, seed),
            ms: 0,
            request: Vec::new(),
            sent: None,
        };
        let mut bytes = Vec::new();
        world.client.start(world.now());
        let new = NewTranslation::default();
        world.client.submit(world.now(), &new).unwrap();
        world.fail("POST /v1/webhooks ", Failure::Broken);
        bytes.extend_from_slice(&world.request);
        bytes.push(world.wait().0 as u8);
        world.answer("POST /v1/webhooks ", 201, ENDPOINT);
        world.fail("POST /v1/translations ", Failure::Broken);
        bytes.extend_from_slice(&world.request);
        bytes
    };
    assert_eq!(run([1; 32]), run([1; 32]));
    assert_ne!(run([1; 32]), run([2; 32]));
}

#[test]
fn it_asks_while_the_server_has_no_room_for_its_webhook() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.client.follow(world.now(), id(5)).unwrap();
    let told = world.answer("POST /v1/webhooks ", 503, "{}");
    assert_eq!(told, "Register delayed: Status(503)");
    let mut registrations = 0;
    let mut sequence = 1;
    // Whatever comes of the registration, the job is asked about all the while.
    let mut last_ms = world.ms;
    while sequence < 30 {
        assert!(world.ms - last_ms <= 60_000, "{sequence}: {} ms", world.ms);
        let Some(exchange) = world.poll() else {
            world.wait();
            continue;
        };
        match exchange.call {
            Call::Register => {
                registrations += 1;
                world.respond(exchange, 503, "", "{}");
            }
            Call::Job(_) => {
                last_ms = world.ms;
                sequence += 1;
                world.respond(exchange, 200, "", &job(5, sequence, "processing"));
            }
            _ => {
                world.respond(exchange, 200, "", r#"{"status":"pending"}"#);
            }
        }
    }
    assert!((3..=12).contains(&registrations), "{registrations}");
    // And once there is room it registers, and asks for all again.
    while !world.client.is_registered() {
        match world.poll() {
            Some(exchange) if exchange.call == Call::Register => {
                world.respond(exchange, 201, "", ENDPOINT);
            }
            Some(exchange) => {
                world.respond(exchange, 200, "", &job(5, sequence, "processing"));
            }
            None => {
                world.wait();
            }
        }
    }
}
