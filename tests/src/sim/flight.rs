//! Attempts on their way: the connection, the answer, the deadline.

use super::{
    CLIENT_PORT, RECEIVER_PORT,
    mutation::{Mutation, forge},
    net::{LinkId, Party, Payload, Side},
    oracle::{Told, Try},
    process::Process,
    queue::Event,
    reader::pour,
    world::World,
};
use crate::machine::field;
use dubhook_core::{
    dispatch::AttemptId,
    http::{self, BodyUse, Limits, Method, RecvBuf, ResponseParser, ResponseProgress},
    log::AttemptError,
    server::Input,
    service::{Attempt, AttemptResult},
    time::Now,
    url::Scheme,
};
use std::ops::Range;

/// An attempt on its way.
#[derive(Debug)]
pub(super) struct Flight {
    attempt: AttemptId,
    told: Told,
    receiver: Party,
    parser: ResponseParser,
    memory: Vec<u8>,
    filled: Range<usize>,
    pub(super) deadline_ms: u64,
}

impl Process<'_> {
    /// Makes an attempt.
    pub(super) fn begin(&mut self, world: &mut World, now: Now, attempt: &Attempt) {
        let mut url = [0; 256];
        let url = self.server.attempt_url(attempt.id, &mut url);
        let url = url.expect("a URL");
        let allowed = url.scheme() == Scheme::Http && url.host_text() == "127.0.0.1";
        world
            .oracle
            .ensure(allowed, "S11", || format!("{url:?} is called"));
        let receiver = match url.port() {
            port @ CLIENT_PORT.. => Party::Client((port - CLIENT_PORT).into()),
            port => Party::Receiver((port - RECEIVER_PORT).into()),
        };
        let mut memory = vec![0; 4_096];
        let len = self
            .server
            .write_attempt(now, attempt.id, &url, &mut memory)
            .expect("room for an attempt");
        memory.truncate(len);
        let service = self.server.service();
        let endpoint = service.endpoint(attempt.lane).map(|e| e.id);
        let job = attempt
            .subject
            .and_then(|ix| service.job(ix))
            .map(|job| job.id());
        let text = String::from_utf8_lossy(&memory).into_owned();
        let told = Told {
            path: text[5..].split(' ').next().unwrap_or_default().to_owned(),
            endpoint: endpoint.filter(|_| !attempt.callback),
            job,
            event: attempt.event,
        };
        mutate_attempt(world, &mut memory, attempt, &told, receiver);
        let text = String::from_utf8_lossy(&memory).into_owned();
        let seen = Try {
            told: &told,
            id: field(&text, "webhook-id"),
            timestamp: field(&text, "webhook-timestamp"),
            body: text.split_once("\r\n\r\n").map_or("", |(_, body)| body),
            number: attempt.number,
        };
        let twice = world.env.options.mutation == Some(Mutation::SendTwice);
        for _ in 0..1 + u8::from(twice) {
            let is_legitimate = self.is_legitimate(world);
            let durable = &world.durable.sequences;
            world
                .oracle
                .attempt_begins(&seen, &world.env, durable, is_legitimate);
        }
        if twice {
            world
                .env
                .queue
                .push(0, Event::Late(receiver, memory.clone()));
        }
        let deadline = self.server.attempt_deadline(now);
        let flight = Flight {
            attempt: attempt.id,
            told,
            receiver,
            parser: ResponseParser::new(Method::Post, BodyUse::Keep),
            memory: vec![0; 2_048],
            filled: 0..0,
            deadline_ms: self.since_ms + deadline.as_ms(),
        };
        match world.env.options.mutation {
            Some(Mutation::SkipDelivery) if attempt.event.kind.is_terminal() => {
                return self.end(world, flight, answer(204));
            }
            Some(Mutation::SendLate) if world.env.rng.chance(300) => {
                let at = world.env.now_ms() + 6_000;
                world.env.queue.push(at, Event::Late(receiver, memory));
                return self.end(world, flight, answer(204));
            }
            _ => {}
        }
        let place = self.kept.iter().position(|(kept, _)| *kept == receiver);
        let link = match place {
            Some(place) => self.kept.remove(place).1,
            None => {
                let parties = [Party::Server(self.at), receiver];
                world.net.connect(&mut world.env, parties)
            }
        };
        world.net.send(&mut world.env, link, Side::Opener, &memory);
        self.flights.insert(link, flight);
    }

    /// Whether there may be one attempt more: always, but for the mutation of that name.
    pub(super) fn may_begin(&self, world: &World) -> bool {
        let one = world.env.options.mutation == Some(Mutation::OneAtATime);
        !one || self.flights.is_empty()
    }

    /// Something arrives from a receiver.
    pub(super) fn receive_answer(&mut self, world: &mut World, link: LinkId, payload: Payload) {
        let Some(mut flight) = self.flights.remove(&link) else {
            // A kept connection that the receiver has closed, or that says what it was not asked.
            self.kept.retain(|(_, kept)| *kept != link);
            if payload != Payload::Open {
                world.net.finish(&mut world.env, link, Side::Opener);
            }
            return;
        };
        let failed = match payload {
            Payload::Open => None,
            Payload::Reset => Some(AttemptError::Closed),
            Payload::Fin => match flight.parser.eof() {
                Ok(()) => None,
                Err(_) => Some(AttemptError::Closed),
            },
            Payload::Bytes(bytes) => flight.read(&bytes),
        };
        let now = self.now(world);
        let filled = flight.memory[flight.filled.clone()].to_vec();
        if let Some(error) = failed {
            world.net.reset(&mut world.env, link, Side::Opener);
            self.end(world, flight, AttemptResult::Failed(error));
        } else if let Some(response) = flight.parser.response(&filled) {
            if response.reuse {
                self.kept.push((flight.receiver, link));
            } else {
                world.net.finish(&mut world.env, link, Side::Opener);
            }
            let hint = response.fields.get("retry-after");
            let result = AttemptResult::Answer {
                status: response.status,
                retry_after_ms: hint.and_then(|value| http::retry_after(value, now.timestamp)),
                body: response.body,
            };
            self.end(world, flight, result);
        } else {
            self.flights.insert(link, flight);
        }
    }

    fn end(&mut self, world: &mut World, flight: Flight, result: AttemptResult<'_>) {
        let now = self.now(world);
        let id = flight.attempt;
        let input = Input::Attempt { id, result };
        let attempted = self.server.handle(now, input).unwrap_or_default();
        if self.is_legitimate(world) {
            let now_ms = self.since_ms + now.instant.as_ms();
            world
                .oracle
                .attempt_ended(&flight.told, now_ms, result, attempted);
        }
        self.observe(world);
    }

    /// Ends the attempts whose time is over.
    pub(super) fn expire_flights(&mut self, world: &mut World, _: Now) {
        let now_ms = self.since_ms + self.now(world).instant.as_ms();
        let due = self.flights.iter();
        let due = due.filter(|(_, flight)| flight.deadline_ms <= now_ms);
        let due: Vec<LinkId> = due.map(|(link, _)| *link).collect();
        for link in due {
            if let Some(flight) = self.flights.remove(&link) {
                world.net.reset(&mut world.env, link, Side::Opener);
                self.end(world, flight, AttemptResult::Failed(AttemptError::Timeout));
            }
        }
    }
}

impl Flight {
    /// Reads on in the answer. Says what is wrong with it, if something is.
    fn read(&mut self, bytes: &[u8]) -> Option<AttemptError> {
        let mut rest = bytes;
        loop {
            let mut input = RecvBuf::resume(&mut self.memory, self.filled.clone());
            rest = pour(&mut input, rest);
            let progress = self.parser.advance(&Limits::SMALL, &mut input);
            self.filled = input.filled_range();
            match progress {
                Err(_) => return Some(AttemptError::Malformed),
                Ok(ResponseProgress::NeedMore { .. }) if !rest.is_empty() => {}
                Ok(_) => return None,
            }
        }
    }
}

fn mutate_attempt(
    world: &mut World,
    memory: &mut Vec<u8>,
    attempt: &Attempt,
    told: &Told,
    receiver: Party,
) {
    let text = String::from_utf8_lossy(memory).into_owned();
    let id = field(&text, "webhook-id").to_owned();
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let again = attempt.number > 1;
    let secret = world.oracle.secrets_of(&told.target()).pop();
    match (world.env.options.mutation, secret) {
        (Some(Mutation::ReuseTimestamp), _) => {
            let first = world.first_sent.entry(id).or_insert_with(|| memory.clone());
            memory.clone_from(first);
        }
        (Some(Mutation::ChangeBody), _) if again => {
            if let Some(last) = memory.iter_mut().rev().nth(2) {
                *last ^= 1;
            }
        }
        (Some(Mutation::NewId), Some(secret)) if again => {
            *memory = forge(&text, &secret, &format!("{id}x"), body);
        }
        (Some(Mutation::GoOn), Some(secret)) if attempt.event.kind.is_terminal() => {
            let sequence = attempt.event.sequence;
            let from = format!("\"sequence\":{sequence}");
            let to = format!("\"sequence\":{}", sequence + 1);
            let body = body.replace(&from, &to);
            let bytes = forge(&text, &secret, &format!("{id}x"), &body);
            let at = world.env.now_ms() + 10_000;
            world.env.queue.push(at, Event::Late(receiver, bytes));
        }
        _ => {}
    }
}

const fn answer(status: u16) -> AttemptResult<'static> {
    AttemptResult::Answer {
        status,
        retry_after_ms: None,
        body: b"",
    }
}
