//! What the client makes of webhooks.

use super::*;

#[test]
fn each_event_counts_once_and_none_after_the_last() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    world.follow(5);
    let mut check = |sequence, kind: &str, status: &str, expect: &str| {
        let told = world.tell(&event(5, sequence, kind, status));
        assert_eq!(told, (204, expect.into()), "{sequence} {kind}");
    };
    check(1, "translation.pending", "pending", "");
    check(
        2,
        "translation.processing",
        "processing",
        "job processing 2 told",
    );
    check(2, "translation.processing", "processing", "");
    check(
        6,
        "translation.progress",
        "processing",
        "job progress 6 told",
    );
    check(4, "translation.progress", "processing", "");
    check(
        7,
        "translation.completed",
        "completed",
        "job completed 7 told",
    );
    check(7, "translation.completed", "completed", "");
    check(8, "translation.error", "error", "");
    let state = world.client.job(id(5)).unwrap();
    assert_eq!((state.sequence, state.progress), (7, 100));
    assert_eq!(world.client.status(), Some(NewestStatus::Completed));
}

#[test]
fn events_of_other_jobs_are_for_those_who_want_everything() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    let body = event(6, 1, "translation.pending", "pending");
    assert_eq!(world.tell(&body), (204, String::new()));
    assert_eq!(world.client.job(id(6)), None);

    let mut memory = ClientStorage::new();
    let mut config = config(true);
    config.everything = true;
    let mut world = World::new(&mut memory, config);
    world.register();
    // More jobs than there are slots: the ones heard of last are remembered.
    for n in 1..=9 {
        let body = event(n, 1, "translation.pending", "pending");
        assert_eq!(world.tell(&body), (204, "job pending 1 told".into()));
        assert_eq!(world.tell(&body), (204, String::new()), "a repeat");
    }
    assert!(world.client.job(id(6)).is_some());
    assert_eq!(world.client.job(id(5)), None);
    // A job that was heard of can be followed, and is asked about: even one that has ended.
    world.client.follow(world.now(), id(6)).unwrap();
    let told = world.answer("GET /v1/translations/", 200, &job(6, 1, "pending"));
    assert_eq!(told, "current 1 pending");
    let body = event(9, 4, "translation.error", "error");
    assert_eq!(world.tell(&body), (204, "job error 4 told".into()));
    world.client.follow(world.now(), id(9)).unwrap();
    assert_eq!(world.tell(&body), (204, String::new()), "a repeat");
    let told = world.answer("GET /v1/translations/", 200, &job(9, 4, "error"));
    assert_eq!(told, "current 4 error");
    assert_eq!(world.client.deadline().unwrap().reason, Reason::Ask);
}

#[test]
fn with_every_slot_followed_other_jobs_are_told_without_memory() {
    let mut memory = ClientStorage::new();
    let mut config = config(true);
    config.everything = true;
    let mut world = World::new(&mut memory, config);
    world.register();
    for n in 1..=4 {
        world.follow(n);
    }
    let body = event(9, 2, "translation.error", "error");
    for _ in 0..2 {
        assert_eq!(world.tell(&body), (204, "job error 2 told".into()));
    }
    assert_eq!(world.client.status(), Some(NewestStatus::Error));
}

#[test]
fn what_is_not_from_the_server_changes_nothing() {
    #[track_caller]
    fn check(change: impl FnOnce(String) -> String, expect: u16) {
        let mut memory = ClientStorage::new();
        let mut world = World::new(&mut memory, config(true));
        world.register();
        world.follow(5);
        let before = world.client.job(id(5));
        let body = event(5, 2, "translation.completed", "completed");
        let good = String::from_utf8(webhook(SECRET, UNIX_MS, &body)).unwrap();
        let changed = change(good.clone());
        assert_ne!(changed, good);
        assert_eq!(
            world.receive(&mut changed.into_bytes()),
            (expect, String::new())
        );
        assert_eq!(world.client.job(id(5)), before);
        assert_eq!(world.client.status(), Some(NewestStatus::Pending));
        // The real one is still welcome.
        let told = world.receive(&mut good.into_bytes());
        assert_eq!(told, (204, "job completed 2 told".into()));
    }
    let replace =
        |from: &'static str, to: &'static str| move |good: String| good.replacen(from, to, 1);
    check(replace("/webhook", "/"), 404);
    check(replace("/webhook", "/webhook/"), 404);
    check(replace("/webhook", "/webhook?a=1"), 404);
    check(replace("POST", "PUT"), 405);
    check(replace("webhook-id: evt_1\r\n", ""), 400);
    check(replace("webhook-id: evt_1", "webhook-id: evt.1"), 400);
    check(
        replace("webhook-timestamp: 1", "webhook-timestamp: +1"),
        400,
    );
    check(replace("webhook-id: evt_1", "webhook-id: evt_2"), 401);
    check(replace("\"sequence\":2", "\"sequence\":3"), 401);
    check(replace("v1,", "v2,"), 401);
    check(
        |_| {
            let body = event(5, 2, "translation.completed", "completed");
            let late = webhook(SECRET, UNIX_MS - 301_000, &body);
            String::from_utf8(late).unwrap()
        },
        401,
    );
    let signed = |body: &str| String::from_utf8(webhook(SECRET, UNIX_MS, body)).unwrap();
    check(|_| signed("{"), 400);
    check(|_| signed("{}"), 400);
    check(|_| signed("[]"), 400);
    let contradiction = event(5, 2, "translation.completed", "error");
    check(|_| signed(&contradiction), 400);
}

#[test]
fn a_webhook_may_have_a_query_or_no_path() {
    #[track_caller]
    fn check(url: &'static str, target: &str, expect: u16) {
        let mut memory = ClientStorage::new();
        let mut config = config(true);
        let mut hook = Webhook::new(url).unwrap();
        hook.secret = Some(Secret::from_random(SECRET));
        config.webhook = Some(hook);
        let mut world = World::new(&mut memory, config);
        let body = event(5, 1, "translation.pending", "pending");
        let request = String::from_utf8(webhook(SECRET, UNIX_MS, &body)).unwrap();
        let request = request.replacen("/webhook", target, 1);
        assert_eq!(
            world.receive(&mut request.into_bytes()).0,
            expect,
            "{target}"
        );
    }
    check("http://a.test", "/", 204);
    check("http://a.test", "/webhook", 404);
    check("http://a.test?key=1", "/?key=1", 204);
    check("http://a.test?key=1", "/?key=2", 404);
    check("http://a.test/hook?key=1", "/hook?key=1", 204);
    check("http://a.test/hook?key=1", "/hook", 404);
}

#[test]
fn a_client_without_a_webhook_is_told_nothing() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(false));
    let body = event(5, 1, "translation.pending", "pending");
    assert_eq!(world.tell(&body), (404, String::new()));
}

#[test]
fn tests_and_types_to_come_are_welcome() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    let test = r#"{"type":"webhook.test","timestamp":"2026-11-24T09:00:00.000Z","data":{"id":"ep_00000000000000000000000001"}}"#;
    assert_eq!(world.tell(test), (204, "test".into()));
    let other = r#"{"type":"translation.paused","timestamp":"2026-11-24T09:00:00.000Z","data":7}"#;
    assert_eq!(world.tell(other), (204, String::new()));
}

#[test]
fn two_secrets_are_live_while_one_replaces_the_other() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    world.follow(5);
    let key = |n: u8| Secret::from_random([n; 32]).signing_key();
    let body = |n| event(5, n, "translation.progress", "processing");
    assert_eq!(world.tell_signed([8; 32], &body(2)).0, 401);
    world.client.add_key(key(8));
    assert_eq!(world.tell_signed([8; 32], &body(2)).0, 204);
    assert_eq!(world.tell(&body(3)).0, 204);
    world.client.add_key(key(9));
    assert_eq!(world.tell(&body(4)).0, 401);
    assert_eq!(world.tell_signed([8; 32], &body(4)).0, 204);
    assert_eq!(world.tell_signed([9; 32], &body(5)).0, 204);
    assert_eq!(world.client.job(id(5)).unwrap().sequence, 5);
}

#[test]
fn an_event_under_way_with_an_answer_wins() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    world.client.ask_status(world.now());
    let exchange = world.poll().unwrap();
    world.tell(&event(5, 3, "translation.completed", "completed"));
    world.respond(exchange, 200, "", r#"{"status":"pending"}"#);
    assert_eq!(world.client.status(), Some(NewestStatus::Completed));
    // The two disagree, so it asks again, and by then the server agrees.
    world.wait();
    world.answer("GET /status ", 200, r#"{"status":"completed"}"#);
    assert_eq!(world.client.status(), Some(NewestStatus::Completed));
    assert_eq!(world.poll(), None);
}
