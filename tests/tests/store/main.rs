//! The store on a real disk, below a real server: what is refused, and what is found again.

mod journal;

use dubhook_core::{
    id::Id,
    record::{FORMAT_VERSION, Key, Table},
    simulate::Settings,
};
use dubhook_smol::{
    server::{Handle, RunError, Server},
    store::{Batch, Disk, Restore, Store, StoreError},
};
use dubhook_tests::{
    program::Program,
    wire::{Answer, Asker, PATIENCE},
};
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::{TempDir, tempdir};

fn folder() -> TempDir {
    tempdir().expect("a folder")
}

fn open(path: &Path) -> Disk {
    Disk::open(path).unwrap_or_else(|error| panic!("{error}"))
}

/// A server whose jobs take a millisecond.
fn serve(store: impl Store + 'static, capacity: usize, retain: Duration) -> Handle {
    start(store, capacity, retain).expect("records that can be restored")
}

fn start(
    store: impl Store + 'static,
    capacity: usize,
    retain: Duration,
) -> Result<Handle, RunError> {
    let settings = Settings {
        shortest_ms: 1,
        longest_ms: 1,
        errors_ppm: 0,
        steps: 1,
    };
    let server = Server::builder().listen("127.0.0.1:0").capacity(capacity);
    let server = server.simulate(settings).store(store).retain(retain);
    server.bind().expect("a port").start()
}

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

fn submit(asker: &mut Asker, key: &str) -> Answer {
    let fields = format!("idempotency-key: {key}\r\n");
    let body = format!(
        r#"{{"video_url":"https://v.test/1.mp4","target_language":"es","reference":"{key}"}}"#
    );
    let answer = asker.try_call("POST", "/v1/translations", &fields, &body);
    answer.expect("an answer")
}

/// Submits a job and waits for its end; returns its path and its last state.
fn ended_job(asker: &mut Asker, key: &str) -> (String, Answer) {
    let answer = submit(asker, key);
    assert_eq!(answer.status, 202, "{answer:?}");
    let path = answer.fields["location"].clone();
    let ended = asker.try_call("GET", &path, "prefer: wait=10\r\n", "");
    let mut ended = ended.expect("an answer");
    while ended.json()["status"] != "completed" {
        ended = asker.call("GET", &path, "");
    }
    (path, ended)
}

/// Why a server with this store does not run.
#[track_caller]
fn refused(store: impl Store + 'static, capacity: usize) -> String {
    match start(store, capacity, MONTH) {
        Err(error @ RunError::Store(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_directory_is_for_its_owner_alone_and_says_its_format() {
    let folder = folder();
    let data = folder.path().join("new/data");
    drop(open(&data));
    let mode = fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let format = fs::read_to_string(data.join("format")).unwrap();
    assert_eq!(format, "dubhook data, format 1\n");
}

#[test]
fn what_is_not_ours_or_from_the_future_is_refused_and_left_alone() {
    for (name, content, expected) in [
        ("format", "dubhook data, format 2\n", "newer version"),
        ("format", "something else\n", "other files"),
        ("holiday.jpg", "not a store", "other files"),
    ] {
        let folder = folder();
        fs::write(folder.path().join(name), content).unwrap();
        let error = Disk::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(
            fs::read_to_string(folder.path().join(name)).unwrap(),
            content
        );
        assert!(!folder.path().join("store").exists());
    }
    let folder = folder();
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    assert!(matches!(Disk::open(&file), Err(StoreError::Failed(_))));
}

#[test]
fn a_first_start_that_was_cut_short_is_begun_again() {
    let folder = folder();
    fs::write(folder.path().join("lock"), "").unwrap();
    fs::write(folder.path().join("format.new"), "dubho").unwrap();
    drop(open(folder.path()));
}

/// Killed while it makes its store for the first time, it has left half of one.
#[test]
fn a_store_that_was_never_finished_is_made_anew() {
    let folder = folder();
    drop(open(folder.path()));
    let (store, making) = (folder.path().join("store"), folder.path().join("store.new"));
    fs::rename(&store, &making).unwrap();
    let tables = fs::read_dir(making.join("keyspaces")).unwrap();
    for table in tables {
        // Without it the store does not know the files beside it, and trips over them.
        fs::remove_file(table.unwrap().path().join("current")).unwrap();
    }
    drop(open(folder.path()));
    assert!(store.is_dir() && !making.exists());
}

#[test]
fn records_that_cannot_be_restored_are_named() {
    for (table, slot, value, expected) in [
        (
            Table::Job,
            7,
            &b"scribble"[..],
            "record of a job, number 7: the data is damaged or contradicts itself",
        ),
        (
            Table::Meta,
            0,
            &[FORMAT_VERSION + 1; 33],
            "record of the service 0: the data was written by a newer version",
        ),
    ] {
        let folder = folder();
        let disk = open(folder.path());
        let mut batch = Batch::default();
        batch.add(Key { table, slot }, Some(value));
        disk.write(&batch).unwrap();
        assert_eq!(refused(disk, 10), expected);
    }
}

#[test]
fn a_capacity_too_small_for_the_data_is_refused_with_the_one_it_needs() {
    let folder = folder();
    let server = serve(open(folder.path()), 50, MONTH);
    let mut asker = Asker::new(server.address());
    for number in 0..9 {
        submit(&mut asker, &number.to_string());
    }
    drop(asker);
    server.stop().unwrap();
    let error = refused(open(folder.path()), 4);
    assert!(
        error.ends_with("it needs a capacity of 9 or more"),
        "{error}"
    );
    serve(open(folder.path()), 9, MONTH).stop().unwrap();
}

#[test]
fn a_larger_capacity_finds_every_idempotency_key() {
    let folder = folder();
    let server = serve(open(folder.path()), 4, MONTH);
    let mut asker = Asker::new(server.address());
    // Keys go round: of four slots the last two hold the oldest.
    let ids = [0, 1, 2, 3, 4, 5].map(|number: u8| {
        let (_, job) = ended_job(&mut asker, &number.to_string());
        job.json()["id"].clone()
    });
    drop(asker);
    server.stop().unwrap();
    for _ in 0..2 {
        let server = serve(open(folder.path()), 8, MONTH);
        let mut asker = Asker::new(server.address());
        for (number, id) in ids.iter().enumerate().skip(2) {
            let again = submit(&mut asker, &number.to_string());
            assert_eq!((again.status, &again.json()["id"]), (202, id));
        }
        drop(asker);
        server.stop().unwrap();
    }
}

#[test]
fn a_job_that_left_memory_is_found_until_it_is_old() {
    let folder = folder();
    let server = serve(open(folder.path()), 4, MONTH);
    let mut asker = Asker::new(server.address());
    let (path, before) = ended_job(&mut asker, "first");
    for number in 0..8 {
        ended_job(&mut asker, &number.to_string());
    }
    let check = |asker: &mut Asker| {
        let after = asker.call("GET", &path, "");
        assert_eq!((after.status, after.json()), (200, before.json()));
        let head = asker.call("HEAD", &path, "");
        assert_eq!(head.status, 200);
        assert_eq!(head.fields["content-length"], after.body.len().to_string());
        let cancel = asker.call("POST", &format!("{path}/cancel"), "");
        assert_eq!(cancel.status, 409);
    };
    check(&mut asker);
    drop(asker);
    server.stop().unwrap();

    let server = serve(open(folder.path()), 4, MONTH);
    check(&mut Asker::new(server.address()));
    server.stop().unwrap();

    let server = serve(open(folder.path()), 4, Duration::from_millis(1));
    let mut asker = Asker::new(server.address());
    let since = Instant::now();
    while asker.call("GET", &path, "").status != 404 {
        // A server looks for old jobs for the first time some seconds after its start.
        assert!(since.elapsed() < 2 * PATIENCE);
        thread::sleep(Duration::from_millis(50));
    }
    drop(asker);
    server.stop().unwrap();
}

#[test]
fn a_second_process_is_refused() {
    let folder = folder();
    let data = folder.path().join("data");
    let arguments = ["--data", data.to_str().unwrap(), "--simulate", "1h"];
    let mut first = Program::serve(&arguments, &folder.path().join("first"));
    let mut asker = Asker::new(first.address());
    let second = Program::serve(&arguments, &folder.path().join("second"));
    let (status, log) = second.wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("another process uses this data"), "{log}");
    assert_eq!(submit(&mut asker, "1").status, 202, "the first one goes on");
    first.kill();
    let mut third = Program::serve(&arguments, &folder.path().join("third"));
    let mut asker = Asker::new(third.address());
    assert_eq!(asker.call("GET", "/status", "").json()["status"], "pending");
}

#[test]
fn a_directory_is_free_once_it_is_closed_though_programs_are_started_meanwhile() {
    let folder = folder();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Until it runs its program, a new process holds a copy of each open file, the lock's too.
            while !ended.load(Ordering::Relaxed) {
                let status = Command::new("true").status();
                assert!(status.expect("a program").success());
            }
        });
        let again = (0..200).try_for_each(|_| Disk::open(folder.path()).map(drop));
        ended.store(true, Ordering::Relaxed);
        assert!(again.is_ok(), "{again:?}");
    });
}

/// A store whose write number `fails_at` fails.
#[derive(Debug)]
struct Failing {
    fails_at: usize,
    writes: Arc<AtomicUsize>,
}

impl Store for Failing {
    fn load(&self, _: &mut Restore<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn write(&self, _: &Batch) -> Result<(), StoreError> {
        if self.writes.fetch_add(1, Ordering::SeqCst) == self.fails_at {
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        Ok(())
    }

    fn find(&self, _: Id) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn prune(&self, _: dubhook_core::time::Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[test]
fn a_write_that_fails_ends_the_server_and_is_not_tried_again() {
    for fails_at in 1..10 {
        let writes = Arc::new(AtomicUsize::new(0));
        let store = Failing {
            fails_at,
            writes: Arc::clone(&writes),
        };
        let server = serve(store, 100, MONTH);
        let mut asker = Asker::new(server.address());
        let mut answers = 0;
        while let Ok(answer) = asker.try_call(
            "POST",
            "/v1/translations",
            "",
            r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#,
        ) {
            assert_eq!(answer.status, 202);
            answers += 1;
            assert!(answers <= fails_at, "an answer without a write");
        }
        let ended = server.stop().unwrap_err().to_string();
        assert!(ended.starts_with("the store failed: "), "{ended}");
        assert_eq!(writes.load(Ordering::SeqCst), fails_at + 1);
    }
}
