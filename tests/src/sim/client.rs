//! Clients: the core's own client machine, with the glue that a runtime is, and an application on top that asks for
//! translations and forgets nothing but what it had in memory. What the server tells comes in through `inbox`.

use super::{
    CLIENT_PORT, SERVER_URL,
    inbox::{self, Io},
    mutation::Mutation,
    net::{LinkId, Party, Payload, Side},
    oracle::{As, Belief},
    queue::Event,
    reader::AnswerReader,
    world::World,
};
use dubhook_core::{
    client::{
        Client, ClientStorage, Config, Exchange, Failure, Input, Output, Server, Timings, Update,
        Webhook,
    },
    http::Limits,
    id::Id,
    model::NewTranslation,
    out::Out,
    signature::Secret,
    time::Now,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many translations an application asks for.
const JOBS: usize = 4;

/// A request on its way, and what has come of its answer.
#[derive(Debug)]
struct Asking {
    exchange: Exchange,
    answer: AnswerReader,
}

/// One client.
#[derive(Debug)]
pub(super) struct Device {
    /// None while it is down.
    pub(super) client: Option<Client<'static>>,
    since_ms: u64,
    link: Option<LinkId>,
    asking: Option<Asking>,
    pub(super) links: BTreeMap<LinkId, Io>,
    /// The jobs that its application has, written down where a crash does not reach.
    pub(super) jobs: BTreeSet<Id>,
    asked: usize,
    /// The next moment at which it looks at itself.
    planned_ms: u64,
}

impl Device {
    pub(super) const fn new() -> Self {
        Self {
            client: None,
            since_ms: 0,
            link: None,
            asking: None,
            links: BTreeMap::new(),
            jobs: BTreeSet::new(),
            asked: 0,
            planned_ms: u64::MAX,
        }
    }

    pub(super) fn clocks(&self, world: &World) -> Now {
        world.env.clocks(self.since_ms)
    }
}

/// What an application does now and then: start, ask for a translation, die.
pub(super) fn act(world: &mut World, at: usize) {
    let pause_ms = 1 + world.env.rng.below(8_000);
    let dies = world.env.chance(|o| o.client_crash);
    let asks = world.env.rng.chance(500);
    if !world.env.healed {
        let next = world.env.now_ms() + pause_ms;
        world.env.queue.push(next, Event::Act(at));
    }
    if world.clients[at].client.is_none() {
        start(world, at);
    } else if dies {
        die(world, at);
    } else if asks && !world.env.healed && world.clients[at].asked < JOBS {
        with_client(world, at, |device, now| {
            let reference = format!("client-{at}-{}", device.asked);
            let new = NewTranslation {
                video_url: "https://e.test/c.mp4",
                target_language: "fr",
                reference: Some(&reference),
                ..NewTranslation::default()
            };
            let client = device.client.as_mut()?;
            device.asked += usize::from(client.submit(now, &new).is_ok());
            None
        });
    }
}

/// Starts, with what was written down.
fn start(world: &mut World, at: usize) {
    // Each life leaks its memory, some 2 KB, so that a client can be kept beside others whose lives differ.
    let memory = Box::leak(Box::new(ClientStorage::<{ 2 * JOBS }>::new()));
    let url = format!(
        "http://127.0.0.1:{}/hook/client-{at}",
        CLIENT_PORT + at as u16
    );
    let mut webhook = Webhook::new(url.leak()).expect("a URL");
    webhook.secret = Some(Secret::from_random([at as u8; 32]));
    let server = Server::parse(SERVER_URL).expect("a URL");
    let config = Config {
        http: Limits::SERVER,
        timings: Timings::STANDARD,
        ..Config::new(server, Some(webhook))
    };
    let seed = world.env.rng.bytes();
    let device = &mut world.clients[at];
    device.since_ms = world.env.queue.now();
    device.client = Some(Client::new(memory.lend(), config, seed));
    world.oracle.client_started(at);
    with_client(world, at, |device, now| {
        let client = device.client.as_mut()?;
        client.start(now);
        for job in &device.jobs {
            client.follow(now, *job).expect("room for its jobs");
        }
        None
    });
}

/// The power goes.
fn die(world: &mut World, at: usize) {
    let device = &mut world.clients[at];
    device.client = None;
    device.asking = None;
    let links = core::mem::take(&mut device.links).into_keys();
    let links = links.map(|link| (link, Side::Listener));
    let own = device.link.take().map(|link| (link, Side::Opener));
    for (link, side) in links.chain(own).collect::<Vec<_>>() {
        world.net.reset(&mut world.env, link, side);
    }
}

/// A moment that it has planned has come.
pub(super) fn wake(world: &mut World, at: usize) {
    if world.clients[at].planned_ms <= world.env.now_ms() {
        world.clients[at].planned_ms = u64::MAX;
    }
    with_client(world, at, |_, _| None);
}

/// Does something with a client that is up, notes what it has learned, and then does all that it wants done.
pub(super) fn with_client(
    world: &mut World,
    at: usize,
    deed: impl FnOnce(&mut Device, Now) -> Option<Learned>,
) {
    let now = world.clients[at].clocks(world);
    let device = &mut world.clients[at];
    if device.client.is_none() {
        return;
    }
    let news = deed(device, now);
    note(world, at, news);
    let device = &mut world.clients[at];
    let Some(client) = &mut device.client else {
        return;
    };
    // An exchange that has ended, and not by its answer, takes its connection along.
    let asking = device.asking.as_ref().map(|asking| asking.exchange.id);
    if asking.is_some() && client.in_flight().map(|exchange| exchange.id) != asking {
        device.asking = None;
        if let Some(link) = device.link.take() {
            world.net.reset(&mut world.env, link, Side::Opener);
        }
    }
    let mut memory = [0; 2_048];
    let mut out = Out::new(&mut memory);
    let mut output = client.poll(now, &mut out).expect("room");
    if let Output::Abandon { update, .. } = output {
        device.asking = None;
        if let Some(link) = device.link.take() {
            world.net.reset(&mut world.env, link, Side::Opener);
        }
        note(world, at, learned(update));
        let client = world.clients[at].client.as_mut().expect("it is up");
        output = client.poll(now, &mut out).expect("room");
    }
    if let Output::Send(exchange) = output {
        let device = &mut world.clients[at];
        device.asking = Some(Asking {
            answer: AnswerReader::new(exchange.call.method(), 8_192),
            exchange,
        });
        let server = world.env.any_server();
        let parties = [Party::Client(at), server];
        let device = &world.clients[at];
        let link = match device.link {
            Some(link) => link,
            None => world.net.connect(&mut world.env, parties),
        };
        world.clients[at].link = Some(link);
        let bytes = out.written();
        world.net.send(&mut world.env, link, Side::Opener, bytes);
    }
    plan(world, at);
}

fn plan(world: &mut World, at: usize) {
    let device = &mut world.clients[at];
    let due = device.client.as_ref().and_then(Client::deadline);
    if let Some(due) = due {
        // A deadline that is over already is looked at in a millisecond, so that time goes on.
        let due_ms = device.since_ms + due.at.as_ms();
        let due_ms = due_ms.max(world.env.queue.now() + 1);
        if due_ms < device.planned_ms {
            device.planned_ms = due_ms;
            world.env.queue.push(due_ms, Event::Client(at));
        }
    }
}

/// What an update says, apart from the bytes that it came in.
#[derive(Debug)]
pub(super) enum Learned {
    Submitted(Belief),
    Job(Belief, As),
    Unknown(Id),
}

pub(super) fn learned(update: Update<'_>) -> Option<Learned> {
    let belief = |job: dubhook_core::model::Translation<dubhook_core::json::Str<'_>>| Belief {
        job: job.id,
        sequence: job.sequence,
        status: job.status,
    };
    match update {
        Update::Submitted(job) => Some(Learned::Submitted(belief(job))),
        Update::Job(news) => Some(Learned::Job(belief(news.job), As::News)),
        Update::Current(job) => Some(Learned::Job(belief(job), As::Current)),
        Update::JobUnknown(job) => Some(Learned::Unknown(job)),
        _ => None,
    }
}

fn note(world: &mut World, at: usize, news: Option<Learned>) {
    match news {
        Some(_)
            if world.env.options.mutation == Some(Mutation::DeafApplications)
                && world.env.healed => {}
        None => {}
        Some(Learned::Submitted(belief)) => {
            world.clients[at].jobs.insert(belief.job);
            world.oracle.accepted(None, belief.job, false);
            world.oracle.client_told(at, belief, As::Current);
        }
        Some(Learned::Job(belief, how)) => {
            let twice = world.env.options.mutation == Some(Mutation::TellTwice);
            for _ in 0..1 + u8::from(twice) {
                world.oracle.client_told(at, belief, how);
            }
        }
        Some(Learned::Unknown(job)) => {
            world.clients[at].jobs.remove(&job);
            world.oracle.client_misses(at, job);
        }
    }
}

/// Something arrives at a client.
pub(super) fn receive(world: &mut World, at: usize, id: LinkId, to: Side, payload: Payload) {
    if world.clients[at].client.is_none() {
        if payload == Payload::Open {
            world.net.reset(&mut world.env, id, to);
        }
        return;
    }
    match to {
        Side::Opener => receive_answer(world, at, id, &payload),
        Side::Listener => inbox::receive(world, at, id, &payload),
    }
}

fn receive_answer(world: &mut World, at: usize, link: LinkId, payload: &Payload) {
    if world.clients[at].link != Some(link) {
        return;
    }
    let failed = match payload {
        Payload::Open => return,
        Payload::Bytes(bytes) => {
            let Some(asking) = &mut world.clients[at].asking else {
                return;
            };
            match asking.answer.read(bytes) {
                Ok(false) => return,
                Ok(true) => None,
                Err(_) => Some(Failure::Unreadable),
            }
        }
        Payload::Fin | Payload::Reset => Some(Failure::Broken),
    };
    let asking = world.clients[at].asking.take();
    let reuse = failed.is_none()
        && asking
            .as_ref()
            .and_then(|asking| asking.answer.response())
            .is_some_and(|response| response.reuse);
    if !reuse {
        world.clients[at].link = None;
        world.net.finish(&mut world.env, link, Side::Opener);
    }
    with_client(world, at, |device, now| {
        let asking = asking?;
        let client = device.client.as_mut()?;
        let id = asking.exchange.id;
        let update = match failed {
            Some(failure) => client.handle(now, Input::Failure { id, failure }),
            None => {
                let response = &asking.answer.response()?;
                client.handle(now, Input::Answer { id, response })
            }
        };
        update.ok().flatten().and_then(learned)
    });
}
