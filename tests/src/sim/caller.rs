//! Callers: they ask for translations, look at them, call them off, and manage webhooks. Some have bad manners.

use super::{
    RECEIVER_PORT,
    net::{LinkId, Party, Payload, Side},
    oracle::{Known, Oracle},
    queue::Event,
    reader::AnswerReader,
    rng::Rng,
    world::World,
};
use dubhook_core::{
    http::Method,
    id::{Id, Prefix},
};
use serde_json::Value;

/// How long a caller waits for an answer, in milliseconds.
const PATIENCE_MS: u64 = 20_000;

/// The most bytes of an answer.
pub(super) const ANSWER_BYTES_MAX: usize = 32_768;

/// How long a caller that was refused stays away, in milliseconds.
const REFUSED_MS: u64 = 1_000;

/// What a caller asks.
#[derive(Debug, Clone)]
enum Ask {
    Submit {
        key: Option<String>,
        callback: bool,
    },
    Cancel(String),
    Job(String),
    /// A job, once it has changed.
    Wait(String),
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
    /// When its caller gives up, or comes again.
    until_ms: u64,
    /// Whether it found no free connection, so that it may be repeated whatever it is.
    refused: bool,
    /// When it was made first; repeats count from here.
    first_ms: u64,
    /// What anybody was told before it was sent.
    known: Known,
    answer: AnswerReader,
}

/// One caller.
#[derive(Debug)]
pub(super) struct Caller {
    link: Option<LinkId>,
    pending: Option<Pending>,
    jobs: Vec<String>,
    hooks: Vec<String>,
    /// The newest request for a translation that has a key, to be repeated though it was answered.
    submitted: Option<(Ask, Vec<u8>)>,
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
            submitted: None,
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
    let patience = patience.map(|pending| pending.until_ms);
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
        _ if pending.refused => true,
        Ask::Submit { key, .. } => key.is_some(),
        Ask::Job(_) | Ask::Wait(_) => true,
        _ => false,
    };
    if repeats {
        send(world, at, pending);
    }
}

/// Makes the next request.
fn ask(world: &mut World, at: usize) {
    let rude = world.callers[at].rude_only || world.env.chance(|o| o.rude);
    let repeats = world.env.rng.chance(150);
    let submitted = world.callers[at].submitted.clone().filter(|_| repeats);
    // Where servers share their records, the question is whether they say the same.
    let is_shared = world.env.options.shared.is_some();
    let (mut ask, method, mut bytes) = match submitted {
        Some((ask, bytes)) => (ask, Method::Post, bytes),
        None if is_shared && world.env.rng.chance(400) => read_any(world),
        None => choose(world, at),
    };
    if matches!(&ask, Ask::Submit { key: Some(_), .. }) {
        world.callers[at].submitted = Some((ask.clone(), bytes.clone()));
    }
    if rude {
        ask = Ask::Rude;
        spoil(&mut world.env.rng, &mut bytes);
    }
    let pending = Pending {
        ask,
        method,
        bytes,
        until_ms: 0,
        refused: false,
        first_ms: world.env.now_ms(),
        known: Known::new(),
        answer: AnswerReader::new(method, ANSWER_BYTES_MAX),
    };
    send(world, at, pending);
}

/// Makes a request bad, incomplete, or three of one.
fn spoil(rng: &mut Rng, bytes: &mut Vec<u8>) {
    match rng.below(3) {
        0 => *bytes = b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_vec(),
        1 => bytes.truncate(1 + rng.below(bytes.len() as u64) as usize),
        _ => *bytes = bytes.repeat(3),
    }
}

/// Chooses what to ask, and of what there is.
fn choose(world: &mut World, at: usize) -> (Ask, Method, Vec<u8>) {
    let caller = &mut world.callers[at];
    caller.asked += 1;
    let number = caller.asked;
    let rng = &mut world.env.rng;
    let receiver = RECEIVER_PORT + rng.below(world.env.options.receivers as u64) as u16;
    let url = |kind: &str| format!("http://127.0.0.1:{receiver}/{kind}/{at}-{number}");
    let job = pick(rng, &caller.jobs);
    let hook = pick(rng, &caller.hooks);
    let some_job = job.clone().unwrap_or_else(|| "job_0".to_owned());
    let post = |path: &str, body: &str| request(Method::Post, path, "", body);
    let (ask, method, bytes) = match (rng.weighted(&[10, 2, 4, 3, 2, 1, 1, 1, 1, 3]), hook) {
        (0, _) => return submit(rng, &url("callback"), &format!("{at}-{number}")),
        (1, _) => {
            let path = format!("/v1/translations/{some_job}/cancel");
            (Ask::Cancel(some_job), Method::Post, post(&path, ""))
        }
        (3, _) => {
            let narrow = match job.filter(|_| rng.chance(400)) {
                Some(job) => format!(r#","job":"{job}""#),
                None => String::new(),
            };
            let mut url = url("hook");
            if rng.chance(100) {
                // Nobody may be sent there.
                url = url.replace("127.0.0.1", "10.0.0.1");
            }
            let body = format!(r#"{{"url":"{url}"{narrow}}}"#);
            (Ask::Register, Method::Post, post("/v1/webhooks", &body))
        }
        (4, Some(hook)) => {
            asked(&mut world.oracle, &hook);
            let body = rng.pick(&CHANGES).unwrap_or_default();
            let bytes = request(Method::Patch, &hook, "", body);
            (Ask::Other, Method::Patch, bytes)
        }
        (5, Some(hook)) if rng.chance(300) => {
            let bytes = request(Method::Delete, &hook, "", "");
            (Ask::Other, Method::Delete, bytes)
        }
        (case @ 6..=8, Some(hook)) => {
            let deed = ["test", "rotate-secret", "redeliver"][case - 6];
            asked(&mut world.oracle, &hook);
            let bytes = post(&format!("{hook}/{deed}"), "");
            (Ask::Other, Method::Post, bytes)
        }
        (9, _) => {
            let path = rng.pick(&PATHS).unwrap_or_default();
            let bytes = request(Method::Get, path, "", "");
            (Ask::Other, Method::Get, bytes)
        }
        _ if rng.chance(300) => {
            let past = rng.below(4);
            let line = format!("GET /v1/translations/{some_job}?after_sequence={past} HTTP/1.1");
            let bytes = format!("{line}\r\nhost: s\r\nprefer: wait=5\r\n\r\n");
            (Ask::Wait(some_job), Method::Get, bytes.into_bytes())
        }
        _ => {
            let path = format!("/v1/translations/{some_job}");
            let bytes = request(Method::Get, &path, "", "");
            (Ask::Job(some_job), Method::Get, bytes)
        }
    };
    (ask, method, bytes)
}

/// Asks how a job is of which anybody was told lately.
fn read_any(world: &mut World) -> (Ask, Method, Vec<u8>) {
    let newest = world.oracle.newest_known();
    let job = match newest.len() {
        0 => "job_0".to_owned(),
        len => {
            let at = world.env.rng.below(len as u64) as usize;
            newest[at].text(Prefix::Job).as_str().to_owned()
        }
    };
    let bytes = request(Method::Get, &format!("/v1/translations/{job}"), "", "");
    (Ask::Job(job), Method::Get, bytes)
}

/// Tells the oracle that somebody asks for the deliveries to a webhook, by its path.
fn asked(oracle: &mut Oracle, hook: &str) {
    let name = hook.rsplit('/').next().unwrap_or_default();
    if let Some(id) = Id::parse(Prefix::Endpoint, name) {
        oracle.asked(id);
    }
}

/// What callers change of their webhooks.
const CHANGES: [&str; 4] = [
    r#"{"enabled":false}"#,
    r#"{"enabled":true}"#,
    r#"{"description":"d"}"#,
    r#"{"events":["translation.completed","translation.error","translation.canceled"]}"#,
];

/// What callers look at now and then.
const PATHS: [&str; 5] = [
    "/status",
    "/v1/translations",
    "/v1/webhooks",
    "/healthz",
    "/nowhere",
];

/// A request for a translation.
fn submit(rng: &mut Rng, callback_url: &str, name: &str) -> (Ask, Method, Vec<u8>) {
    let callback = rng.chance(500);
    let key = rng.chance(700).then(|| format!("key-{name}"));
    let also = if callback {
        format!(r#","callback_url":"{callback_url}""#)
    } else {
        String::new()
    };
    let body = format!(
        r#"{{"video_url":"https://e.test/v.mp4","target_language":"es","reference":"\u00e9{name}"{also}}}"#
    );
    let field = key.as_deref();
    let field = field.map_or(String::new(), |key| format!("idempotency-key: {key}\r\n"));
    let bytes = request(Method::Post, "/v1/translations", &field, &body);
    (Ask::Submit { key, callback }, Method::Post, bytes)
}

fn pick(rng: &mut Rng, among: &[String]) -> Option<String> {
    let at = rng.below(among.len() as u64) as usize;
    among.get(at).cloned()
}

/// A request as bytes. `fields` are whole lines.
pub(super) fn request(method: Method, path: &str, fields: &str, body: &str) -> Vec<u8> {
    let method = method.as_str();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{fields}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends a request, again or for the first time.
fn send(world: &mut World, at: usize, mut pending: Pending) {
    pending.until_ms = world.env.now_ms() + PATIENCE_MS;
    pending.refused = false;
    pending.known = world.oracle.known();
    pending.answer = AnswerReader::new(pending.method, ANSWER_BYTES_MAX);
    let server = world.env.any_server();
    let caller = &world.callers[at];
    let link = match caller.link {
        Some(link) => link,
        None => world
            .net
            .connect(&mut world.env, [Party::Caller(at), server]),
    };
    let caller = &mut world.callers[at];
    caller.link = Some(link);
    let bytes = pending.bytes.clone();
    caller.pending = Some(pending);
    world.net.send(&mut world.env, link, Side::Opener, &bytes);
    if world.env.chance(|o| o.half_close) {
        world.net.finish(&mut world.env, link, Side::Opener);
    }
}

/// Whoever was refused comes back later, not at once.
fn come_again(pending: &mut Pending, now_ms: u64) {
    pending.until_ms = pending.until_ms.min(now_ms + REFUSED_MS);
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
            if let Some(pending) = &mut caller.pending {
                come_again(pending, world.env.now_ms());
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
    match pending.answer.read(bytes) {
        Ok(false) => return,
        Ok(true) => {}
        Err(error) => {
            let text = format!("an answer that is none: {error:?}");
            world.oracle.fail("L2", text);
            return;
        }
    }
    let mut pending = caller.pending.take().expect("a request");
    let response = pending.answer.response().expect("a whole answer");
    let (status, reuse) = (response.status, response.reuse);
    let body = response.body.to_vec();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let detail = json["detail"].as_str().unwrap_or_default();
    if status == 503 && detail.starts_with("All connections are taken") {
        if let Some(link) = caller.link.take() {
            world.net.finish(&mut world.env, link, Side::Opener);
        }
        pending.refused = true;
        come_again(&mut pending, world.env.now_ms());
        caller.pending = Some(pending);
        return;
    }
    if !matches!(pending.ask, Ask::Rude | Ask::Wait(_)) {
        let took = world.env.now_ms() - pending.first_ms;
        caller.slowest_ms = caller.slowest_ms.max(took);
        caller.answers += 1;
        let most = world.env.options.answer_ms_max.unwrap_or(u64::MAX);
        world.oracle.ensure(took <= most, "L2", || {
            format!(
                "{took} ms for {:?}, and at most {most} are good",
                pending.ask
            )
        });
    }
    if (!reuse || matches!(pending.ask, Ask::Rude))
        && let Some(link) = caller.link.take()
    {
        world.net.finish(&mut world.env, link, Side::Opener);
    }
    world.note(status.into(), &body);
    if let Ask::Job(job) | Ask::Wait(job) | Ask::Cancel(job) = &pending.ask {
        let gone = Id::parse(Prefix::Job, job).filter(|_| status == 404);
        match gone {
            Some(job) => world.oracle.read_nothing(&pending.known, job),
            None => world
                .oracle
                .read(&pending.known, &String::from_utf8_lossy(&body)),
        }
    }
    answered(world, at, pending, status, &json);
}

fn answered(world: &mut World, at: usize, mut pending: Pending, status: u16, json: &Value) {
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
                let now_ms = world.env.now_ms();
                pending.first_ms = now_ms;
                come_again(&mut pending, now_ms);
                world.callers[at].pending = Some(pending);
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
