//! Remote workers: they claim jobs over HTTP, report under their leases, and come again when nobody answers.
//!
//! What one says has its own output URL, so that nobody can take the word of another for its own.

use super::{
    caller::{ANSWER_BYTES_MAX, request},
    limits,
    mutation::Mutation,
    net::{LinkId, Party, Payload, Side},
    queue::Event,
    reader::AnswerReader,
    worker::Task,
    world::World,
};
use dubhook_core::{
    http::Method,
    id::{Id, Prefix},
    service::Report,
};
use serde_json::Value;

/// How long a worker waits for an answer, beside what it has asked to wait, in milliseconds.
const PATIENCE_MS: u64 = 5_000;
/// How long one that was refused stays away, in milliseconds.
const REFUSED_MS: u64 = 1_000;
/// How often a worker stands still, and for how long at least, in milliseconds.
const STALL_PER_MILLE: u64 = 100;
const STALL_MS_MIN: u64 = 8_000;

/// One worker.
#[derive(Debug)]
pub(super) struct Worker {
    link: Option<LinkId>,
    job: Option<Claimed>,
    pending: Option<Pending>,
    answer: AnswerReader,
}

/// The job that a worker has.
#[derive(Debug)]
struct Claimed {
    task: Task,
    lease: u64,
    /// What is known to be done.
    progress: u64,
    /// Until when it has the job for certain, and how many lives of servers there were when that was said.
    certain: Option<(u64, u32)>,
}

/// What a worker waits for an answer to.
#[derive(Debug)]
struct Pending {
    bytes: Vec<u8>,
    /// Whether it ends the job.
    ends: bool,
    until_ms: u64,
    /// When it arrives at the server, if it was sent once.
    arrives_ms: Option<u64>,
    was_sent: bool,
}

impl Worker {
    pub(super) fn new() -> Self {
        Self {
            link: None,
            job: None,
            pending: None,
            answer: AnswerReader::new(Method::Post, 0),
        }
    }
}

/// A worker looks at what it is doing.
pub(super) fn wake(world: &mut World, at: usize) {
    let now_ms = world.env.now_ms();
    let worker = &mut world.workers[at];
    let mut pause = 1 + world.env.rng.below(500);
    match (&worker.pending, &mut worker.job) {
        (Some(pending), _) if pending.until_ms > now_ms => {}
        // Whether it was heard nobody knows: it is said again.
        (Some(_), Some(_)) => send(world, at),
        (Some(_), None) => {
            drop_link(world, at);
            world.workers[at].pending = None;
        }
        (None, Some(claimed)) => match claimed.task.step() {
            Some(report) => {
                pause += claimed.task.step_ms;
                // It stands still for longer than its lease lasts, and then goes on as if nothing had happened.
                if !world.env.healed && world.env.rng.chance(STALL_PER_MILLE) {
                    pause += world.env.rng.within((STALL_MS_MIN, 3 * STALL_MS_MIN));
                }
                say(world, at, report);
            }
            // It has died with its job, and nobody knows.
            None => worker.job = None,
        },
        (None, None) => claim(world, at),
    }
    world.env.queue.push(now_ms + pause, Event::Worker(at));
}

fn claim(world: &mut World, at: usize) {
    let seconds = world.env.rng.below(10);
    let prefer = format!("prefer: wait={seconds}\r\n");
    world.workers[at].pending = Some(Pending {
        bytes: request(Method::Post, "/v1/work/claim", &prefer, ""),
        ends: false,
        arrives_ms: None,
        was_sent: false,
        until_ms: world.env.now_ms() + seconds * 1_000 + PATIENCE_MS,
    });
    send(world, at);
}

fn say(world: &mut World, at: usize, report: Report<'_>) {
    let Some(claimed) = &mut world.workers[at].job else {
        return;
    };
    let lease = claimed.lease;
    let (what, said) = match report {
        // It begins anew, and may have less than the worker before it.
        Report::Progress(progress) if u64::from(progress) > claimed.progress => {
            claimed.progress = progress.into();
            ("progress", format!(r#""progress":{progress}"#))
        }
        Report::Alive | Report::Progress(_) => ("progress", r#""step":1"#.to_owned()),
        Report::Completed(_) => (
            "complete",
            format!(r#""output_url":"{}""#, output(at, lease)),
        ),
        Report::Failed(why) => ("fail", format!(r#""error":"{why}""#)),
    };
    let fence = if world.env.options.mutation == Some(Mutation::NoLease) {
        String::new()
    } else {
        format!(r#","lease":{lease}"#)
    };
    let path = format!(
        "/v1/work/{}/{what}",
        claimed.task.job.text(Prefix::Job).as_str()
    );
    world.workers[at].pending = Some(Pending {
        bytes: request(Method::Post, &path, "", &format!("{{{said}{fence}}}")),
        ends: what != "progress",
        arrives_ms: None,
        was_sent: false,
        until_ms: 0,
    });
    send(world, at);
}

/// What a worker makes of a job.
fn output(at: usize, lease: u64) -> String {
    format!("https://w.test/{at}-{lease}.mp4")
}

/// Sends what is to be answered; where it was sent before, on another connection.
fn send(world: &mut World, at: usize) {
    let Some(pending) = &mut world.workers[at].pending else {
        return;
    };
    let again = pending.until_ms != 0 && pending.until_ms <= world.env.now_ms();
    pending.until_ms = pending.until_ms.max(world.env.now_ms() + PATIENCE_MS);
    let bytes = pending.bytes.clone();
    if again {
        drop_link(world, at);
    }
    let server = world.env.any_server();
    let worker = &mut world.workers[at];
    worker.answer = AnswerReader::new(Method::Post, ANSWER_BYTES_MAX);
    let link = match worker.link {
        Some(link) => link,
        None => {
            let parties = [Party::Worker(at), server];
            world.net.connect(&mut world.env, parties)
        }
    };
    world.workers[at].link = Some(link);
    world.net.send(&mut world.env, link, Side::Opener, &bytes);
    // On its first way it comes whole, and is answered there if it is answered at all.
    let arrives_ms = world.net.arrives_ms(link, Side::Opener);
    if let Some(pending) = &mut world.workers[at].pending {
        pending.arrives_ms = arrives_ms.filter(|_| !again && !pending.was_sent);
        pending.was_sent = true;
    }
}

fn drop_link(world: &mut World, at: usize) {
    if let Some(link) = world.workers[at].link.take() {
        world.net.reset(&mut world.env, link, Side::Opener);
    }
}

/// Something arrives at a worker.
pub(super) fn receive(world: &mut World, at: usize, link: LinkId, payload: Payload) {
    let worker = &mut world.workers[at];
    if worker.link != Some(link) {
        return;
    }
    match payload {
        Payload::Open => {}
        Payload::Fin | Payload::Reset => {
            if payload == Payload::Fin {
                world.net.finish(&mut world.env, link, Side::Opener);
            }
            worker.link = None;
            come_again(world, at);
        }
        Payload::Bytes(bytes) => read(world, at, &bytes),
    }
}

/// Who was not heard comes back later, not at once.
fn come_again(world: &mut World, at: usize) {
    let soon = world.env.now_ms() + REFUSED_MS;
    if let Some(pending) = &mut world.workers[at].pending {
        pending.until_ms = pending.until_ms.min(soon);
    }
}

fn read(world: &mut World, at: usize, bytes: &[u8]) {
    let worker = &mut world.workers[at];
    let Some(pending) = &worker.pending else {
        return;
    };
    match worker.answer.read(bytes) {
        Ok(false) => return,
        Ok(true) => {}
        Err(error) => {
            let text = format!("an answer to a worker that is none: {error:?}");
            world.oracle.fail("L2", text);
            return;
        }
    }
    let response = worker.answer.response().expect("a whole answer");
    let (status, reuse) = (response.status, response.reuse);
    let body = response.body.to_vec();
    let json: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (ends, arrives_ms) = (pending.ends, pending.arrives_ms);
    if !reuse && let Some(link) = worker.link.take() {
        world.net.finish(&mut world.env, link, Side::Opener);
    }
    world.note(status.into(), &body);
    if status == 503 {
        return come_again(world, at);
    }
    world.workers[at].pending = None;
    match world.workers[at].job.take() {
        None => claimed(world, at, status, &json),
        Some(job) => {
            check_lease(world, &job, arrives_ms, json["code"].as_str());
            let lease_ms = limits().lease_ms;
            let certain = arrives_ms.map(|at_ms| (at_ms + lease_ms, world.lives));
            reported(world, at, status, &json, Claimed { certain, ..job }, ends);
        }
    }
}

/// A claim is answered.
fn claimed(world: &mut World, at: usize, status: u16, json: &Value) {
    let id = json["job"]["id"].as_str();
    let id = id.and_then(|id| Id::parse(Prefix::Job, id));
    match (status, id, json["lease"].as_u64()) {
        (200, Some(job), Some(lease)) => {
            world.oracle.claimed(job, lease);
            world.workers[at].job = Some(Claimed {
                task: Task::new(&mut world.env, job),
                lease,
                progress: json["job"]["progress"].as_u64().unwrap_or(0),
                certain: None,
            });
        }
        (204, ..) => {}
        _ => {
            let text = format!("{status} to a claim: {json}");
            world.oracle.fail("L2", text);
        }
    }
}

/// Whoever reports within the time of his lease has not lost it, whatever his server did meanwhile.
fn check_lease(world: &mut World, job: &Claimed, arrives_ms: Option<u64>, code: Option<&str>) {
    if let (Some((until_ms, lives)), Some(at_ms)) = (job.certain, arrives_ms) {
        let in_time = at_ms < until_ms && lives == world.lives;
        world
            .oracle
            .ensure(!(in_time && code == Some("lease_lost")), "R2", || {
                format!(
                    "a report on {:?} came at {at_ms}, and its lease that lasted until {until_ms} is lost",
                    job.task.job
                )
            });
    }
}

/// A report is answered.
fn reported(world: &mut World, at: usize, status: u16, json: &Value, claimed: Claimed, ends: bool) {
    match (status, json["code"].as_str()) {
        (200, _) if ends => {
            world.oracle.ended_under(claimed.task.job, claimed.lease);
            let theirs = json["output_url"].as_str();
            let own = theirs.is_none_or(|url| url == output(at, claimed.lease));
            world.oracle.ensure(own, "R1", || {
                format!(
                    "{json} is shown as the work of {at} under {}",
                    claimed.lease
                )
            });
        }
        (200, _) => world.workers[at].job = Some(claimed),
        // It is with another one, or has ended, or is long forgotten.
        (409, Some("lease_lost" | "job_ended")) | (404, Some("job_not_found")) => {}
        (422, _) if json["field"] == "progress" => {
            let text = format!("{:?} has come further without {at}", claimed.task.job);
            world.oracle.fail("R1", text);
        }
        _ => {
            let text = format!("{status} to a report: {json}");
            world.oracle.fail("L2", text);
        }
    }
}
