//! Gates to the machines: the HTTP API, the service's commands, its records, its deliveries. Routes and bodies are reached
//! through the server, which alone reads them.

use core::hint::black_box;

use dubhook_core::{
    event::{Filter, Kind},
    http::RecvBuf,
    id::{Id, Prefix},
    json,
    log::AttemptError,
    out::Out,
    record::Key,
    server::{ApiKey, Input, Output, Server},
    service::{self, AttemptResult, EndpointChange, NewEndpoint, NewJob, Report},
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
    black_box(server.restore(world.now, world.record, world.bytes).is_ok());
    black_box(server.start(world.now).is_ok());
    if let Ok(Output::Commit(batch)) = server.poll(world.now, world.ready, world.room) {
        black_box(server.handle(world.now, Input::Durable(batch)).is_ok());
    }
    let (id, job) = (world.attempt.id, world.id);
    let report = Report::Completed(world.text);
    black_box(
        server
            .handle(world.now, Input::Report { job, report })
            .is_ok(),
    );
    let result = AttemptResult::Failed(AttemptError::Closed);
    black_box(
        server
            .handle(world.now, Input::Attempt { id, result })
            .is_ok(),
    );
    black_box(server.handle(world.now, Input::Shutdown).is_ok());
    if let Ok(url) = server.attempt_url(id, world.room) {
        let len = server.write_attempt(world.now, id, &url, world.more_room);
        black_box(len.is_ok());
    }
    black_box(server.deadline());
}

fn jobs(world: &mut World<'_>) {
    let service = &mut *world.service;
    let key = service.idempotency_key(world.text.as_bytes(), world.bytes);
    let new = NewJob {
        video_url: world.text.into(),
        source_language: Some(world.text.into()),
        target_language: world.text.into(),
        reference: Some(world.text.into()),
        callback_url: Some(world.text.into()),
    };
    black_box(service.submit(world.now, &new).is_ok());
    black_box(service.submit_once(world.now, &new, key).is_ok());
    for report in [
        Report::Alive,
        Report::Progress(world.byte),
        Report::Completed(world.text),
        Report::Failed(world.text),
    ] {
        let input = service::Input::Report {
            job: world.id,
            report,
        };
        black_box(service.handle(world.now, input).is_ok());
        black_box(
            service
                .report_as(world.now, world.id, Some(world.size as u32), report)
                .is_ok(),
        );
    }
    if let Some(claim) = service.claim(world.now) {
        black_box(service.is_claimed(&claim));
        service.give_back(&claim);
    }
    black_box(service.cancel(world.now, world.id).is_ok());
    black_box(service.find_job_text(world.text));
    black_box(service.older_job(world.ix));
}

fn endpoints(world: &mut World<'_>) {
    let service = &mut *world.service;
    let new = NewEndpoint {
        url: world.text.into(),
        filter: Filter::from_bits(world.byte),
        description: world.text.into(),
        secret: None,
        subject: Some(world.ix),
    };
    black_box(service.create_endpoint(world.now, new).is_ok());
    let change = EndpointChange {
        url: Some(world.text.into()),
        filter: Some(Filter::from_bits(world.byte)),
        description: Some(world.text.into()),
        enabled: Some(world.flag),
    };
    black_box(service.change_endpoint(world.ix, change).is_ok());
    service.rotate_secret(world.now, world.ix);
    black_box(service.test_endpoint(world.now, world.ix).is_ok());
    black_box(service.redeliver(
        world.ix,
        world.timestamp,
        Id::parse(Prefix::Event, world.text),
    ));
    service.remove_endpoint(world.ix);
    black_box(service.find_endpoint_text(world.text));
    black_box(service.older_endpoint(world.ix));
}

fn attempts(world: &mut World<'_>) {
    let service = &mut *world.service;
    let id = world.attempt.id;
    black_box(service.attempt_deadline(world.now));
    if let Ok(url) = service.attempt_url(id, world.room) {
        let len = service.write_attempt(world.now, id, &url, world.more_room);
        black_box(len.is_ok());
    }
    let answer = AttemptResult::Answer {
        status: world.number as u16,
        retry_after_ms: Some(world.number),
        body: world.bytes,
    };
    for result in [answer, AttemptResult::Failed(AttemptError::Closed)] {
        let input = service::Input::Attempt { id, result };
        black_box(service.handle(world.now, input).is_ok());
    }
}

fn records(world: &mut World<'_>) {
    let service = &mut *world.service;
    black_box(
        service
            .restore(world.now, world.record, world.bytes)
            .is_ok(),
    );
    black_box(service.start(world.now).is_ok());
    match service.poll(world.now, world.ready, world.room) {
        Ok(service::Output::Save { key, value }) => {
            black_box((key.to_bytes(), value.is_some()));
        }
        Ok(service::Output::Commit(batch)) => {
            let input = service::Input::Durable(batch);
            black_box(service.handle(world.now, input).is_ok());
        }
        _ => {}
    }
    black_box(service.is_all_durable());
    if let Some(bytes) = world.bytes.first_chunk() {
        black_box(Key::from_bytes(*bytes));
    }
}

fn views(world: &mut World<'_>) {
    let service = &mut *world.service;
    let mut out = Out::new(world.room);
    service.write_job(world.ix, &mut out);
    service.write_job_accepted(world.ix, &mut out);
    service.write_job_as(world.ix, &world.attempt.event, &mut out);
    black_box(&service.durable_job(world.ix));
    black_box(&service.durable_endpoint(world.ix));
    service.write_work(world.id, &mut out);
    service.write_event(world.ix, &world.attempt.event, &mut out);
    service.write_endpoint(world.ix, Some(&world.attempt.event), world.flag, &mut out);
    black_box(service.write_attempt_line(world.ix, world.size, &mut out));
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
