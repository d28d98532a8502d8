//! Callers: they ask for translations, look at them, call them off, and manage webhooks. Some have bad manners.

use super::{
    RECEIVER_PORT,
    net::{LinkId, Party, Payload, Side},
    queue::Event,
    world::World,
};
use dubhook_core::{
    http::{BodyUse, Limits, Method, RecvBuf, ResponseParser, ResponseProgress},
    id::{Id, Prefix},
};
use serde_json::Value;
use std::ops::Range;

/// How long a caller waits for an answer, in milliseconds.
const PATIENCE_MS: u64 = 20_000;

/// What a caller asks.
#[derive(Debug, Clone)]
enum Ask {
    Submit {
        key: Option<String>,
        callback: bool,
    },
    Cancel(String),
    Job,
    Register,
    Other,
    /// What is no request, or never a whole one.
    Rude,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Pending {
    ask: Ask,
    method: Method,
    bytes: Vec<u8>,
    since_ms: u64,
    /// When it was made first; repeats count from here.
    first_ms: u64,
    parser: ResponseParser,
    memory: Vec<u8>,
    filled: Range<usize>,
}

/// One caller.
#[derive(Debug)]
pub(super) struct Caller {
    link: Option<LinkId>,
    pending: Option<Pending>,
    jobs: Vec<String>,
    hooks: Vec<String>,
    asked: u32,
    /// The longest that a well-behaved request took, in milliseconds.
    pub(super) slowest_ms: u64,
    pub(super) answers: u64,
    pub(super) rude_only: bool,
}

impl Caller {
    pub(super) const fn new() -> Self {
        Self {
            link: None,
            pending: None,
            jobs: Vec::new(),
            hooks: Vec::new(),
            asked: 0,
            slowest_ms: 0,
            answers: 0,
            rude_only: false,
        }
    }

    /// Whether it waits for nothing.
    pub(super) const fn is_idle(&self) -> bool {
        self.pending.is_none()
    }
}

/// A caller looks at what it is doing.
pub(super) fn wake(world: &mut World, at: usize) {
    let now_ms = world.env.now_ms();
    let patience = world.callers[at].pending.as_ref();
    let patience = patience.map(|pending| pending.since_ms + PATIENCE_MS);
    match patience {
        Some(until) if until > now_ms => {}
        Some(_) => fail(world, at),
        None if world.env.healed => return,
        None => ask(world, at),
    }
    let pause = 1 + world
        .env
        .rng
        .below(if world.env.options.rush { 200 } else { 2_000 });
    world.env.queue.push(now_ms + pause, Event::Caller(at));
}

/// The connection is of no use; what may be repeated is.
fn fail(world: &mut World, at: usize) {
    let caller = &mut world.callers[at];
    if let Some(link) = caller.link.take() {
        world.net.reset(&mut world.env, link, Side::Opener);
    }
    let Some(pending) = caller.pending.take() else {
        return;
    };
    let repeats = match &pending.ask {
        Ask::Submit { key, .. } => key.is_some(),
        Ask::Job => true,
        _ => false,
    };
    if repeats {
        send(world, at, pending);
    }
}

fn ask(world: &mut World, at: usize) {
    let rude = world.callers[at].rude_only || world.env.chance(|o| o.rude);
    let case = world.env.rng.weighted(&[10, 2, 4, 3, 2, 1, 1, 1, 1, 3]);
    let caller = &mut world.callers[at];
    caller.asked += 1;
    let number = caller.asked;
    let rng = &mut world.env.rng;
    let receiver = RECEIVER_PORT + rng.below(world.env.options.receivers as u64) as u16;
    let job = rng
        .pick(&indices(&caller.jobs))
        .map(|n| caller.jobs[n].clone());
    let hook = rng
        .pick(&indices(&caller.hooks))
        .map(|n| caller.hooks[n].clone());
    let some_job = job.clone().unwrap_or_else(|| "job_0".to_owned());
    let url = |kind: &str| format!("http://127.0.0.1:{receiver}/{kind}/{at}-{number}");
    let (method, path, key, body, ask) = match (case, hook) {
        (0, _) => {
            let callback = rng.chance(500);
            let key = rng.chance(700).then(|| format!("key-{at}-{number}"));
            let also = match callback {
                true => format!(r#","callback_url":"{}""#, url("callback")),
                false => String::new(),
            };
            let body = format!(
                r#"{{"video_url":"https://e.test/v.mp4","target_language":"es","reference":"\u00e9{number}"{also}}}"#
            );
            let ask = Ask::Submit {
                key: key.clone(),
                callback,
            };
            (Method::Post, "/v1/translations".to_owned(), key, body, ask)
        }
        (1, _) => {
            let path = format!("/v1/translations/{some_job}/cancel");
            (
                Method::Post,
                path,
                None,
                String::new(),
                Ask::Cancel(some_job),
            )
        }
        (3, _) => {
            let narrow = match job.filter(|_| rng.chance(400)) {
                Some(job) => format!(r#","job":"{job}""#),
                None => String::new(),
            };
            let body = format!(r#"{{"url":"{}"{narrow}}}"#, url("hook"));
            (
                Method::Post,
                "/v1/webhooks".to_owned(),
                None,
                body,
                Ask::Register,
            )
        }
        (4, Some(hook)) => {
            let body = [
                r#"{"enabled":false}"#,
                r#"{"enabled":true}"#,
                r#"{"description":"d"}"#,
                r#"{"events":["translation.completed","translation.error","translation.canceled"]}"#,
            ];
            let body = rng.pick(&body).unwrap_or_default().to_owned();
            (Method::Patch, hook, None, body, Ask::Other)
        }
        (5, Some(hook)) if rng.chance(300) => {
            (Method::Delete, hook, None, String::new(), Ask::Other)
        }
        (6, Some(hook)) => (
            Method::Post,
            format!("{hook}/test"),
            None,
            String::new(),
            Ask::Other,
        ),
        (7, Some(hook)) => {
            let path = format!("{hook}/rotate-secret");
            (Method::Post, path, None, String::new(), Ask::Other)
        }
        (8, Some(hook)) => {
            let path = format!("{hook}/redeliver");
            (Method::Post, path, None, String::new(), Ask::Other)
        }
        (9, _) => {
            let paths = [
                "/status",
                "/v1/translations",
                "/v1/webhooks",
                "/healthz",
                "/nowhere",
            ];
            let path = rng.pick(&paths).unwrap_or_default().to_owned();
            (Method::Get, path, None, String::new(), Ask::Other)
        }
        _ => {
            let path = format!("/v1/translations/{some_job}");
            (Method::Get, path, None, String::new(), Ask::Job)
        }
    };
    let mut bytes = request(method, &path, key.as_deref(), &body);
    let mut ask = ask;
    if rude {
        ask = Ask::Rude;
        match rng.below(3) {
            0 => bytes = b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_vec(),
            1 => bytes.truncate(1 + rng.below(bytes.len() as u64) as usize),
            _ => bytes = [bytes.clone(), bytes.clone(), bytes].concat(),
        }
    }
    let pending = Pending {
        ask,
        method,
        bytes,
        since_ms: 0,
        first_ms: world.env.now_ms(),
        parser: ResponseParser::new(method, BodyUse::Keep),
        memory: vec![0; 32_768],
        filled: 0..0,
    };
    send(world, at, pending);
}

fn indices(list: &[String]) -> Vec<usize> {
    (0..list.len()).collect()
}

fn request(method: Method, path: &str, key: Option<&str>, body: &str) -> Vec<u8> {
    let key = key.map_or(String::new(), |key| format!("idempotency-key: {key}\r\n"));
    let method = method.as_str();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{key}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends a request, again or for the first time.
fn send(world: &mut World, at: usize, mut pending: Pending) {
    pending.since_ms = world.env.now_ms();
    pending.parser = ResponseParser::new(pending.method, BodyUse::Keep);
    pending.filled = 0..0;
    let caller = &mut world.callers[at];
    let link = match caller.link {
        Some(link) => link,
        None => world
            .net
            .connect(&mut world.env, [Party::Caller(at), Party::Server]),
    };
    caller.link = Some(link);
    let bytes = pending.bytes.clone();
    caller.pending = Some(pending);
    world.net.send(&mut world.env, link, Side::Opener, &bytes);
    if world.env.chance(|o| o.half_close) {
        world.net.finish(&mut world.env, link, Side::Opener);
    }
}

/// Something arrives at a caller.
pub(super) fn receive(world: &mut World, at: usize, link: LinkId, payload: Payload) {
    let caller = &mut world.callers[at];
    if caller.link != Some(link) {
        return;
    }
    match payload {
        Payload::Open => {}
        Payload::Fin | Payload::Reset => {
            if payload == Payload::Fin {
                world.net.finish(&mut world.env, link, Side::Opener);
            }
            caller.link = None;
            // Not at once: whoever was refused comes back later.
            let waits = caller.pending.is_some();
            if let Some(pending) = caller.pending.as_mut().filter(|_| waits) {
                pending.since_ms = pending
                    .since_ms
                    .min((world.env.now_ms() + 300).saturating_sub(PATIENCE_MS));
            }
        }
        Payload::Bytes(bytes) => read(world, at, &bytes),
    }
}

fn read(world: &mut World, at: usize, bytes: &[u8]) {
    let caller = &mut world.callers[at];
    let Some(pending) = caller.pending.as_mut() else {
        return;
    };
    let mut input = RecvBuf::resume(&mut pending.memory, pending.filled.clone());
    let room = input.room();
    let len = room.len().min(bytes.len());
    room[..len].copy_from_slice(&bytes[..len]);
    input.commit(len);
    let progress = pending.parser.advance(&Limits::SERVER, &mut input);
    pending.filled = input.filled_range();
    match progress {
        Ok(ResponseProgress::NeedMore { .. }) => return,
        Ok(ResponseProgress::Complete) => {}
        Err(error) => {
            let text = format!("an answer that is none: {error:?}");
            world.oracle.fail("L2", text);
            return;
        }
    }
    let filled = pending.memory[pending.filled.clone()].to_vec();
    let response = pending.parser.response(&filled).expect("a whole answer");
    let (status, reuse) = (response.status, response.reuse);
    let json = serde_json::from_slice(response.body).unwrap_or(Value::Null);
    let pending = caller.pending.take().expect("a request");
    if !matches!(pending.ask, Ask::Rude) {
        let took = world.env.now_ms() - pending.first_ms;
        caller.slowest_ms = caller.slowest_ms.max(took);
        caller.answers += 1;
    }
    if (!reuse || matches!(pending.ask, Ask::Rude))
        && let Some(link) = caller.link.take()
    {
        world.net.finish(&mut world.env, link, Side::Opener);
    }
    world.note(status.into(), response.body);
    answered(world, at, pending, status, &json);
}

fn answered(world: &mut World, at: usize, pending: Pending, status: u16, json: &Value) {
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    match &pending.ask {
        Ask::Submit { key, callback } => match status {
            202 => {
                let Some(id) = Id::parse(Prefix::Job, &text("id")) else {
                    return world
                        .oracle
                        .fail("S1", format!("202 without a job: {json}"));
                };
                world.oracle.accepted(key.as_deref(), id, *callback);
                world.callers[at].jobs.push(text("id"));
            }
            // There is no room at the moment; with its key it may come again.
            503 if key.is_some() && !world.env.healed => {
                let caller = &mut world.callers[at];
                caller.pending = Some(pending);
            }
            // The first answer may be from so long ago that the job is no longer kept.
            503 | 409 | 410 => {}
            _ => world.oracle.fail(
                "L2",
                format!("{status} to a request for a translation: {json}"),
            ),
        },
        Ask::Cancel(job) if status == 200 => {
            if let Some(id) = Id::parse(Prefix::Job, job) {
                world.oracle.canceled(id, &text("status"));
            }
        }
        Ask::Register if status == 201 => {
            let path = format!("/v1/webhooks/{}", text("id"));
            world.callers[at].hooks.push(path);
        }
        _ => {}
    }
}
