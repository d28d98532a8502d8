//! What polling costs, and what a webhook saves: `cargo run --release --example polling_vs_webhooks`.
//!
//! The same jobs are waited for in four ways: asking every 5 s, every second, every 100 ms, and by webhook. First with
//! 10,000 jobs in virtual time, where a clock is turned by hand and every figure is exactly the same at each run; then
//! with 500 jobs over real sockets on loopback.

mod figures;
mod in_virtual_time;

fn main() {
    let ways = [Some(5_000), Some(1_000), Some(100), None];
    let virtual_time = ways.map(|every_ms| in_virtual_time::run(10_000, every_ms));
    figures::print(
        "10,000 jobs of 5 to 15 s in virtual time, 5 ms of network each way",
        virtual_time.into(),
    );
}
