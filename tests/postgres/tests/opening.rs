//! How a database is come by: who may, over what, and what must be there.

use dubhook_postgres_tests::{
    cluster::{Cluster, own},
    records::{all, batch, batches, job, shard, store, take, taken},
};
use dubhook_smol::store::{Store, StoreError};
use dubhook_tests::{certificates::Authority, program::Program, wire::Asker};
use std::{fs, os::unix::fs::PermissionsExt, thread, time::Duration};

const LEASE: Duration = Duration::from_secs(3);
const PASSWORD: &str = "sw0rd:fi/sh @%";
/// The same, in a URL.
const IN_URL: &str = "sw0rd:fi%2Fsh%20%40%25";

/// A variable of the environment.
type Variable<'v> = (&'v str, &'v str);

/// A cluster with a user `keeper` who must prove who it is in this way, and who owns the database.
fn guarded(how: &str, more: &[&str]) -> Cluster {
    let cluster = Cluster::new(more);
    let mut psql = cluster.psql();
    let kept = if how == "md5" { "md5" } else { "scram-sha-256" };
    psql.run(&format!("SET password_encryption = '{kept}'"));
    psql.run(&format!("CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'"));
    psql.run("GRANT CREATE ON DATABASE postgres TO keeper");
    let file = cluster.path("data/pg_hba.conf");
    let rules = fs::read_to_string(&file).expect("rules");
    fs::write(&file, format!("host all keeper all {how}\n{rules}")).expect("rules");
    psql.run("SELECT pg_reload_conf()");
    psql.wait_for("EXISTS (SELECT FROM pg_hba_file_rules WHERE 'keeper' = ANY (user_name))");
    cluster
}

fn url(cluster: &Cluster, user: &str) -> String {
    format!("postgres://{user}@127.0.0.1:{}/postgres", cluster.port)
}

fn refused(url: &str) -> String {
    let error = take(&store(url, LEASE)).expect_err("it is refused");
    let (shown, debugged) = (error.to_string(), format!("{error:?}"));
    for secret in [PASSWORD, IN_URL, "sw0rd"] {
        assert!(
            !shown.contains(secret) && !debugged.contains(secret),
            "{shown}"
        );
    }
    shown
}

#[test]
fn a_password_is_proved_and_never_shown() {
    for how in ["scram-sha-256", "md5", "password"] {
        let cluster = guarded(how, &[]);
        let good = format!("keeper:{IN_URL}");
        let store = taken(&url(&cluster, &good), LEASE);
        store.write(&batch(&[(job(1), Some("kept"))])).unwrap();
        assert!(!format!("{store:?}").contains("sw0rd"));
        let wrong = refused(&url(&cluster, "keeper:sw0rd"));
        assert!(wrong.contains("password authentication failed"), "{wrong}");
        let none = refused(&url(&cluster, "keeper"));
        assert!(
            none.contains("PGPASSWORD, PGPASSFILE, or the URL in DUBHOOK_STORE"),
            "{none}"
        );
    }
}

#[test]
fn a_program_finds_its_password_where_nobody_sees_it() {
    let cluster = guarded("scram-sha-256", &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("passwords");
    let line = format!(
        "127.0.0.1:*:postgres:keeper:{}",
        PASSWORD.replace(':', r"\:")
    );
    fs::write(&file, line).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("rights");
    let file = file.to_str().expect("a path in UTF-8");
    let (bare, whole) = (
        url(&cluster, "keeper"),
        url(&cluster, &format!("keeper:{IN_URL}")),
    );
    let log = folder.path().join("log");
    let cases: [(&[&str], &[Variable]); 3] = [
        (&["--store", &bare], &[("PGPASSWORD", PASSWORD)]),
        (&["--store", &bare], &[("PGPASSFILE", file)]),
        (&[], &[("DUBHOOK_STORE", &whole)]),
    ];
    for (arguments, variables) in cases {
        let mut program = Program::serve_with(arguments, variables, &log);
        let mut asker = Asker::new(program.address());
        assert_eq!(asker.call("GET", "/readyz", "").status, 200);
        assert!(!program.called().contains("sw0rd"));
        program.terminate();
        let (ended, logged) = program.wait();
        assert_eq!(ended.code(), Some(0), "{logged}");
        assert!(
            logged.contains("owns the records") && !logged.contains("sw0rd"),
            "{logged}"
        );
    }
    let shown = Program::serve_with(&["--store", &whole], &[], &log);
    let (ended, logged) = shown.wait();
    assert_eq!(ended.code(), Some(2));
    assert!(
        logged.contains("would show in `ps`") && !logged.contains("sw0rd"),
        "{logged}"
    );
    // A file that others may read is no secret.
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("rights");
    let open = Program::serve_with(&["--store", &bare], &[("PGPASSFILE", file)], &log);
    let (ended, logged) = open.wait();
    assert_eq!(ended.code(), Some(1));
    assert!(logged.contains("chmod 600"), "{logged}");
}

#[test]
fn a_database_proves_who_it_is() {
    let cluster = Cluster::new(&[]);
    let plain = refused(&format!("{}?sslmode=require", cluster.url()));
    assert!(plain.contains("speaks no TLS"), "{plain}");
    let authority = Authority::new();
    for (from, to) in authority
        .files("localhost")
        .into_iter()
        .zip(["server.crt", "server.key"])
    {
        let to = cluster.path("data").join(to);
        fs::copy(from, &to).expect("a copy");
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("rights");
        own(&to);
    }
    let mut psql = cluster.psql();
    psql.run("ALTER SYSTEM SET ssl = on");
    psql.run("SELECT pg_reload_conf()");
    let url = |host: &str, more: &str| {
        format!(
            "postgres://postgres@{host}:{}/postgres?{more}",
            cluster.port
        )
    };
    psql.wait_for("current_setting('ssl')::bool");
    let unknown = refused(&url("localhost", "sslmode=verify-full"));
    assert!(unknown.contains("did not prove who it is"), "{unknown}");
    let roots = authority.file();
    let roots = format!("sslmode=verify-full&sslrootcert={}", roots.display());
    let other_name = refused(&url("127.0.0.1", &roots));
    assert!(
        other_name.contains("did not prove who it is"),
        "{other_name}"
    );
    for (host, more) in [
        ("localhost", roots.as_str()),
        ("127.0.0.1", "sslmode=require"),
    ] {
        let store = taken(&url(host, more), LEASE);
        store.write(&batch(&[(job(1), Some(host))])).unwrap();
        assert_eq!(all(&store)[&job(1)], host.as_bytes());
        let secure = "SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                      WHERE ssl AND application_name = 'dubhook'";
        assert_eq!(psql.run(secure), ["t"]);
        store.release();
    }
}

#[test]
fn a_socket_of_this_machine_is_a_way_too() {
    let cluster = Cluster::new(&[]);
    let folder = cluster.path("").display().to_string();
    let folder = folder.trim_end_matches('/').replace('/', "%2F");
    let url = format!("postgres://postgres@{folder}:{}/postgres", cluster.port);
    let store = taken(&url, LEASE);
    store.write(&batch(&[(job(1), Some("kept"))])).unwrap();
    assert_eq!(batches(&cluster), 1);
}

#[test]
fn a_newer_form_is_refused_and_left_alone() {
    let cluster = Cluster::new(&[]);
    taken(&cluster.url(), LEASE).release();
    let _ = cluster.ask("UPDATE dubhook.shard SET format = 3");
    let newer = take(&store(&cluster.url(), LEASE));
    assert!(
        matches!(newer, Err(StoreError::Newer { found: 3, known: 2 })),
        "{newer:?}"
    );
    assert_eq!(shard(&cluster, "epoch"), 1);
}

#[test]
fn what_another_application_has_there_is_left_alone() {
    for table in ["shard (x int)", "jobs (x int)"] {
        let cluster = Cluster::new(&[]);
        let mut psql = cluster.psql();
        psql.run("CREATE SCHEMA dubhook");
        psql.run(&format!("CREATE TABLE dubhook.{table}"));
        let foreign = take(&store(&cluster.url(), LEASE));
        assert!(
            matches!(foreign, Err(StoreError::ForeignSchema { .. })),
            "{foreign:?}"
        );
        let tables = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'dubhook'";
        assert_eq!(psql.run(tables), ["1"]);
    }
}

#[test]
fn who_may_make_no_schema_is_given_an_empty_one() {
    let cluster = Cluster::new(&[]);
    let mut psql = cluster.psql();
    psql.run("CREATE ROLE small LOGIN");
    let without = take(&store(&url(&cluster, "small"), LEASE)).expect_err("it may not");
    assert!(
        without.to_string().contains("permission denied"),
        "{without}"
    );
    psql.run("CREATE SCHEMA dubhook AUTHORIZATION small");
    let store = taken(&url(&cluster, "small"), LEASE);
    store.write(&batch(&[(job(1), Some("kept"))])).unwrap();
}

#[test]
fn many_first_starts_at_once_make_one_set_of_tables() {
    let cluster = Cluster::new(&[]);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let store = store(&cluster.url(), LEASE);
                while store.take().unwrap().is_some() && shard_is_free(&cluster) {
                    thread::yield_now();
                }
            });
        }
    });
    assert_eq!(shard(&cluster, "epoch"), 1);
}

fn shard_is_free(cluster: &Cluster) -> bool {
    cluster
        .ask("SELECT 1 FROM pg_class WHERE relname = 'archive'")
        .is_empty()
        || cluster
            .ask("SELECT 1 FROM dubhook.shard WHERE owner IS NOT NULL")
            .is_empty()
}

#[test]
fn a_start_warns_of_what_the_database_does_not_promise() {
    let folder = tempfile::tempdir().expect("a folder");
    for (setting, warning) in [
        (
            "synchronous_commit = on",
            Some("synchronous_standby_names is empty"),
        ),
        (
            "synchronous_commit = off",
            Some("synchronous_commit is off"),
        ),
        (
            "synchronous_commit = local\nsynchronous_standby_names = 'a'",
            Some("synchronous_commit is local"),
        ),
    ] {
        let cluster = Cluster::new(&[setting]);
        let log = folder.path().join("log");
        let _ = fs::remove_file(&log);
        let mut program = Program::serve(&["--store", &cluster.url()], &log);
        let mut asker = Asker::new(program.address());
        assert_eq!(asker.call("GET", "/readyz", "").status, 200);
        program.terminate();
        let (_, logged) = program.wait();
        match warning {
            Some(warning) => assert!(logged.contains(warning), "{logged}"),
            None => assert!(!logged.contains("WARN"), "{logged}"),
        }
    }
}
