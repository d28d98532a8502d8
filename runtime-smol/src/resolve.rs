//! Looking names up, behind a seam: whoever has a resolver of their own plugs it in.

use std::{
    fmt::Debug,
    io,
    net::{IpAddr, ToSocketAddrs},
};

/// Finds the addresses of a name.
///
/// Every address that it finds is held against the rules for callbacks, and the connection is made to one of them: a
/// name is looked up once for each connection.
pub trait Resolve: Debug + Send + Sync {
    /// All addresses that the name has right now. It may block; each call is made on a thread that may.
    ///
    /// # Errors
    ///
    /// Where they cannot be found.
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Resolve for System {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        // The port is only there because the call wants one.
        let found = (name, 0).to_socket_addrs()?;
        Ok(found.map(|address| address.ip()).collect())
    }
}
