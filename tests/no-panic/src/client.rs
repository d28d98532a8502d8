//! Gates to the client: its own server for webhooks, the answers that it gets, its commands.

use core::hint::black_box;

use dubhook_core::{
    client::{Client, Config, Drive, Failure, Server, Webhook, read_event},
    http::RecvBuf,
    json::{self, Str},
    model::{NewTranslation, Problem, Webhook as WebhookModel},
    out::Out,
    url::Url,
};

use crate::{Gate, world::World};

pub(crate) const GATES: &[Gate] = &[
    client_new,
    commands,
    exchanges,
    receiver,
    webhooks,
    client_views,
];

fn client_new(world: &mut World<'_>) {
    let (Ok(server), Ok(url)) = (
        Server::parse(world.text).and_then(|server| server.with_key(world.text)),
        Url::parse(world.text, world.size),
    ) else {
        return;
    };
    let config = Config::new(server, Some(Webhook::new(url)));
    let mut client = Client::new(world.client_memory.lend(), config, world.seed);
    client.start(world.now);
}

fn commands(world: &mut World<'_>) {
    let client = &mut *world.client;
    client.start(world.now);
    client.ask_status(world.now);
    black_box(client.follow(world.now, world.id).is_ok());
    let new = NewTranslation {
        video_url: world.text,
        target_language: world.text,
        source_language: Some(world.text),
        reference: Some(world.text),
        callback_url: Some(world.text),
    };
    black_box(client.submit(world.now, &new).is_ok());
    client.add_key(world.key.clone());
    black_box(client.job(world.id));
    client.unfollow(world.id);
    client.cancel_submission();
    client.close();
}

fn exchanges(world: &mut World<'_>) {
    let client = &mut *world.client;
    black_box(client.poll_timeout());
    black_box(client.handle_timeout(world.now).is_some());
    let request = client.poll_request(world.now, &mut Out::new(world.room));
    black_box(request.is_ok());
    if let Some(response) = world.response.response(world.bytes) {
        black_box(
            client
                .handle_response(world.now, world.exchange, &response)
                .is_some(),
        );
    }
    black_box(
        client
            .handle_failure(world.now, world.exchange, Failure::Broken)
            .is_some(),
    );
}

fn receiver(world: &mut World<'_>) {
    let mut input = RecvBuf::resume(world.bytes, world.size..world.number as usize);
    let mut out = Out::new(world.room);
    let drive = world.receiver.drive(
        world.now,
        world.client,
        &world.http_limits,
        &mut input,
        &mut out,
    );
    black_box(matches!(drive, Drive::Close));
    black_box(world.receiver.poll_timeout());
}

fn webhooks(world: &mut World<'_>) {
    if let Some(request) = world.request.request(world.bytes) {
        let verdict = world.client.handle_webhook(world.now, &request);
        black_box(verdict.update.is_some());
    }
}

fn client_views(world: &mut World<'_>) {
    black_box(read_event(world.bytes).is_ok());
    let typed: Result<Problem<Str<'_>>, _> = json::from_slice(world.bytes);
    black_box(typed.is_ok());
    let typed: Result<WebhookModel<&str>, _> = json::from_slice_in(world.bytes, world.room);
    black_box(typed.is_ok());
}
