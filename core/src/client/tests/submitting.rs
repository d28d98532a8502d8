//! Translations that the client submits.

use super::*;

#[test]
fn a_translation_is_submitted_once_however_often_it_is_sent() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    let new = NewTranslation {
        video_url: "file:///a.mp4",
        target_language: "es",
        ..NewTranslation::default()
    };
    world.client.submit(world.now(), &new).unwrap();
    assert_eq!(
        world.client.submit(world.now(), &new),
        Err(SubmitError::Busy)
    );
    world.fail("POST /v1/translations ", Failure::Broken);
    let first = world.request.clone();
    world.wait();
    let exchange = world.poll().unwrap();
    assert_eq!(world.request, first, "the same request, with the same key");
    let request = str::from_utf8(&first).unwrap();
    let (_, key) = request.split_once("idempotency-key: ").unwrap();
    assert_eq!(key.find("\r\n"), Some(32));
    assert!(request.ends_with(r#"{"video_url":"file:///a.mp4","target_language":"es"}"#));

    let told = world.respond(exchange, 202, "", &job(5, 1, "pending"));
    assert_eq!(told, "submitted 1 pending");
    // The answer may be as old as the first attempt, so the job is asked about at once.
    world.answer("GET /v1/webhooks/", 200, ENDPOINT);
    let told = world.answer("GET /v1/translations/", 200, &job(5, 3, "completed"));
    assert_eq!(told, "job completed 3 asked");
}

#[test]
fn an_ending_that_overtakes_the_acceptance_is_not_lost() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    let new = NewTranslation::default();
    world.client.submit(world.now(), &new).unwrap();
    let exchange = world.poll().unwrap();
    let (status, told) = world.tell(&event(5, 2, "translation.error", "error"));
    assert_eq!((status, told.as_str()), (204, ""), "not followed yet");
    world.respond(exchange, 202, "", &job(5, 1, "pending"));
    // Whether it is the newest job's ending is not known for sure either.
    world.answer("GET /status ", 200, r#"{"status":"error"}"#);
    let told = world.answer("GET /v1/translations/", 200, &job(5, 2, "error"));
    assert_eq!(told, "job error 2 asked");
}

#[test]
fn a_job_that_was_heard_of_before_its_acceptance_is_asked_about() {
    let mut memory = ClientStorage::new();
    let mut config = config(true);
    config.everything = true;
    let mut world = World::new(&mut memory, config);
    world.register();
    let new = NewTranslation::default();
    world.client.submit(world.now(), &new).unwrap();
    let exchange = world.poll().unwrap();
    for (sequence, kind, status) in [
        (1, "translation.pending", "pending"),
        (2, "translation.error", "error"),
    ] {
        world.tell(&event(5, sequence, kind, status));
    }
    let told = world.respond(exchange, 202, "", &job(5, 1, "pending"));
    assert_eq!(told, "submitted 1 pending");
    let told = world.answer("GET /v1/translations/", 200, &job(5, 2, "error"));
    assert_eq!(told, "current 2 error");
}

#[test]
fn a_refused_translation_is_given_up_and_a_canceled_one_is_not_followed() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(false));
    world.answer("GET /status ", 404, "");
    let new = NewTranslation::default();
    world.client.submit(world.now(), &new).unwrap();
    let told = world.answer(
        "POST /v1/translations ",
        422,
        r#"{"code":"invalid_request"}"#,
    );
    assert_eq!(told, "Translate refused: 422 invalid_request");
    assert_eq!(world.poll(), None);

    world.client.submit(world.now(), &new).unwrap();
    let exchange = world.poll().unwrap();
    world.client.cancel_submission();
    assert_eq!(
        world.client.submit(world.now(), &new),
        Err(SubmitError::Busy),
        "its answer is still to come"
    );
    let told = world.respond(exchange, 202, "", &job(5, 1, "pending"));
    assert_eq!((told.as_str(), world.client.job(id(5))), ("", None));
    assert_eq!(world.client.submit(world.now(), &new), Ok(()));
}

#[test]
fn full_is_an_answer() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(false));
    let now = world.now();
    for n in 1..=3 {
        world.client.follow(now, id(n)).unwrap();
    }
    let long = "x".repeat(600);
    let new = NewTranslation {
        video_url: long.as_str(),
        ..NewTranslation::default()
    };
    assert_eq!(world.client.submit(now, &new), Err(SubmitError::TooLong));
    let new = NewTranslation::default();
    world.client.submit(now, &new).unwrap();
    assert_eq!(
        world.client.follow(now, id(4)),
        Err(Full),
        "the last slot is kept"
    );
    assert_eq!(world.client.follow(now, id(3)), Ok(()), "followed already");
    world.client.cancel_submission();
    world.client.follow(now, id(4)).unwrap();
    assert_eq!(world.client.submit(now, &new), Err(SubmitError::Full));
    world.client.unfollow(id(1));
    assert_eq!(world.client.submit(now, &new), Ok(()));

    // A request that does not fit is not lost.
    for room in 0..100 {
        let mut memory = [0; 100];
        let mut out = Out::new(&mut memory[..room]);
        assert_eq!(world.client.poll_request(now, &mut out), Err(Full));
        assert!(out.is_empty() && !out.is_full());
    }
    world.answer("POST /v1/translations ", 202, &job(5, 1, "pending"));
}
