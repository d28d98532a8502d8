//! What each row of a table takes on the target: printed, a line each, for the page of sizes.
#![no_std]
#![no_main]

use core::mem::size_of;
use cortex_m_rt::entry;
use dubhook_core::{
    client::{ClientStorage, JOB_BYTES},
    server::{ServerStorage, Sizes},
};
use dubhook_firmware::host;

/// A server's memory for so many jobs, endpoints, connections and attempts.
type Server<const JOBS: usize, const ENDPOINTS: usize, const CONNS: usize, const ATTEMPTS: usize> =
    ServerStorage<JOBS, ENDPOINTS, CONNS, ATTEMPTS>;

/// What is printed besides the rows of a server's tables: a name, and how many bytes.
const ROWS: [(&str, usize); 6] = [
    ("a job that a client knows of", JOB_BYTES),
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
    for (name, bytes) in Sizes::ROWS.iter().chain(&ROWS) {
        host::line(|out| {
            out.put(b"row ");
            out.put_u64(*bytes as u64);
            out.put(b" ");
            out.put(name.as_bytes());
        });
    }
    dubhook_sizes::end(true)
}
