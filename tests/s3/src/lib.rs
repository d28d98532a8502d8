//! An object store for the tests: `s3s-fs`, which keeps objects as files of a directory, on a port of its own.

use dubhook_tests::wire::ALONE;
use std::{
    env,
    ffi::OsString,
    fs,
    fs::File,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What its key is called, and the key: for the tests to look for where neither should be.
pub const KEY: (&str, &str) = ("AKIATESTOFDUBHOOK", "the-secret-of-the-tests");
/// Its one bucket.
pub const BUCKET: &str = "media";
/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A store that runs, with one empty bucket.
#[derive(Debug)]
pub struct ObjectStore {
    home: TempDir,
    child: Child,
    port: u16,
}

impl ObjectStore {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// Where there is none: `tools/s3.sh` installs it and names it in `S3S_FS`.
    #[must_use]
    pub fn start() -> Self {
        let program = env::var_os("S3S_FS").expect("S3S_FS names an object store: run tools/s3.sh");
        let home = TempDir::new().expect("a directory");
        fs::create_dir(home.path().join(BUCKET)).expect("a bucket");
        // On an address where nobody else has the port a moment later.
        let free = TcpListener::bind((ALONE, 0)).expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let log = File::create(home.path().join("log")).expect("a file");
        let child = Command::new(program)
            .args(["--host", ALONE, "--port", &port.to_string()])
            .args(["--access-key", KEY.0, "--secret-key", KEY.1])
            .arg(home.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("an object store");
        let store = Self { home, child, port };
        let begun = Instant::now();
        while TcpStream::connect((ALONE, port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "it does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        store
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{ALONE}:{}", self.port)
    }

    /// What a server is told of it in its environment.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ACCESS_KEY_ID", KEY.0.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEY.1.to_owned()),
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_REGION", "eu-west-1".to_owned()),
        ]
    }

    /// The file that an object is.
    #[must_use]
    pub fn object(&self, key: &str) -> PathBuf {
        self.home.path().join(BUCKET).join(key)
    }

    /// How many objects there are in a folder.
    #[must_use]
    pub fn files(&self, below: &str) -> usize {
        count(&self.object(below))
    }

    /// How many files there are of parts that are not put together.
    ///
    /// # Panics
    ///
    /// Where it cannot be read.
    #[must_use]
    pub fn parts(&self) -> usize {
        let names = fs::read_dir(self.home.path()).expect("a directory");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("a name").file_name();
        let is_part = |name: &OsString| name.to_string_lossy().starts_with(".upload_id-");
        names.map(name).filter(is_part).count()
    }
}

fn count(folder: &Path) -> usize {
    match fs::read_dir(folder) {
        Ok(names) => names.count(),
        Err(_) => 0,
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        // It holds nothing that is needed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
