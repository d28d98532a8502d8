//! The server machine under good, bad and hostile connections.

mod attacker;
mod cases;
mod deadlines;
mod door;
mod pages;
mod pipelines;
mod pressure;

use dubhook_core::{http::Limits, server::Config};
use dubhook_tests::machine::config;

/// The limits of a server on the open network, in a machine of a device's size.
fn open_network() -> Config<'static> {
    Config {
        http: Limits::SERVER,
        ..config()
    }
}
