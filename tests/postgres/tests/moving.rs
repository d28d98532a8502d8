//! `dubhook move`: everything from a directory into a database, and back.

use dubhook_postgres_tests::{
    cluster::Cluster,
    records::{all, id, job, taken},
};
use dubhook_smol::store::{Batch, Disk, MoveError, Store, move_all};
use dubhook_tests::{
    arrivals::Arrivals,
    ledger::{Ledger, Sent},
    program::{Program, run},
    wire::{Asker, Hearer},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

const LEASE: Duration = Duration::from_secs(1);
/// Short retries, so that what is owed does not wait for long.
const SERVE: &[&str] = &["--simulate", "5ms..100ms", "--simulate-errors", "0.2"];

/// Serves from there, submits some jobs and holds it to everything that was said; or stops it with work in flight.
fn serve(
    place: &[&str],
    log: &Path,
    ledger: &mut Ledger,
    arrivals: &mut Arrivals,
    hearer: &Hearer,
    round: usize,
) {
    let mut program = Program::serve(&[place, SERVE].concat(), log);
    let mut asker = Asker::new(program.address());
    ledger.register_main(&mut asker);
    arrivals.take(hearer);
    ledger.check(&mut asker, arrivals, round);
    for count in 0..30 {
        let place = ledger.add(Sent::new(format!("{round}-{count}"), count % 3 == 0));
        let answer = ledger.request(place).send(&mut asker).expect("an answer");
        ledger.accepted(place, &answer);
    }
    if round == 3 {
        while ledger.owed(arrivals).is_some() {
            arrivals.add(hearer.next());
            arrivals.take(hearer);
        }
        ledger.check(&mut asker, arrivals, usize::MAX);
        ledger.check_nothing_else(&mut asker, arrivals);
    }
    drop(asker);
    program.terminate();
    let (ended, logged) = program.wait();
    assert_eq!(ended.code(), Some(0), "{logged}");
}

fn moved(from: &str, to: &str) -> (Option<i32>, String) {
    let output = run(&["move", "--from", from, "--to", to]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("text"))
}

#[test]
fn a_service_moves_into_a_database_and_back_with_all_that_it_owes() {
    let cluster = Cluster::new(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (here, back, url) = (path("data"), path("back"), cluster.url());
    let log = folder.path().join("log");
    let hearer = Hearer::new();
    let (mut ledger, mut arrivals) = (Ledger::new(hearer.url()), Arrivals::default());
    serve(
        &["--data", &here],
        &log,
        &mut ledger,
        &mut arrivals,
        &hearer,
        1,
    );
    let (code, said) = moved(&here, &url);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("both ends have the digest"), "{said}");
    serve(
        &["--store", &url, "--lease", "1m"],
        &log,
        &mut ledger,
        &mut arrivals,
        &hearer,
        2,
    );
    let (code, said) = moved(&url, &back);
    assert_eq!(code, Some(0), "{said}");
    serve(
        &["--data", &back],
        &log,
        &mut ledger,
        &mut arrivals,
        &hearer,
        3,
    );

    // Where there is something already, nothing is touched.
    let content =
        "SELECT md5(string_agg(md5(value), '' ORDER BY key)) FROM dubhook.record UNION ALL
                   SELECT md5(string_agg(md5(records), '' ORDER BY batch)) FROM dubhook.journal";
    let before = cluster.ask(content);
    let (code, said) = moved(&back, &url);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("it must be empty"), "{said}");
    assert_eq!(before, cluster.ask(content));
    let (code, said) = moved(&path("typo"), &path("other"));
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("no data of dubhook") && !folder.path().join("other").exists(),
        "{said}"
    );
}

#[test]
fn a_move_that_is_cut_off_leaves_a_store_that_nobody_starts_with() {
    let cluster = Cluster::new(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::open(folder.path().join("data")).expect("a disk");
    let mut batch = Batch::default();
    for slot in 1..=3_000 {
        batch.add(job(slot), Some(&slot.to_le_bytes()));
        batch.add_archived(id(slot.into()), b"{}");
    }
    disk.write(&batch).unwrap();
    let database = taken(&cluster.url(), LEASE);
    let cut = catch_unwind(AssertUnwindSafe(|| {
        move_all(&disk, &database, &mut |moved| {
            assert!(moved < 2_000, "the power goes")
        })
    }));
    assert!(cut.is_err());
    assert!(all(&database).len() > 1_000);
    database.release();
    let begun = Program::serve(&["--store", &cluster.url()], &folder.path().join("log"));
    let (ended, logged) = begun.wait();
    assert_eq!(ended.code(), Some(1), "{logged}");
    assert!(logged.contains("did not come to its end"), "{logged}");
    let database = taken(&cluster.url(), LEASE);
    let again = move_all(&disk, &database, &mut |_| ());
    assert!(matches!(again, Err(MoveError::NotEmpty)), "{again:?}");
    let other = Disk::open(folder.path().join("other")).expect("a disk");
    let from_half = move_all(&database, &other, &mut |_| ());
    assert!(
        matches!(from_half, Err(MoveError::Unfinished)),
        "{from_half:?}"
    );
    // As the sentence says: it is emptied, and moved into again.
    database.release();
    let _ = cluster.ask("DROP SCHEMA dubhook CASCADE");
    let database = taken(&cluster.url(), LEASE);
    let whole = move_all(&disk, &database, &mut |_| ()).expect("it is moved");
    assert_eq!((whole.records, whole.archived), (3_000, 3_000));
    assert_eq!(all(&database), all(&disk));
}
