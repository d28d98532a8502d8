//! Translations that the client submits.

use super::*;
use crate::job::Status;

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
        Err(CommandError::Busy)
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
    world.client.withdraw();
    assert_eq!(
        world.client.submit(world.now(), &new),
        Err(CommandError::Busy),
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
    assert_eq!(world.client.submit(now, &new), Err(CommandError::TooLong));
    let new = NewTranslation::default();
    world.client.submit(now, &new).unwrap();
    assert_eq!(
        world.client.follow(now, id(4)),
        Err(CommandError::NoRoom),
        "the last slot is kept"
    );
    assert_eq!(world.client.follow(now, id(3)), Ok(()), "followed already");
    world.client.withdraw();
    world.client.follow(now, id(4)).unwrap();
    assert_eq!(world.client.submit(now, &new), Err(CommandError::NoRoom));
    world.client.unfollow(id(1));
    assert_eq!(world.client.submit(now, &new), Ok(()));

    // A request that does not fit is not lost.
    for room in 0..100 {
        let mut memory = [0; 100];
        let mut out = Out::new(&mut memory[..room]);
        let polled = world.client.poll(now, &mut out);
        assert_eq!(polled.err(), Some(PollError::ShortOutput));
        assert!(out.is_empty() && !out.is_full());
    }
    world.answer("POST /v1/translations ", 202, &job(5, 1, "pending"));
}

#[test]
fn a_job_is_called_off() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    world.follow(5);
    world.client.cancel(world.now(), id(5)).unwrap();
    assert_eq!(
        world.client.cancel(world.now(), id(6)),
        Err(CommandError::Busy)
    );
    let path = "POST /v1/translations/job_00000000000000000000000005/cancel ";
    let told = world.fail(path, Failure::Broken);
    assert!(told.contains("delayed"), "{told}");
    world.wait();
    let told = world.answer(path, 200, &job(5, 2, "canceled"));
    assert_eq!(told, "canceled 2");
    assert_eq!(world.client.job(id(5)).unwrap().status, Status::Canceled);
    world.answer("GET /v1/webhooks/", 200, ENDPOINT);
    // What the webhook tells of it is known already.
    let body = event(5, 2, "translation.canceled", "canceled");
    assert_eq!(world.tell(&body), (204, String::new()));

    // One that nobody follows; one that has ended, and one that is not known.
    let path = "POST /v1/translations/job_00000000000000000000000006/cancel ";
    world.client.cancel(world.now(), id(6)).unwrap();
    let told = world.answer(path, 200, &job(6, 2, "canceled"));
    assert_eq!(
        (told.as_str(), world.client.job(id(6))),
        ("canceled 2", None)
    );
    world.client.cancel(world.now(), id(6)).unwrap();
    let told = world.answer(path, 409, r#"{"code":"job_ended"}"#);
    assert!(told.ends_with("refused: 409 job_ended"), "{told}");
    world.client.cancel(world.now(), id(6)).unwrap();
    assert_eq!(world.answer(path, 404, "{}"), "job unknown");
    world.client.cancel(world.now(), id(6)).unwrap();
    let told = world.answer(path, 200, &job(7, 2, "canceled"));
    assert!(told.contains("Unreadable"), "another job: {told}");
}

#[test]
fn jobs_are_listed_a_page_at_a_time() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    let now = world.now();
    let mut query = ListQuery {
        status: Some(Status::Error),
        limit: 2,
        cursor: None,
    };
    world.client.list(now, &query).unwrap();
    assert_eq!(world.client.list(now, &query), Err(CommandError::Busy));
    let new = NewTranslation::default();
    assert_eq!(world.client.submit(now, &new), Err(CommandError::Busy));
    let page = format!(
        r#"{{"data":[{},{}],"next_cursor":"job_7"}}"#,
        job(9, 3, "error"),
        job(7, 3, "error")
    );
    let told = world.answer(
        "GET /v1/translations?limit=2&status=error HTTP/1.1\r\n",
        200,
        &page,
    );
    assert_eq!(told, "list of 2");
    let list = List::read(page.as_bytes()).unwrap();
    let ids: Vec<_> = list.translations().map(|job| job.unwrap().id).collect();
    assert_eq!(ids, [id(9), id(7)]);
    assert!(list.next_cursor().unwrap() == "job_7");

    query.cursor = Some("job_7");
    world.client.list(now, &query).unwrap();
    let told = world.answer(
        "GET /v1/translations?limit=2&status=error&cursor=job_7 ",
        422,
        r#"{"code":"invalid_request"}"#,
    );
    assert_eq!(told, "List refused: 422 invalid_request");
    world.client.submit(now, &new).unwrap();
    world.answer("POST /v1/translations ", 202, &job(9, 1, "pending"));
}

#[test]
fn a_job_can_call_back_where_nothing_is_registered() {
    let mut memory = ClientStorage::new();
    let mut config = config(true);
    config.webhook.as_mut().unwrap().as_callback = true;
    let mut world = World::new(&mut memory, config);
    world.answer("GET /status ", 404, "{}");
    let new = NewTranslation::new("file:///v.mp4", "es");
    world.client.submit(world.now(), &new).unwrap();
    let exchange = world.poll().unwrap();
    let request = String::from_utf8(world.request.clone()).unwrap();
    assert!(request.ends_with(
        r#"{"video_url":"file:///v.mp4","target_language":"es","callback_url":"http://localhost:3120/webhook"}"#
    ));
    let accepted = job(5, 1, "pending");
    let accepted = accepted.strip_suffix('}').unwrap();
    // The bytes that the secret is made of are all 8.
    let secret = r#""callback_secret":"whsec_CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=""#;
    let accepted = format!("{accepted},{secret}}}");
    let told = world.respond(exchange, 202, "", &accepted);
    assert_eq!(told, "submitted 1 pending");

    // It waits for what it is told as one that has registered does.
    let (waited_ms, _) = world.wait();
    assert!((4_500..=5_500).contains(&waited_ms), "{waited_ms}");
    world.answer("GET /v1/translations/", 200, &job(5, 1, "pending"));
    let body = event(5, 2, "translation.completed", "completed");
    assert_eq!(world.tell_signed([9; 32], &body).0, 401);
    let told = world.tell_signed([8; 32], &body);
    assert_eq!(told, (204, "job completed 2 told".into()));
    assert!(!world.client.is_registered());
    world.client.close();
    assert!(world.client.is_closed());
}
