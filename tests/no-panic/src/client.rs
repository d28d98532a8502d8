//! Gates to the client: what it is told, what it asks, what it is answered.

use core::hint::black_box;

use dubhook_core::{
    client::{Client, Config, Failure, JobView, NewTranslation, Problem, Server, Webhook},
    http::RecvBuf,
    out::Out,
    url::Url,
};

use crate::{Gate, world::World};

pub(crate) const GATES: &[Gate] = &[new, commands, asks, told, receives, views];

fn new(world: &mut World<'_>) {
    let Ok(url) = Url::parse(world.text, world.size) else {
        return;
    };
    let server = Server::parse(world.text).and_then(|server| server.with_key(world.text));
    if let Ok(server) = server {
        let config = Config::new(server, Some(Webhook::new(url)));
        let client = Client::new(world.client_memory.lend(), config, world.seed);
        black_box(&client);
    }
}

fn commands(world: &mut World<'_>) {
    let client = &mut *world.client;
    client.start(world.now);
    client.ask_status(world.now);
    black_box(client.follow(world.now, world.id).is_ok());
    client.unfollow(world.id);
    let new = NewTranslation {
        video_url: world.text,
        target_language: world.text,
        source_language: Some(world.text),
        reference: Some(world.text),
        callback_url: Some(world.text),
    };
    black_box(client.submit(world.now, &new).is_ok());
    client.cancel_submission();
    client.add_key(world.key.clone());
    client.close();
    black_box((client.status(), client.job(world.id), client.is_closed()));
}

fn asks(world: &mut World<'_>) {
    let client = &mut *world.client;
    let mut out = Out::new(world.room);
    black_box(client.poll_timeout());
    black_box(client.handle_timeout(world.now).is_some());
    let Ok(Some(exchange)) = client.poll_request(world.now, &mut out) else {
        return;
    };
    if let Some(response) = world.response.response(world.bytes) {
        let update = client.handle_response(world.now, exchange.id, &response);
        black_box(update.is_some());
    }
    let failure = Failure::Status(world.number as u16);
    black_box(
        client
            .handle_failure(world.now, exchange.id, failure)
            .is_some(),
    );
}

fn told(world: &mut World<'_>) {
    if let Some(request) = world.request.request(world.bytes) {
        let verdict = world.client.handle_webhook(world.now, &request);
        black_box(verdict.outcome.status());
    }
}

fn receives(world: &mut World<'_>) {
    let mut input = RecvBuf::resume(world.bytes, world.size..world.number as usize);
    let mut out = Out::new(world.room);
    let limits = &world.http_limits;
    let drive = world
        .receiver
        .drive(world.now, world.client, limits, &mut input, &mut out);
    let _ = black_box(drive);
    black_box(world.receiver.poll_timeout());
}

fn views(world: &mut World<'_>) {
    if let Ok(job) = JobView::parse(world.bytes) {
        black_box((job.output_url(), job.error(), job.reference()));
    }
    black_box(Problem::parse(world.bytes));
}
