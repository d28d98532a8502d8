//! What bad receivers cost a good one: how long an event takes from its submission to its arrival at a good receiver, alone
//! and beside a hundred bad ones of five kinds.
//!
//! ```text
//! cargo run --release --package dubhook-tests --example neighbours
//! ```

use dubhook_core::service::Limits;
use dubhook_smol::{
    server::{Handle, Server},
    tls::Trust,
};
use dubhook_tests::{
    beside,
    certificates::Authority,
    hooks::{NO_TIME, register},
    neighbours::{self, KINDS},
    wire::Asker,
};

/// Bad receivers of each kind.
const OF_A_KIND: usize = 20;

fn main() {
    let burden = format!("{} bad receivers", OF_A_KIND * KINDS.len());
    beside::compare(&burden, |is_beside| {
        serve(if is_beside { OF_A_KIND } else { 0 })
    });
}

/// A server with so many bad receivers of each kind.
fn serve(bad: usize) -> (Handle, Authority) {
    let authority = Authority::new();
    let trust = Trust::platform().with_file(authority.file());
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .capacity(50_000)
        .simulate(NO_TIME)
        .limits(Limits::SERVER)
        .trust(trust.expect("the authority's file"));
    let server = server.bind().expect("a port").start().expect("a thread");
    let mut asker = Asker::new(server.address());
    for kind in KINDS {
        for _ in 0..bad {
            register(&mut asker, &neighbours::listen_behind(kind));
        }
    }
    (server, authority)
}
