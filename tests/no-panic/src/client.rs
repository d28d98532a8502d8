//! Gates to the client: its own server for webhooks, the answers that it gets, its commands.

use core::hint::black_box;

use dubhook_core::{
    client::{
        Client, Config, Drive, Failure, Input, ListQuery, Server, Update, Webhook, read_event,
        read_webhook,
    },
    http::RecvBuf,
    json::{self, Str},
    model::{NewTranslation, Problem, Webhook as WebhookModel},
    out::Out,
};

use crate::{Gate, world::World};

pub(crate) const GATES: &[Gate] = &[
    client_new,
    commands,
    questions,
    answers,
    failures,
    receiver,
    webhooks,
    client_views,
];

fn client_new(world: &mut World<'_>) {
    let (Ok(server), Ok(webhook)) = (
        Server::parse(world.text).and_then(|server| server.with_key(world.text)),
        Webhook::new(world.text),
    ) else {
        return;
    };
    let config = Config::new(server, Some(webhook));
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
    client.withdraw();
    let query = ListQuery {
        status: None,
        limit: world.size as u8,
        cursor: Some(world.text),
    };
    black_box(client.list(world.now, &query).is_ok());
    black_box(client.cancel(world.now, world.id).is_ok());
    client.close();
}

fn questions(world: &mut World<'_>) {
    let client = &mut *world.client;
    black_box(client.deadline());
    black_box(client.request_bytes_max());
    let request = client.poll(world.now, &mut Out::new(world.room));
    black_box(request.is_ok());
}

fn answers(world: &mut World<'_>) {
    let id = world.exchange;
    if let Some(response) = &world.response.response(world.bytes) {
        let input = Input::Answer { id, response };
        if let Ok(Some(Update::List(list))) = world.client.handle(world.now, input) {
            black_box(list.translations().all(|translation| translation.is_ok()));
        }
    }
}

fn failures(world: &mut World<'_>) {
    let id = world.exchange;
    let failure = Failure::Broken;
    let input = Input::Failure { id, failure };
    black_box(world.client.handle(world.now, input).is_ok());
}

fn receiver(world: &mut World<'_>) {
    let mut input = RecvBuf::resume(world.bytes, world.size..world.number as usize);
    let mut out = Out::new(world.room);
    let client = &mut *world.client;
    let drive = client.drive(world.now, &mut world.receiver, &mut input, &mut out);
    black_box(matches!(drive, Ok(Drive::Close)));
    black_box(world.receiver.deadline());
    world.receiver = client.accept(world.now);
}

fn webhooks(world: &mut World<'_>) {
    if let Some(request) = world.request.request(world.bytes) {
        let verdict = world.client.handle_webhook(world.now, &request);
        black_box(verdict.update.is_some());
        let event = read_webhook(&request, [&world.key], world.now.timestamp);
        black_box(event.is_ok());
    }
}

fn client_views(world: &mut World<'_>) {
    black_box(read_event(world.bytes).is_ok());
    let typed: Result<Problem<Str<'_>>, _> = json::from_slice(world.bytes);
    black_box(typed.is_ok());
    let typed: Result<WebhookModel<&str>, _> = json::from_slice_in(world.bytes, world.room);
    black_box(typed.is_ok());
}
