//! What polling costs, and what a webhook saves: `cargo run --release --example polling_vs_webhooks`.
//!
//! The same jobs are waited for in four ways: asking every 5 s, every second, every 100 ms, and by webhook. First with
//! 10,000 jobs in virtual time, where a clock is turned by hand and every figure is exactly the same at each run; then
//! with 500 jobs over real sockets on loopback, which takes less than a minute.

mod asked;
mod figures;
mod in_virtual_time;
mod over_sockets;

use std::{io, time::Duration};

const WAYS: [(&str, Option<u64>); 4] = [
    ("asking every 5 s", Some(5_000)),
    ("asking every second", Some(1_000)),
    ("asking every 100 ms", Some(100)),
    ("webhook", None),
];

fn main() -> io::Result<()> {
    let virtual_time = WAYS.map(|(way, every_ms)| in_virtual_time::run(10_000, every_ms, way));
    figures::print(
        "10,000 jobs of 5 to 15 s, in virtual time, 5 ms of network each way",
        virtual_time.into(),
    );
    let sockets = WAYS
        .into_iter()
        .map(|(way, every_ms)| over_sockets::run(500, every_ms.map(Duration::from_millis), way))
        .collect::<io::Result<_>>()?;
    figures::print("500 jobs of 2 to 6 s, over sockets on loopback", sockets);
    Ok(())
}
