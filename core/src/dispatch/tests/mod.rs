//! A dispatcher alone, with events of a kind of its own: what a door tells.

extern crate std;

mod endpoints;
mod misuse;
#[cfg(feature = "records")]
mod records;
mod telling;

use super::{
    AttemptResult, Attempted, Dispatcher, Input, Limits, NewEndpoint, Output, Ready, Storage,
    Subjects,
};
use crate::{
    delivery::{AttemptId, Message},
    id::{Id, Prefix},
    json::Writer,
    log::AttemptError,
    out::Out,
    record::{Keep, Read, Stored, Write},
    slab::Ix,
    text::{Pool, Text},
    time::{Instant, Now, Timestamp},
};
use std::{boxed::Box, format, string::String, vec::Vec};
use zerocopy::FromZeros;

/// What a door tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromZeros)]
#[repr(u8)]
enum Kind {
    Opened = 0,
    Closed = 1,
    /// How warm it is there. The newest counts.
    Reading = 2,
    /// Nothing will come of it any more.
    Removed = 3,
    Test = 4,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Opened,
        Self::Closed,
        Self::Reading,
        Self::Removed,
        Self::Test,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, FromZeros)]
struct Told {
    at: Timestamp,
    sequence: u32,
    kind: Kind,
    tenths: i16,
}

/// All but readings, where it is set.
type MovesOnly = bool;

impl Message for Told {
    type Filter = MovesOnly;

    const EMPTY: Self = Self {
        at: Timestamp::EPOCH,
        sequence: 0,
        kind: Kind::Opened,
        tenths: 0,
    };
    const NO_FILTER: MovesOnly = false;

    fn sequence(&self) -> u32 {
        self.sequence
    }
    fn at(&self) -> Timestamp {
        self.at
    }
    fn kind(&self) -> u8 {
        self.kind as u8
    }
    fn may_be_overtaken(&self) -> bool {
        self.kind == Kind::Reading
    }
    fn is_last(&self) -> bool {
        self.kind == Kind::Removed
    }
    fn passes(&self, moves_only: MovesOnly) -> bool {
        !(moves_only && self.kind == Kind::Reading)
    }
}

impl Stored for Told {
    const BYTES_MAX: usize = 8 + 4 + 1 + 2;

    fn write(&self, record: &mut Write<'_>) {
        record.timestamp(self.at);
        record.u32(self.sequence);
        record.u8(self.kind as u8);
        record.u16(self.tenths.cast_unsigned());
    }
    fn read(record: &mut Read<'_>) -> Option<Self> {
        Some(Self {
            at: record.timestamp(),
            sequence: record.u32(),
            kind: *Kind::ALL.get(usize::from(record.u8()))?,
            tenths: record.u16().cast_signed(),
        })
    }
}

/// Two doors, of which the second has a callback of its own.
struct Doors {
    ids: [Id; 2],
    callback: Text<1>,
}

impl Subjects<Told> for Doors {
    fn id(&self, door: Ix) -> Option<Id> {
        self.ids.get(door.get() as usize - 1).copied()
    }
    fn write_body(&self, door: Ix, told: &Told, _: &Pool<'_>, out: &mut Out<'_>) {
        Writer::new(out)
            .object()
            .name("door")
            .u64(door.get().into())
            .name("kind")
            .string(&format!("{:?}", told.kind))
            .name("tenths")
            .i64(told.tenths.into())
            .end_object();
    }
    fn write_test(&self, endpoint: Id, _: &Told, out: &mut Out<'_>) {
        out.put(endpoint.text(Prefix::Endpoint).as_bytes());
    }
    fn callback_url<'t>(
        &'t self,
        door: Ix,
        text: &'t Pool<'_>,
    ) -> Option<impl Iterator<Item = &'t [u8]>> {
        (door == BACK).then(|| text.field(&self.callback, 0))
    }
}

type Memory = Storage<Told, 2, 2, 4, 256>;

const FRONT: Ix = Ix::new(1).unwrap();
const BACK: Ix = Ix::new(2).unwrap();

/// A dispatcher, its doors, and the time.
struct Bench<'a> {
    dispatcher: Dispatcher<'a, Told>,
    doors: Doors,
    now: Now,
    sequences: [u32; 2],
}

fn bench(keep: Keep, run: impl FnOnce(Bench<'_>)) {
    let mut memory = Box::new(Memory::new());
    let mut bench = Bench::over(&mut memory, keep);
    bench.admit();
    run(bench);
}

impl<'a> Bench<'a> {
    fn over(memory: &'a mut Memory, keep: Keep) -> Self {
        Self::with(memory, keep, Limits::DEVICE)
    }

    fn with(memory: &'a mut Memory, keep: Keep, limits: Limits) -> Self {
        Self::seeded(memory, keep, limits, [7; 32])
    }

    fn seeded(memory: &'a mut Memory, keep: Keep, limits: Limits, seed: [u8; 32]) -> Self {
        let now = Now {
            instant: Instant::ZERO,
            timestamp: Timestamp::from_unix_ms(1_795_510_800_000),
        };
        let mut dispatcher = Dispatcher::new(memory.lend(keep), limits, seed).unwrap();
        let ids = [FRONT, BACK].map(|door| dispatcher.new_id(now, door));
        let url = "http://own.test/back".bytes();
        let callback = dispatcher.text.store([url]).unwrap();
        Self {
            dispatcher,
            doors: Doors { ids, callback },
            now,
            sequences: [0; 2],
        }
    }

    fn admit(&mut self) {
        self.dispatcher.admit(FRONT, 0, false).unwrap();
        self.dispatcher.admit(BACK, 0, true).unwrap();
    }

    fn endpoint(&mut self, url: &str, moves_only: bool) -> Ix {
        let new = NewEndpoint::new(url, moves_only).unwrap();
        self.dispatcher.create_endpoint(self.now, new).unwrap()
    }

    fn event(&mut self, door: Ix, kind: Kind, tenths: i16) -> Told {
        let sequence = &mut self.sequences[door.get() as usize - 1];
        *sequence += 1;
        Told {
            at: self.now.timestamp,
            sequence: *sequence,
            kind,
            tenths,
        }
    }

    fn tell(&mut self, door: Ix, kind: Kind, tenths: i16) {
        let told = self.event(door, kind, tenths);
        let published = self
            .dispatcher
            .publish(door, told, door == BACK, &self.doors);
        assert_eq!(published, Ok(()));
        assert_eq!(self.dispatcher.audit(), Ok(()));
    }

    /// What is to be sent now: the attempt, and its request.
    fn attempt(&mut self) -> Option<(AttemptId, String)> {
        let mut memory = [0; 512];
        let output = self
            .dispatcher
            .poll(self.now, Ready::ALL, &mut memory)
            .unwrap();
        let Output::Attempt(attempt) = output else {
            return None;
        };
        Some((attempt.id, self.request(attempt.id)))
    }

    fn request(&mut self, id: AttemptId) -> String {
        let (mut text, mut request) = ([0; 120], [0; 1_024]);
        let url = self
            .dispatcher
            .attempt_url(id, &self.doors, &mut text)
            .unwrap();
        let len = self
            .dispatcher
            .write_attempt(self.now, id, &url, &self.doors, &mut request)
            .unwrap();
        String::from_utf8(request[..len].to_vec()).unwrap()
    }

    fn end(&mut self, id: AttemptId, result: AttemptResult<'_>) -> Attempted {
        let input = Input::Attempt { id, result };
        let ended = self.dispatcher.handle(self.now, input, &self.doors);
        assert_eq!(self.dispatcher.audit(), Ok(()));
        ended.unwrap().unwrap()
    }

    fn answer(&mut self, id: AttemptId, status: u16) -> Attempted {
        self.end(id, answered(status, None))
    }

    /// Sends all that may be sent now, to receivers that answer with `status`: hosts and kinds, in that order.
    fn drain(&mut self, status: u16) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some((id, request)) = self.attempt() {
            sent.push(summary(&request));
            self.answer(id, status);
        }
        sent
    }

    fn pass(&mut self, ms: u64) {
        self.now.instant = self.now.instant.after_ms(ms);
        self.now.timestamp = self.now.timestamp.after_ms(ms);
    }
}

const fn answered(status: u16, retry_after_ms: Option<u64>) -> AttemptResult<'static> {
    AttemptResult::Answer {
        status,
        retry_after_ms,
        body: b"",
    }
}

const CLOSED: AttemptResult<'static> = AttemptResult::Failed(AttemptError::Closed);

/// The host and the body of a request.
fn summary(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    format!("{} {body}", field(head, "host"))
}

fn field<'r>(request: &'r str, name: &str) -> &'r str {
    let mut lines = request.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_default()
}
