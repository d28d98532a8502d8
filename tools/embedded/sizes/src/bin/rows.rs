//! What each row of a table takes on the target: printed, a line each, for the page of sizes.
#![no_std]
#![no_main]

use core::mem::size_of;
use cortex_m_rt::entry;
use dubhook_core::{
    client::{ClientStorage, Known},
    delivery::{AttemptSlot, Chain, EventSlot, Lane, StreamSlot},
    endpoint::Endpoint,
    event::{Event, Filter},
    idempotency::KeySlot,
    log::Line,
    server::{Conn, ServerStorage},
    service::JobSlot,
    slab::Slot,
    text::Block,
};
use dubhook_firmware::host;

/// A server's memory for so many jobs, endpoints, connections and attempts.
type Server<const JOBS: usize, const ENDPOINTS: usize, const CONNS: usize, const ATTEMPTS: usize> =
    ServerStorage<JOBS, ENDPOINTS, CONNS, ATTEMPTS>;

/// What is printed: a name, and how many bytes.
const ROWS: [(&str, usize); 17] = [
    ("a job", size_of::<Slot<JobSlot>>()),
    ("its chain of events", size_of::<Chain>()),
    (
        "an event that somebody is owed",
        size_of::<Slot<EventSlot<Event>>>(),
    ),
    (
        "a stream: what one target is owed of one job",
        size_of::<Slot<StreamSlot>>(),
    ),
    ("an idempotency key", size_of::<KeySlot>()),
    ("a block of text", size_of::<Block>()),
    ("an endpoint", size_of::<Slot<Endpoint<Filter>>>()),
    (
        "a lane: an endpoint's, or one for callbacks",
        size_of::<Slot<Lane<Filter>>>(),
    ),
    ("a line of the attempt log", size_of::<Line>()),
    ("an attempt in flight", size_of::<Slot<AttemptSlot>>()),
    (
        "a connection, its buffers not counted",
        size_of::<Slot<Conn>>(),
    ),
    ("a job that a client knows of", size_of::<Slot<Known>>()),
    (
        "`ServerStorage`: one job more",
        size_of::<Server<2, 1, 1, 1>>() - size_of::<Server<1, 1, 1, 1>>(),
    ),
    (
        "`ServerStorage`: one endpoint more",
        size_of::<Server<1, 2, 1, 1>>() - size_of::<Server<1, 1, 1, 1>>(),
    ),
    (
        "`ServerStorage`: one connection more",
        size_of::<Server<1, 1, 2, 1>>() - size_of::<Server<1, 1, 1, 1>>(),
    ),
    (
        "`ServerStorage`: one attempt more",
        size_of::<Server<1, 1, 1, 2>>() - size_of::<Server<1, 1, 1, 1>>(),
    ),
    (
        "`ClientStorage`: one job more",
        size_of::<ClientStorage<2>>() - size_of::<ClientStorage<1>>(),
    ),
];

#[entry]
fn main() -> ! {
    for (name, bytes) in ROWS {
        host::line(|out| {
            out.put(b"row ");
            out.put_u64(bytes as u64);
            out.put(b" ");
            out.put(name.as_bytes());
        });
    }
    dubhook_sizes::end(true)
}
