//! PgBouncer before a database.

use crate::cluster::{Cluster, as_other, folder, own};
use dubhook_tests::wire::ALONE;
use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pooler. Dropping it ends it.
#[derive(Debug)]
pub struct Pooler {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Pooler {
    /// One that pools in this way: `session`, `transaction` or `statement`.
    ///
    /// # Panics
    ///
    /// Where PgBouncer is not installed, or does not start.
    #[must_use]
    pub fn before(cluster: &Cluster, mode: &str) -> Self {
        // On an address where nobody else has the port a moment later.
        let free = TcpListener::bind((ALONE, 0)).expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = {ALONE}\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\n",
            cluster.port,
            path("users").display()
        );
        for (name, text) in [("users", "\"postgres\" \"\"\n"), ("settings", &settings)] {
            fs::write(path(name), text).expect("a file");
            own(&path(name));
        }
        let process = as_other(Command::new("/usr/sbin/pgbouncer"))
            .arg("--quiet")
            .arg(path("settings"))
            .stderr(Stdio::null())
            .spawn();
        let pooler = Self {
            process: process.expect("pgbouncer: tools/postgres.sh installs it"),
            port,
            _folder: folder,
        };
        let since = Instant::now();
        while TcpStream::connect((ALONE, port)).is_err() {
            assert!(since.elapsed() < PATIENCE, "it does not start");
            thread::yield_now();
        }
        pooler
    }

    /// The URL of the database behind it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@{ALONE}:{}/postgres", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
