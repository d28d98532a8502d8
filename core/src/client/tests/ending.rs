//! How the client ends.

use super::*;

#[test]
fn it_removes_its_registration_and_wants_nothing_more() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    world.follow(5);
    world.client.ask_status(world.now());
    world.client.close();
    assert!(!world.client.is_closed());
    // Until it is removed, webhooks are taken.
    let body = event(5, 2, "translation.processing", "processing");
    assert_eq!(world.tell(&body), (204, "job processing 2 told".into()));
    let told = world.answer(
        "DELETE /v1/webhooks/ep_00000000000000000000000001 ",
        204,
        "",
    );
    assert_eq!(told, "unregistered");
    assert!(world.client.is_closed());

    let body = event(5, 3, "translation.completed", "completed");
    assert_eq!(world.tell(&body), (410, String::new()));
    world.client.start(world.now());
    let new = NewTranslation::default();
    assert_eq!(
        world.client.submit(world.now(), &new),
        Err(CommandError::Closed)
    );
    let followed = world.client.follow(world.now(), id(6));
    assert_eq!(followed, Err(CommandError::Closed));
    let canceled = world.client.cancel(world.now(), id(6));
    assert_eq!(canceled, Err(CommandError::Closed));
    assert_eq!(world.poll(), None);
    assert_eq!(world.client.deadline(), None);
}

#[test]
fn one_that_the_server_has_forgotten_is_removed_too() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.register();
    world.client.close();
    world.answer("DELETE /v1/webhooks/", 404, "");
    assert!(world.client.is_closed());
}

#[test]
fn it_does_not_wait_for_ever_for_a_server_that_is_away() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.client.config.timings.check_ms = u32::MAX;
    world.register();
    world.client.ask_status(world.now());
    for _ in 0..9 {
        world.fail("GET /status ", Failure::Unreachable);
        world.wait();
    }
    world.fail("GET /status ", Failure::Unreachable);
    world.client.close();
    world.fail("DELETE /v1/webhooks/", Failure::Unreachable);
    assert!(!world.client.is_closed());
    assert!(world.wait().0 <= 550);
    world.fail("DELETE /v1/webhooks/", Failure::Unreachable);
    assert!(world.client.is_closed());
    assert_eq!(world.client.deadline(), None);
}

#[test]
fn without_a_registration_there_is_nothing_to_wait_for() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    world.client.close();
    assert!(world.client.is_closed());
    assert_eq!(world.poll(), None);
}

#[test]
fn a_registration_under_way_is_removed_as_well() {
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    let exchange = world.poll().unwrap();
    world.client.close();
    assert!(!world.client.is_closed());
    assert_eq!(world.respond(exchange, 201, "", ENDPOINT), "");
    world.answer("DELETE /v1/webhooks/", 204, "");
    assert!(world.client.is_closed());

    // One that failed is not made again.
    let mut memory = ClientStorage::new();
    let mut world = World::new(&mut memory, config(true));
    let exchange = world.poll().unwrap();
    world.client.close();
    let now = world.now();
    let input = Input::Failure {
        id: exchange.id,
        failure: Failure::Broken,
    };
    assert!(world.client.handle(now, input).is_ok());
    assert!(world.client.is_closed());
}
