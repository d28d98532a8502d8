//! A PostgreSQL of a test's own: a folder that is gone after it, and a process in it.

use crate::psql::Psql;
use std::{
    env, fs,
    net::TcpListener,
    os::unix::{
        fs::chown,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a database may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster and its process. Dropping it ends both.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    /// The port on 127.0.0.1 that it listens on.
    pub port: u16,
    process: Option<Child>,
    /// How large a file of its may be, in units of 512 bytes.
    file_max: Option<u32>,
}

impl Cluster {
    /// A new one, with these settings besides the usual ones.
    ///
    /// # Panics
    ///
    /// Where PostgreSQL is not installed, or does not start.
    #[must_use]
    pub fn new(settings: &[&str]) -> Self {
        Self::start_in(made(), settings, None)
    }

    /// A new one whose tables find no room once one of them has 2 MiB, as on a disk that is full.
    ///
    /// # Panics
    ///
    /// As for [`new`](Self::new).
    #[must_use]
    pub fn on_a_small_disk() -> Self {
        // Nobody but the test makes room again.
        Self::start_in(made(), &["autovacuum = off"], Some(2 * 1024 * 2))
    }

    /// Copies the files of this one, as `pg_basebackup` does.
    ///
    /// # Panics
    ///
    /// Where that fails.
    #[must_use]
    pub fn back_up(&self) -> TempDir {
        let folder = folder();
        let url = format!("host=127.0.0.1 port={} user=postgres", self.port);
        copied(&folder, &["-d", &url]);
        folder
    }

    /// One that is put back from such a copy, with these settings, among them from where it is brought forward.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    #[must_use]
    pub fn put_back(backup: TempDir, settings: &[&str]) -> Self {
        let signal = backup.path().join("data/recovery.signal");
        fs::write(&signal, "").expect("a file");
        own(&signal);
        Self::start_in(backup, settings, None)
    }

    /// A standby that follows `primary`, which may name it as `standby`.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    #[must_use]
    pub fn standby_of(primary: &Self) -> Self {
        let folder = folder();
        let url = format!(
            "host=127.0.0.1 port={} user=postgres application_name=standby",
            primary.port
        );
        copied(&folder, &["--write-recovery-conf", "-d", &url]);
        Self::start_in(folder, &[], None)
    }

    fn start_in(folder: TempDir, settings: &[&str], file_max: Option<u32>) -> Self {
        let file = folder.path().join("data/postgresql.conf");
        let old = fs::read_to_string(&file).expect("settings");
        let mut cluster = Self {
            folder,
            port: 0,
            process: None,
            file_max,
        };
        let since = Instant::now();
        loop {
            // Somebody else may have a port by the time that it listens on it.
            cluster.port = free_port();
            let usual = format!(
                "port = {}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\n\
                 shared_buffers = 16MB\nmax_connections = 60\nfsync = on\n",
                cluster.port,
                cluster.folder.path().display()
            );
            let all = format!("{old}\n{usual}{}\n", settings.join("\n"));
            fs::write(&file, all).expect("settings");
            own(&file);
            if cluster.comes_up() {
                return cluster;
            }
            assert!(since.elapsed() < PATIENCE, "{}", cluster.log());
        }
    }

    /// Starts it again.
    ///
    /// # Panics
    ///
    /// Where it runs, or does not start.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let since = Instant::now();
        // While processes of one that was killed live, none is begun on the same files.
        while !self.comes_up() {
            assert!(since.elapsed() < PATIENCE, "{}", self.log());
        }
    }

    /// Starts it; whether it takes connections. It has ended where it does not.
    fn comes_up(&mut self) -> bool {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"));
        let log = log.expect("a log");
        let mut command = match self.file_max {
            None => program("postgres"),
            Some(most) => {
                // A file that would become too long is an error then, and not the end of the process.
                let mut shell = as_other(Command::new("sh"));
                shell.args(["-c", r#"ulimit -f "$0"; trap '' XFSZ; exec "$@""#]);
                shell.arg(most.to_string()).arg(binaries().join("postgres"));
                shell
            }
        };
        let child = command
            .arg("-D")
            .arg(self.path("data"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let mut child = child.expect("postgres");
        let since = Instant::now();
        // Its socket in its own folder is nobody else's, and comes after the one of the network.
        let (folder, port) = (self.folder.path(), self.port.to_string());
        let ready = || {
            let mut asked = program("pg_isready");
            asked.args(["-q", "-p", &port, "-h"]).arg(folder);
            asked.status().expect("pg_isready").success()
        };
        while !ready() {
            if child.try_wait().expect("a child").is_some() {
                return false;
            }
            if since.elapsed() > PATIENCE {
                self.process = Some(child);
                panic!("it does not start: {}", self.log());
            }
            thread::yield_now();
        }
        self.process = Some(child);
        true
    }

    /// Kills it as a loss of its machine does: it has no chance to do anything more.
    ///
    /// # Panics
    ///
    /// Where it had ended by itself.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        // Its children notice that it is gone, and go too.
        process.kill().expect("it can be killed");
        let ended = process.wait().expect("its end");
        assert_eq!(ended.signal(), Some(9), "it had ended by itself");
    }

    /// Makes a primary of a standby; returns once it takes writes.
    ///
    /// # Panics
    ///
    /// Where that does not succeed.
    pub fn promote(&self) {
        let promoted = program("pg_ctl")
            .args(["promote", "--silent", "--wait", "-D"])
            .arg(self.path("data"))
            .status();
        assert!(promoted.expect("pg_ctl").success(), "{}", self.log());
    }

    /// The URL of its database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// A session.
    #[must_use]
    pub fn psql(&self) -> Psql {
        Psql::new(self.port)
    }

    /// Runs a statement and returns what it answers, a row a line.
    #[must_use]
    pub fn ask(&self, statement: &str) -> Vec<String> {
        self.psql().run(statement)
    }

    /// A file in its folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // SIGQUIT: at once, with its children.
            let pid = rustix::process::Pid::from_child(&process);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
            let _ = process.wait();
        }
    }
}

/// A program of PostgreSQL, as a user that it agrees to run as.
///
/// # Panics
///
/// Where PostgreSQL is not installed.
#[must_use]
pub fn program(name: &str) -> Command {
    as_other(Command::new(binaries().join(name)))
}

pub(crate) fn as_other(mut command: Command) -> Command {
    command.stdin(Stdio::null()).current_dir("/");
    for (name, _) in env::vars_os() {
        // They would say where and as whom, and more.
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// Makes a file the user's that PostgreSQL runs as.
///
/// # Panics
///
/// Where that is not allowed.
pub fn own(file: &Path) {
    if let Some((user, group)) = other_user() {
        chown(file, Some(user), Some(group)).expect("a file can be given away by root");
    }
}

/// The files of a new one.
fn made() -> TempDir {
    let folder = folder();
    let made = program("initdb")
        .args([
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
            "--encoding=UTF8",
            "--no-locale",
            "--wal-segsize=1",
            "-D",
        ])
        .arg(folder.path().join("data"))
        .output();
    let made = made.expect("initdb");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    folder
}

/// Copies the files of one into a folder.
fn copied(folder: &TempDir, from: &[&str]) {
    let copied = program("pg_basebackup")
        .args(["--no-sync", "--checkpoint=fast", "-D"])
        .arg(folder.path().join("data"))
        .args(from)
        .output()
        .expect("pg_basebackup");
    assert!(
        copied.status.success(),
        "{}",
        String::from_utf8_lossy(&copied.stderr)
    );
}

pub(crate) fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("dubhook-pg-").tempdir();
    let folder = folder.expect("a folder");
    own(folder.path());
    folder
}

/// Where the programs are: the newest version that is there.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    found.sort();
    if let Some(newest) = found.pop() {
        return newest;
    }
    let asked = Command::new("pg_config").arg("--bindir").output();
    let asked = asked.expect("PostgreSQL is missing: tools/postgres.sh installs it");
    let folder = String::from_utf8(asked.stdout).expect("a path");
    let folder = PathBuf::from(folder.trim_end());
    assert!(
        folder.join("initdb").exists(),
        "PostgreSQL's server is missing: tools/postgres.sh installs it"
    );
    folder
}

/// Whom to run it as: it refuses root.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("users");
    let named = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2);
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    };
    named("postgres").or_else(|| named("nobody"))
}

/// A port on which nothing listens.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
