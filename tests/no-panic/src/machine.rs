//! Gates to the machines: the HTTP API, the service's commands, its records, its deliveries.

use core::hint::black_box;

use dubhook_core::{
    api,
    event::{Filter, Kind},
    http::RecvBuf,
    id::{Id, Prefix},
    json,
    log::AttemptError,
    out::Out,
    record::Key,
    server::{ApiKey, Server},
    service::{AttemptResult, EndpointChange, NewEndpoint, NewJob, Report},
    simulate,
    url::Url,
};

use crate::{Gate, world::World};

pub(crate) const GATES: &[Gate] = &[
    routes,
    bodies,
    server_new,
    server_connections,
    server_time,
    jobs,
    endpoints,
    attempts,
    records,
    views,
    simulated_work,
];

fn routes(world: &mut World<'_>) {
    if let Some(resource) = api::route(world.text) {
        black_box(resource.methods().as_str());
        black_box(resource.is_guarded());
    }
    black_box(api::page(Some(world.text)).is_ok());
    world.problem.write(&mut Out::new(world.room));
    black_box(Filter::from_bits(world.byte).add(world.text));
    black_box(Kind::parse(world.text));
}

fn bodies(world: &mut World<'_>) {
    let rules = &api::Rules {
        limits: &world.config.service,
        guard: &world.config.guard,
    };
    let Some(request) = world.request.request(world.bytes) else {
        return;
    };
    let Ok(object) = api::read_object(&request) else {
        return;
    };
    black_box(api::translation(&object, rules, world.room).is_ok());
    black_box(api::webhook(&object, rules, world.room).is_ok());
    black_box(api::webhook_change(&object, rules, world.room).is_ok());
    black_box(api::redelivery(Some(&object), world.room).is_ok());
}

fn server_new(world: &mut World<'_>) {
    black_box(ApiKey::new(world.text));
    if let Ok(mut server) = Server::new(world.memory.lend(world.keep), world.config, world.seed) {
        black_box(server.service_mut().start(world.now).is_ok());
    }
}

fn server_connections(world: &mut World<'_>) {
    let server = &mut *world.server;
    black_box(server.accept(world.now));
    black_box(server.poll_conn());
    let mut input = RecvBuf::resume(world.bytes, world.size..world.number as usize);
    let mut out = Out::new(world.room);
    let _ = black_box(server.drive(world.now, world.conn, &mut input, &mut out));
    let _ = black_box(server.answer_lookup(world.now, world.conn, Some(world.more_room), &mut out));
    server.close(world.conn);
}

fn server_time(world: &mut World<'_>) {
    let server = &mut *world.server;
    server.committed(world.number);
    black_box(server.poll_timeout());
    server.handle_timeout(world.now);
    server.shutdown();
}

fn jobs(world: &mut World<'_>) {
    let service = world.server.service_mut();
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
        black_box(service.report(world.now, world.id, report).is_ok());
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
    black_box(service.poll_work(world.now, world.flag));
    black_box(service.find_job_text(world.text));
    black_box(service.older_job(world.ix));
}

fn endpoints(world: &mut World<'_>) {
    let service = world.server.service_mut();
    let new = NewEndpoint {
        url: world.text.into(),
        filter: Filter::from_bits(world.byte),
        description: world.text.into(),
        secret: None,
        job: Some(world.ix),
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
    let service = world.server.service_mut();
    black_box(service.poll_attempt(world.now));
    black_box(service.attempt_deadline(world.now));
    if let Some(text) = service.attempt_url(&world.attempt, world.room)
        && let Ok(url) = Url::parse(text, world.size)
    {
        let len = service.write_attempt(world.now, &world.attempt, &url, world.more_room);
        black_box(len.is_ok());
    }
    let answer = AttemptResult::Answer {
        status: world.number as u16,
        retry_after_ms: Some(world.number),
        body: world.bytes,
    };
    black_box(service.handle_attempt(world.now, world.attempt.id, answer));
    let failed = AttemptResult::Failed(AttemptError::Closed);
    black_box(service.handle_attempt(world.now, world.attempt.id, failed));
}

fn records(world: &mut World<'_>) {
    let service = world.server.service_mut();
    black_box(
        service
            .restore(world.now, world.record, world.bytes)
            .is_ok(),
    );
    black_box(service.start(world.now).is_ok());
    if let Ok(Some(record)) = service.poll_record(world.now, world.room) {
        black_box(record.key.to_bytes());
    }
    black_box(service.poll_archive(world.room).is_ok());
    black_box(service.is_dirty());
    black_box(service.seal());
    if let Some(bytes) = world.bytes.first_chunk() {
        black_box(Key::from_bytes(*bytes));
    }
}

fn views(world: &mut World<'_>) {
    let service = world.server.service_mut();
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
