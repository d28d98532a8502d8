//! The server and the client machine, talking to each other, take no memory but what they were lent.
//!
//! Everything that a test needs of its own (buffers, messages) is set up before the allocator is told to
//! count, so that what it counts is the machines'.

use dubhook_core::{
    client::{self, Client, Receiver, Update, Webhook},
    http::{BodyUse, Limits, RecvBuf, ResponseParser},
    job::Status,
    model::{NewTranslation, NewestStatus},
    out::Out,
    record::Keep,
    server::{Config, ConnId, Drive, Input, Output, Ready, Server, ServerStorage},
    service::{AttemptResult, Report},
    time::Now,
};
use dubhook_tests::machine::at;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, counting what the present thread asks of it while that is forbidden.
struct Counting;

thread_local! {
    static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    if FORBIDDEN.get() {
        COUNT.set(COUNT.get() + 1);
    }
}

// SAFETY: every call goes to the system's allocator as it came. Counting takes no memory: the thread's
// variables are constants without a destructor, so they need no setting up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller of this function promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller of this function promised.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller of this function promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller of this function promised.
        unsafe { System.realloc(memory, layout, bytes) }
    }
}

/// How often `work` asks for memory.
fn allocations(work: impl FnOnce()) -> usize {
    COUNT.set(0);
    FORBIDDEN.set(true);
    work();
    FORBIDDEN.set(false);
    COUNT.get()
}

const BUFFER_BYTES: usize = 8_192;
const RECORD_BYTES: usize = 1_024;
const RECORDS_MAX: usize = 128;

/// Records as a flash would hold them: the newest value of each key, in slots of one size.
struct Store {
    records: [Option<(dubhook_core::record::Key, usize)>; RECORDS_MAX],
    values: [[u8; RECORD_BYTES]; RECORDS_MAX],
}

impl Store {
    fn commit(&mut self, now: Now, server: &mut Server<'_>) {
        let mut value = [0; RECORD_BYTES];
        loop {
            match server.poll(now, Ready::RECORDS, &mut value).unwrap() {
                Output::Save { key, value } => {
                    let mut places = self.records.iter();
                    let same = places.position(|r| r.is_some_and(|(known, _)| known == key));
                    let place = same.or_else(|| self.records.iter().position(Option::is_none));
                    let place = place.expect("room for a record");
                    self.records[place] = value.map(|value| (key, value.len()));
                    let value = value.as_deref().unwrap_or_default();
                    self.values[place][..value.len()].copy_from_slice(value);
                }
                Output::Commit(batch) => {
                    server.handle(now, Input::Durable(batch)).unwrap();
                }
                _ => return,
            }
        }
    }

    fn restore(&mut self, now: Now, server: &mut Server<'_>) {
        let mut order: [usize; RECORDS_MAX] = std::array::from_fn(|place| place);
        order.sort_unstable_by_key(|place| self.records[*place].map(|(key, _)| key));
        for place in order {
            if let Some((key, len)) = self.records[place] {
                let value = &self.values[place][..len];
                server.restore(now, key, value).unwrap();
            }
        }
        server.start(now).unwrap();
    }
}

/// Both machines, and the memory between them that a driver would have.
struct World<'a> {
    now: Now,
    server: Server<'a>,
    conn: ConnId,
    store: Box<Store>,
    client: Client<'a>,
    receiver: Receiver,
    to_server: [u8; BUFFER_BYTES],
    to_client: [u8; BUFFER_BYTES],
}

impl World<'_> {
    fn pass_ms(&mut self, ms: u64) {
        self.now = at(self.now.instant.as_ms() + ms);
        let output = self.server.poll(self.now, Ready::NONE, &mut []);
        assert!(matches!(output, Ok(Output::Sleep(_))));
    }

    /// Makes every request that the client wants to, and every attempt that the server owes.
    fn settle(&mut self) {
        while self.ask() || self.tell() {}
    }

    /// One request of the client and the server's answer to it.
    fn ask(&mut self) -> bool {
        let mut out = Out::new(&mut self.to_server);
        let client::Output::Send(exchange) = self.client.poll(self.now, &mut out).unwrap() else {
            return false;
        };
        let len = out.finish().unwrap();
        let mut input = RecvBuf::new(&mut self.to_server, len);
        let mut out = Out::new(&mut self.to_client);
        while self.server.drive(self.now, self.conn, &mut input, &mut out) == Ok(Drive::Wait) {
            self.store.commit(self.now, &mut self.server);
        }
        let len = out.finish().unwrap();
        let mut input = RecvBuf::new(&mut self.to_client, len);
        let mut parser = ResponseParser::new(exchange.call.method(), BodyUse::Keep);
        let _ = parser.advance(&Limits::SMALL, &mut input).unwrap();
        let response = parser.response(input.filled()).expect("a whole answer");
        let input = client::Input::Answer {
            id: exchange.id,
            response: &response,
        };
        let update = self.client.handle(self.now, input).unwrap();
        assert!(!matches!(
            update,
            Some(Update::Delayed { .. } | Update::Refused { .. })
        ));
        true
    }

    /// One attempt of the server and the client's answer to it.
    fn tell(&mut self) -> bool {
        self.store.commit(self.now, &mut self.server);
        let polled = self.server.poll(self.now, Ready::ATTEMPTS, &mut []);
        let Ok(Output::Attempt(attempt)) = polled else {
            return false;
        };
        let mut url = [0; 256];
        let url = self.server.attempt_url(attempt.id, &mut url).unwrap();
        let len = self
            .server
            .write_attempt(self.now, attempt.id, &url, &mut self.to_client);
        let mut input = RecvBuf::new(&mut self.to_client, len.unwrap());
        let mut out = Out::new(&mut self.to_server);
        let (now, receiver, client) = (self.now, &mut self.receiver, &mut self.client);
        let mut drive = || match client.drive(now, receiver, &mut input, &mut out).unwrap() {
            client::Drive::Answered { answer, .. } => Some(answer),
            _ => None,
        };
        let answer = drive().expect("an answer to an attempt");
        // The request is taken out of the buffer by looking for the next one.
        assert_eq!(drive(), None);
        let result = AttemptResult::Answer {
            status: answer.status(),
            retry_after_ms: None,
            body: b"",
        };
        let id = attempt.id;
        self.server
            .handle(self.now, Input::Attempt { id, result })
            .unwrap();
        true
    }
}

#[test]
fn a_translation_is_asked_for_made_and_told_without_a_heap() {
    let mut config = Config::DEVICE;
    config.guard.allow_loopback = true;
    let mut server_memory = Box::new(ServerStorage::<8, 4, 2, 16>::new());
    let mut restored_memory = Box::new(ServerStorage::<8, 4, 2, 16>::new());
    let mut client_memory = Box::new(client::ClientStorage::<4>::new());
    let store = Box::new(Store {
        records: [None; RECORDS_MAX],
        values: [[0; RECORD_BYTES]; RECORDS_MAX],
    });

    let count = allocations(|| {
        let now = at(0);
        let mut server = Server::new(server_memory.lend(Keep::Records), config, [1; 32]).unwrap();
        let conn = server.accept(now).unwrap();
        let hook = Webhook::new("http://127.0.0.1:3120/hook").unwrap();
        let whom = client::Server::parse("http://127.0.0.1:8000").unwrap();
        let setup = client::Config::new(whom, Some(hook));
        let client = Client::new(client_memory.lend(), setup, [2; 32]);
        let mut world = World {
            now,
            server,
            conn,
            store,
            receiver: client.accept(now),
            client,
            to_server: [0; BUFFER_BYTES],
            to_client: [0; BUFFER_BYTES],
        };
        world.client.start(now);
        world.settle();
        assert!(world.client.is_registered());
        assert_eq!(world.client.status(), None);

        let ask = NewTranslation {
            video_url: "https://example.test/a.mp4",
            target_language: "es",
            source_language: None,
            reference: Some("order \"17\""),
            callback_url: None,
        };
        world.client.submit(world.now, &ask).unwrap();
        world.settle();
        assert_eq!(world.client.status(), Some(NewestStatus::Pending));

        let polled = world.server.poll(world.now, Ready::WORK, &mut []);
        let Ok(Output::Start { job: id, .. }) = polled else {
            panic!("no work");
        };
        for report in [
            Report::Progress(40),
            Report::Progress(80),
            Report::Completed("file:///a.es.mp4"),
        ] {
            world.pass_ms(1_000);
            let report = Input::Report { job: id, report };
            world.server.handle(world.now, report).unwrap();
            world.settle();
        }
        let job = world.client.job(id).unwrap();
        assert_eq!((job.status, job.sequence), (Status::Completed, 5));
        assert_eq!(world.client.status(), Some(NewestStatus::Completed));

        let mut restored =
            Server::new(restored_memory.lend(Keep::Records), config, [3; 32]).unwrap();
        world.store.restore(world.now, &mut restored);
        let job = restored.service().find_job(id);
        let job = restored.service().job(job.unwrap()).unwrap();
        assert_eq!(job.status(), Status::Completed);
    });
    assert_eq!(count, 0, "the machines asked for memory");
}

#[test]
fn the_allocator_notices_what_it_must_not_be_asked() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}
