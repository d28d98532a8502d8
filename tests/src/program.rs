//! The real program `dubhook`, run as a process.

use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::OnceLock,
};

/// `dubhook` as a process of its own, a server most often. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `dubhook serve` on a free port with these arguments. What it logs is added to the file `log`.
    ///
    /// # Panics
    ///
    /// If the program cannot be built or started.
    #[must_use]
    pub fn serve(arguments: &[&str], log: &Path) -> Self {
        Self::start(
            &[&["serve", "--listen", "127.0.0.1:0"], arguments].concat(),
            log,
        )
    }

    /// As [`serve`](Self::serve), on a disk that may be full one day: see [`fill_disk`](Self::fill_disk).
    ///
    /// # Panics
    ///
    /// If the program cannot be built or started.
    #[must_use]
    pub fn serve_on_full_disk(arguments: &[&str], log: &Path) -> Self {
        // A file that would become too long is an error then, as on a full disk, and not the end of the process.
        let mut shell = command("sh");
        shell.args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#]);
        shell.arg(dubhook());
        shell.args(["serve", "--listen", "127.0.0.1:0"]);
        Self::spawn(shell.args(arguments), log)
    }

    /// As [`serve`](Self::serve), where the system allows it so many descriptors.
    ///
    /// # Panics
    ///
    /// If the program cannot be built or started.
    #[must_use]
    pub fn serve_with_descriptors(arguments: &[&str], log: &Path, descriptors: usize) -> Self {
        let mut shell = command("sh");
        shell.args(["-c", r#"ulimit -n "$0"; exec "$@""#]);
        shell.arg(descriptors.to_string()).arg(dubhook());
        shell.args(["serve", "--listen", "127.0.0.1:0"]);
        Self::spawn(shell.args(arguments), log)
    }

    /// As [`serve`](Self::serve), with these variables in its environment.
    ///
    /// # Panics
    ///
    /// If the program cannot be built or started.
    #[must_use]
    pub fn serve_with(arguments: &[&str], variables: &[(&str, &str)], log: &Path) -> Self {
        let mut command = command(dubhook());
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments).envs(variables.iter().copied());
        Self::spawn(&mut command, log)
    }

    /// How it was called, as everybody on the machine can see.
    ///
    /// # Panics
    ///
    /// Where the system has no `/proc`.
    #[must_use]
    pub fn called(&self) -> String {
        let line = format!("/proc/{}/cmdline", self.child.id());
        let line = std::fs::read(line).expect("a process");
        String::from_utf8_lossy(&line).replace('\0', " ")
    }

    /// Starts `dubhook` with these arguments. What it logs is added to the file `log`.
    ///
    /// # Panics
    ///
    /// If the program cannot be built or started.
    #[must_use]
    pub fn start(arguments: &[&str], log: &Path) -> Self {
        Self::spawn(command(dubhook()).args(arguments), log)
    }

    fn spawn(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log);
        // What it keeps where nobody says otherwise lies beside its log, and goes with that.
        let folder = log.parent().expect("a folder of the test's own");
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file.expect("a log"))
            .spawn()
            .expect("the program starts");
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Where it listens, as it says once it does.
    ///
    /// # Panics
    ///
    /// If it ends instead.
    pub fn address(&mut self) -> SocketAddr {
        let stdout = self.child.stdout.take().expect("asked once");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        match line.trim_end().split_once("://") {
            Some(("listening on http" | "listening on https", address)) => {
                address.parse().expect("an address")
            }
            _ => panic!("it said {line:?} and logged:\n{}", self.logged()),
        }
    }

    /// What it prints, from the start.
    ///
    /// # Panics
    ///
    /// If that was asked for before.
    pub fn printed(&mut self) -> impl Iterator<Item = String> + use<> {
        let stdout = self.child.stdout.take().expect("asked once");
        BufReader::new(stdout).lines().map_while(Result::ok)
    }

    /// Sends it a signal of this name.
    ///
    /// # Panics
    ///
    /// If it had ended on its own.
    pub fn signal(&self, name: &str) {
        assert!(signal(self.child.id(), name), "{}", self.logged());
    }

    /// Kills it as `kill -9` does: it has no chance to do anything more.
    ///
    /// # Panics
    ///
    /// If it had ended on its own.
    pub fn kill(mut self) {
        let ended = self.child.try_wait().expect("a child");
        assert!(ended.is_none(), "it ended by itself: {}", self.logged());
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, as SIGTERM does.
    ///
    /// # Panics
    ///
    /// If it had ended on its own.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// From now on it can write no file beyond so many bytes.
    ///
    /// # Panics
    ///
    /// If it had ended on its own.
    pub fn fill_disk(&self, bytes: u64) {
        let pid = self.child.id().to_string();
        let limit = format!("--fsize={bytes}");
        let told = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(told.expect("prlimit runs").success(), "{}", self.logged());
    }

    /// How many descriptors it has open.
    ///
    /// # Panics
    ///
    /// Where the system has no `/proc`.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        let open = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(open).expect("a process").count()
    }

    /// How much memory it has resident, in bytes.
    ///
    /// # Panics
    ///
    /// Where the system has no `/proc`.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        1_024 * kib.expect("a size").parse::<u64>().expect("a number")
    }

    /// Waits for its end. Returns its exit status and everything in its log.
    ///
    /// # Panics
    ///
    /// If it cannot be waited for.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("it ends");
        (status, self.logged())
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a process a signal of this name; whether it is there.
///
/// # Panics
///
/// Where the system has no shell.
#[must_use]
pub fn signal(pid: u32, name: &str) -> bool {
    // Every shell has it built in, and not every system has it as a program.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"kill -s "$0" "$1""#, name, &pid.to_string()]);
    shell.status().expect("a shell").success()
}

/// Runs `dubhook` with these arguments to its end.
///
/// # Panics
///
/// If the program cannot be built or started.
#[must_use]
pub fn run(arguments: &[&str]) -> Output {
    run_with(arguments, &[])
}

/// The same, with these variables in its environment.
///
/// # Panics
///
/// If the program cannot be built or started.
#[must_use]
pub fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = command(dubhook());
    let command = command.args(arguments).envs(variables.iter().copied());
    let output = command.stdin(Stdio::null()).output();
    output.expect("the program starts")
}

/// A command with nothing of this environment that the program would listen to.
fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let is_heard = |start: &str| name.as_encoded_bytes().starts_with(start.as_bytes());
        if ["DUBHOOK_", "AWS_", "PG"].into_iter().any(is_heard) {
            command.env_remove(name);
        }
    }
    command
}

/// Where the program is. It is built first, in the profile of this test: Cargo builds a package's programs only for that
/// package's own tests.
fn dubhook() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // This test lies in TARGET/PROFILE/deps.
        let test = env::current_exe().expect("a path");
        let folder = test.ancestors().nth(2).expect("a folder of a profile");
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(profile) => profile,
        };
        let mut cargo = Command::new(env!("CARGO"));
        // What Cargo tells this test of its own package would pass, to a dependency that looks at such variables when it
        // is built, for a change: it would be built anew each time, and all that needs it.
        for (name, _) in env::vars() {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(name);
            }
        }
        let built = cargo
            .args(["build", "--quiet", "--package", "dubhook-smol"])
            .args(["--bin", "dubhook", "--profile", profile, "--target-dir"])
            .arg(folder.parent().expect("a target folder"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo");
        assert!(built.success(), "the program could not be built");
        folder.join("dubhook")
    })
}
