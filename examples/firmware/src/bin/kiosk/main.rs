//! The whole translation server in 64 KiB: 8 jobs, 4 webhooks, 16 deliveries, 2 connections.
//!
//! Jobs come over HTTP on port 80 and are run by the core's simulated translator; webhooks go out over two
//! connections of their own; records go to flash, so that pulling the plug loses nothing.
//!
//! Settings: `seed=TEXT flash=PATH loss=PERCENT`, and `job_ms=N` for how long a job takes. It runs until
//! it is switched off.
#![no_std]
#![no_main]

mod inbound;
mod outbound;

use cortex_m_rt::entry;
use dubhook_core::{
    address::Cidr,
    id::Prefix,
    out::Out,
    record::Keep,
    server::{Config, Input, Output, Ready, Server, ServerStorage},
    service::Report,
    simulate::{self, SimSlot, Simulator, Step},
    time::Now,
};
use dubhook_firmware::{
    board::{self, Board, StackWatch},
    flash::Flash,
    host::{self, Settings},
    net::{Memory, Net},
    stellaris::Ethernet,
    store::{Store, StoreError},
};
use inbound::{INBOUND, Inbound};
use outbound::{ANSWER_BYTES, Link, OUTBOUND, Outbound};
use static_cell::{ConstStaticCell, StaticCell};

const JOBS: usize = 8;
const ENDPOINTS: usize = 4;
const CONNS: usize = INBOUND + OUTBOUND;
/// Records: the service's own, request, state and key of each job, two streams and six events of each
/// job, and the endpoints.
const RECORDS: usize = 1 + JOBS * (3 + 2 + 6) + ENDPOINTS;
const SECONDS_PER_JOB: u64 = 3;

/// Bytes that wait for the loop on one connection.
const RECEIVED_BYTES: usize = 768;
/// The longest message that goes out: a delivery or an answer.
const TRANSMIT_BYTES: usize = {
    let (attempt, answer) = (
        Config::DEVICE.attempt_bytes_max(),
        Config::DEVICE.answer_bytes_max(),
    );
    if attempt > answer { attempt } else { answer }
};

static SERVER_MEMORY: ConstStaticCell<ServerStorage<JOBS, ENDPOINTS, INBOUND, OUTBOUND>> =
    ConstStaticCell::new(ServerStorage::new());
static NET_MEMORY: ConstStaticCell<Memory<CONNS, RECEIVED_BYTES, TRANSMIT_BYTES>> =
    ConstStaticCell::new(Memory::new());
static INBOUND_CONNS: ConstStaticCell<[Inbound; INBOUND]> =
    ConstStaticCell::new([const { Inbound::new() }; INBOUND]);
static ANSWERS: ConstStaticCell<[[u8; ANSWER_BYTES]; OUTBOUND]> =
    ConstStaticCell::new([[0; ANSWER_BYTES]; OUTBOUND]);
static SIMULATED: ConstStaticCell<[SimSlot; JOBS]> = ConstStaticCell::new([SimSlot::EMPTY; JOBS]);

static SERVER: StaticCell<Server<'static>> = StaticCell::new();
static NET: StaticCell<Net<Ethernet>> = StaticCell::new();
static STORE: StaticCell<Store<RECORDS>> = StaticCell::new();
/// Where webhooks may go though it is not the open network.
static ALLOW: StaticCell<[Cidr; 1]> = StaticCell::new();

/// All that the loop works on.
struct Kiosk {
    net: &'static mut Net<Ethernet>,
    server: &'static mut Server<'static>,
    simulator: Simulator<'static>,
    store: &'static mut Store<RECORDS>,
    stack: StackWatch,
}

#[entry]
fn main() -> ! {
    let Some((board, ethernet)) = Board::take() else {
        host::exit(false);
    };
    let mut kiosk = start(&board, ethernet);
    let inbound = INBOUND_CONNS.take();
    let outbound = &mut ANSWERS.take().each_mut().map(Outbound::new);
    host::line(|out| out.put(b"kiosk: ready"));
    loop {
        kiosk.turn(board.now(), inbound, outbound);
        board.sleep();
    }
}

// The parts are made in functions of their own, which give their stack back: what is large on its way
// into a static must not stay in the frame of `main`, nor lie there several times.

#[inline(never)]
fn start(board: &Board, mut ethernet: Ethernet) -> Kiosk {
    let settings = Settings::read();
    let mut random = board::chance(&settings, &mut ethernet);
    let now = board.now();
    let server = start_server(random.bytes());
    let store = start_store(&settings);
    match store.restore(now, server) {
        Ok(count) => host::line(|out| {
            out.put(b"kiosk: records in flash ");
            out.put_u64(count as u64);
        }),
        Err(error) => fail(error),
    }
    let simulated = SIMULATED.take();
    Kiosk {
        net: Net::start(&NET, ethernet, NET_MEMORY.take(), &mut random, now.instant),
        server,
        simulator: Simulator::new(simulated, simulation(&settings), random.bytes()),
        store,
        stack: StackWatch::new("kiosk"),
    }
}

#[inline(never)]
fn start_server(seed: [u8; 32]) -> &'static mut Server<'static> {
    // Receivers are on the local network, which is not where webhooks go unless somebody says so.
    let Ok(local) = Cidr::parse("10.0.2.0/24") else {
        host::exit(false);
    };
    let mut config = Config::DEVICE;
    config.guard.allow = ALLOW.init([local]);
    let tables = SERVER_MEMORY.take().lend(Keep::Records);
    match Server::new_in(SERVER.uninit(), tables, &config, seed) {
        Ok(server) => server,
        Err(_) => host::exit(false),
    }
}

#[inline(never)]
fn start_store(settings: &Settings) -> &'static mut Store<RECORDS> {
    let path = settings.get("flash").unwrap_or("kiosk.flash");
    match Flash::open(path) {
        Ok(flash) => STORE.init_with(|| Store::new(flash)),
        Err(error) => fail(StoreError::Flash(error)),
    }
}

impl Kiosk {
    /// Whatever there is to do now.
    fn turn(&mut self, now: Now, inbound: &mut [Inbound], outbound: &mut [Outbound]) {
        self.net.poll(now.instant);
        while let Ok(Output::Drive(id)) = self.server.poll(now, Ready::CONNS, &mut []) {
            inbound.iter_mut().for_each(|conn| conn.wake(id));
        }
        for (conn, at) in inbound.iter_mut().zip(self.net.conns()) {
            conn.turn(now, at, self.net, self.server);
        }
        self.work(now);
        // Before anything leaves: an attempt comes out only once what it tells of is durable.
        commit(self.store, now, self.server);
        let guard = self.server.config().guard;
        for (outgoing, conn) in outbound.iter_mut().zip(self.net.conns().skip(INBOUND)) {
            outgoing.turn(&mut Link {
                now,
                conn,
                net: self.net,
                server: self.server,
                guard,
            });
        }
        self.stack.look();
    }

    /// Has jobs translated: started, stopped, and heard of.
    fn work(&mut self, now: Now) {
        loop {
            match self.server.poll(now, Ready::WORK, &mut []) {
                Ok(Output::Start { job, slot }) => self.simulator.start(now.instant, slot, job),
                Ok(Output::Stop { job, slot }) => self.simulator.stop(slot, job),
                _ => break,
            }
        }
        while let Some((id, step)) = self.simulator.poll_step(now.instant) {
            let mut url = [0; 61];
            let mut out = Out::new(&mut url);
            simulate::write_output_url(id, &mut out);
            let url = core::str::from_utf8(out.written()).unwrap_or_default();
            let report = match step {
                Step::Alive => Report::Alive,
                Step::Progress(percent) => Report::Progress(percent),
                Step::Completed => Report::Completed(url),
                Step::Failed => Report::Failed(simulate::FAILURE),
            };
            // A job that was called off meanwhile takes no report, and needs none.
            let report = Input::Report { job: id, report };
            let taken = self.server.handle(now, report).is_ok();
            if taken && matches!(step, Step::Completed | Step::Failed) {
                host::line(|out| {
                    out.put(b"kiosk: has ended ");
                    id.write(Prefix::Job, out);
                });
            }
        }
    }
}

fn simulation(settings: &Settings) -> simulate::Settings {
    let text = settings.get("job_ms");
    let job_ms = text.and_then(|text| text.parse().ok());
    let job_ms = job_ms.unwrap_or(SECONDS_PER_JOB * 1_000);
    simulate::Settings {
        shortest_ms: job_ms,
        longest_ms: job_ms,
        ..simulate::Settings::STANDARD
    }
}

/// A server that cannot keep what it promises must not go on.
fn commit(store: &mut Store<RECORDS>, now: Now, server: &mut Server<'_>) {
    if let Err(error) = store.commit(now, server) {
        fail(error);
    }
}

fn fail(error: StoreError) -> ! {
    host::line(|out| {
        out.put(b"kiosk: ");
        out.put(error.as_str().as_bytes());
    });
    host::exit(false)
}
