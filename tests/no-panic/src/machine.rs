//! Gates to the machines: the HTTP API, the service's commands, its records, its deliveries. Routes and bodies are reached
//! through the server, which alone reads them.

use core::hint::black_box;

use dubhook_core::{
    dispatch::{EndpointChange, NewEndpoint},
    event::{Filter, Kind},
    http::RecvBuf,
    id::{Id, Prefix},
    json,
    log::AttemptError,
    out::Out,
    record::Key,
    server::{ApiKey, Input, Output, Server},
    service::{AttemptResult, NewJob, Report},
    simulate,
};

use crate::{Gate, world::World};

pub(crate) const GATES: &[Gate] = &[
    names,
    server_new,
    server_connections,
    server_door,
    jobs,
    endpoints,
    attempts,
    records,
    views,
    simulated_work,
];

fn names(world: &mut World<'_>) {
    black_box(Filter::from_bits(world.byte).add(world.text));
    black_box(Kind::parse(world.text));
}

fn server_new(world: &mut World<'_>) {
    black_box(ApiKey::new(world.text));
    if let Ok(mut server) = Server::new(world.memory.lend(world.keep), world.config, world.seed) {
        black_box(server.start(world.now).is_ok());
    }
}

fn server_connections(world: &mut World<'_>) {
    let server = &mut *world.server;
    black_box(server.accept(world.now).is_ok());
    let mut input = RecvBuf::resume(world.bytes, world.size..world.number as usize);
    let mut out = Out::new(world.room);
    black_box(
        server
            .drive(world.now, world.conn, &mut input, &mut out)
            .is_ok(),
    );
    let found = Some(&*world.more_room);
    black_box(
        server
            .answer_lookup(world.now, world.conn, found, &mut out)
            .is_ok(),
    );
    server.close(world.conn);
}

fn server_door(world: &mut World<'_>) {
    let server = &mut *world.server;
    black_box(server.handle(world.now, Input::Shutdown).is_ok());
    black_box(server.deadline());
}

fn jobs(world: &mut World<'_>) {
    let server = &mut *world.server;
    let new = NewJob {
        video_url: world.text.into(),
        source_language: Some(world.text.into()),
        target_language: world.text.into(),
        reference: Some(world.text.into()),
        callback_url: Some(world.text.into()),
    };
    black_box(server.submit(world.now, &new).is_ok());
    black_box(
        server
            .submit_once(world.now, &new, world.text.as_bytes(), world.bytes)
            .is_ok(),
    );
    for report in [
        Report::Alive,
        Report::Progress(world.byte),
        Report::Completed(world.text),
        Report::Failed(world.text),
    ] {
        let input = Input::Report {
            job: world.id,
            report,
        };
        black_box(server.handle(world.now, input).is_ok());
    }
    black_box(server.cancel(world.now, world.id).is_ok());
    black_box(server.service().find_job_text(world.text));
    black_box(server.service().older_job(world.ix));
}

fn endpoints(world: &mut World<'_>) {
    let server = &mut *world.server;
    let new = NewEndpoint {
        url: world.text.into(),
        filter: Filter::from_bits(world.byte),
        description: world.text.into(),
        secret: None,
        subject: Some(world.ix),
    };
    black_box(server.create_endpoint(world.now, new).is_ok());
    let change = EndpointChange {
        url: Some(world.text.into()),
        filter: Some(Filter::from_bits(world.byte)),
        description: Some(world.text.into()),
        enabled: Some(world.flag),
    };
    black_box(server.change_endpoint(world.ix, change).is_ok());
    let _ = server.rotate_secret(world.now, world.ix);
    black_box(server.test_endpoint(world.now, world.ix).is_ok());
    let _ = black_box(server.redeliver(
        world.ix,
        world.timestamp,
        Id::parse(Prefix::Event, world.text),
    ));
    let _ = black_box(server.remove_endpoint(world.ix));
    black_box(server.service().find_endpoint_text(world.text));
    black_box(server.service().older_endpoint(world.ix));
}

fn attempts(world: &mut World<'_>) {
    let server = &mut *world.server;
    let id = world.attempt.id;
    black_box(server.attempt_deadline(world.now));
    if let Ok(url) = server.attempt_url(id, world.room) {
        let len = server.write_attempt(world.now, id, &url, world.more_room);
        black_box(len.is_ok());
    }
    let answer = AttemptResult::Answer {
        status: world.number as u16,
        retry_after_ms: Some(world.number),
        body: world.bytes,
    };
    for result in [answer, AttemptResult::Failed(AttemptError::Closed)] {
        let input = Input::Attempt { id, result };
        black_box(server.handle(world.now, input).is_ok());
    }
}

fn records(world: &mut World<'_>) {
    let server = &mut *world.server;
    black_box(server.restore(world.now, world.record, world.bytes).is_ok());
    black_box(server.start(world.now).is_ok());
    match server.poll(world.now, world.ready, world.room) {
        Ok(Output::Save { key, value }) => {
            black_box((key.to_bytes(), value.is_some()));
        }
        Ok(Output::Commit(batch)) => {
            let input = Input::Durable(batch);
            black_box(server.handle(world.now, input).is_ok());
        }
        _ => {}
    }
    black_box(server.is_all_durable());
    if let Some(bytes) = world.bytes.first_chunk() {
        black_box(Key::from_bytes(*bytes));
    }
}

fn views(world: &mut World<'_>) {
    let server = &mut *world.server;
    let mut out = Out::new(world.room);
    server.service().write_job(world.ix, &mut out);
    server.service().write_work(world.id, &mut out);
    server
        .service()
        .write_event(world.ix, &world.attempt.event, &mut out);
    server
        .service()
        .write_endpoint(Some(world.now), world.ix, Some(&world.attempt.event), world.flag, &mut out);
    black_box(json::validate(out.written()).is_ok());
}

fn simulated_work(world: &mut World<'_>) {
    let simulation = &mut *world.simulation;
    simulation.start(world.now.instant, world.ix, world.id);
    black_box(simulation.poll_step(world.now.instant));
    black_box(simulation.poll_timeout());
    simulation.stop(world.ix, world.id);
    simulate::write_output_url(world.id, &mut Out::new(world.room));
}
