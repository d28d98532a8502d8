//! What an operator sets for others, in the database or for a role, changes nothing here.

use dubhook_core::time::Timestamp;
use dubhook_postgres_tests::{
    cluster::Cluster,
    proxy::Proxy,
    records::{all, batch, id, job, store, take, taken, wait_for_sessions},
    rig::{Rig, ask, get},
};
use dubhook_smol::{
    store::{
        Batch, Store,
        postgres::{Address, Options, Postgres},
    },
    tls::Trust,
};
use std::{
    thread,
    time::{Duration, Instant},
};

const LEASE: Duration = Duration::from_secs(3);

/// Functions that stand before those of the system, for whoever looks there first.
const BEFORE: &str = "CREATE SCHEMA before;
    GRANT USAGE ON SCHEMA before TO keepers;
    CREATE FUNCTION before.pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT 1 / 0';
    CREATE FUNCTION before.hashtext(text) RETURNS int LANGUAGE sql AS 'SELECT 1 / 0';
    CREATE FUNCTION before.octet_length(bytea) RETURNS int LANGUAGE sql AS 'SELECT 1 / 0';
    CREATE FUNCTION before.unnest(int8[]) RETURNS SETOF int8 LANGUAGE sql AS 'SELECT (1 / 0)::int8'";

/// A store of the role `keeper`, in this database and schema.
fn keeper(cluster: &Cluster, database: &str, schema: &str) -> Postgres {
    let url = format!("postgres://keeper@127.0.0.1:{}/{database}", cluster.port);
    let options = Options {
        address: Address::parse(&url).expect("a URL"),
        schema: schema.to_owned(),
        lease: LEASE,
        trust: Trust::platform(),
    };
    Postgres::new(options).expect("a store")
}

/// A store of that role behind a cable.
fn keeper_behind(cable: &Proxy, lease: Duration) -> Postgres {
    store(&cable.url().replace("postgres@", "keeper@"), lease)
}

/// Does all that a store can do.
fn does_all(store: &Postgres) {
    take(store).expect("it is free");
    let mut large = Batch::default();
    for slot in 1..=30_000 {
        large.add(job(slot), Some(b"a record that is as long as records are"));
    }
    large.add_archived(id(1), b"an ended job");
    store.write(&large).unwrap();
    store
        .write(&batch(&[(job(1), Some("new")), (job(2), None)]))
        .unwrap();
    store.beat().unwrap();
    let records = all(store);
    assert_eq!(
        (records.len(), &records[&job(1)][..]),
        (29_999, &b"new"[..])
    );
    assert_eq!(
        store.find(id(1)).unwrap().as_deref(),
        Some(&b"an ended job"[..])
    );
    assert!(
        !store
            .prune(Timestamp::from_unix_ms(u64::MAX >> 16))
            .unwrap()
    );
    assert_eq!(store.find(id(1)).unwrap(), None);
    store.release();
}

#[test]
fn what_is_set_for_a_role_changes_nothing() {
    let cluster = Cluster::new(&[]);
    let mut psql = cluster.psql();
    psql.run("CREATE ROLE keeper LOGIN");
    psql.run("CREATE ROLE keepers; GRANT keepers TO keeper");
    psql.run("GRANT CREATE ON DATABASE postgres TO keepers");
    psql.run(BEFORE);
    for setting in [
        "role = keepers",
        "search_path = before, pg_catalog",
        "standard_conforming_strings = off",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_deferrable = on",
        "lock_timeout = '1ms'",
        "statement_timeout = '60ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "client_min_messages = 'debug5'",
        "bytea_output = 'escape'",
        "synchronous_commit = 'off'",
        "plan_cache_mode = 'force_custom_plan'",
    ] {
        psql.run(&format!("ALTER ROLE keeper SET {setting}"));
    }
    for schema in ["dubhook", r#"Two "Words" of 'ours' \\ and more"#] {
        does_all(&keeper(&cluster, "postgres", schema));
    }
}

#[test]
fn a_role_that_becomes_another_one_ends_its_own_sessions() {
    const SHORT: Duration = Duration::from_millis(500);
    let cluster = Cluster::new(&[]);
    let mut psql = cluster.psql();
    psql.run("CREATE ROLE keepers; CREATE ROLE keeper LOGIN IN ROLE keepers");
    psql.run("GRANT CREATE ON DATABASE postgres TO keepers; ALTER ROLE keeper SET role = keepers");
    let cable = Proxy::to(cluster.port);
    let old = keeper_behind(&cable, SHORT);
    take(&old).unwrap();
    cable.tear(Some("commit"));
    thread::scope(|scope| {
        let torn = scope.spawn(|| old.write(&batch(&[(job(1), Some("torn"))])));
        // All of it but its end has come; and its owner, which could end it itself and go on, reaches nobody from here on.
        psql.wait_for(
            "EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'keeper' AND state = 'active'
             AND wait_event = 'ClientRead' AND xact_start IS NOT NULL)",
        );
        cable.stall(true);
        let new = keeper_behind(&Proxy::to(cluster.port), SHORT);
        let taken = take(&new);
        let found = all(&new);
        cable.tear(None);
        cable.stall(false);
        assert!(taken.is_ok() && found.is_empty(), "{taken:?}");
        assert!(torn.join().unwrap().is_err());
    });
}

#[test]
fn a_database_may_have_any_encoding() {
    let cluster = Cluster::new(&[]);
    let mut psql = cluster.psql();
    psql.run("CREATE ROLE keeper LOGIN");
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        psql.run(&format!(
            "CREATE DATABASE odd TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C' OWNER keeper"
        ));
        does_all(&keeper(&cluster, "odd", "dubhook"));
        psql.run("DROP DATABASE odd WITH (FORCE)");
    }
}

#[test]
fn a_session_that_is_idle_is_kept() {
    let cluster = Cluster::new(&[]);
    let mut psql = cluster.psql();
    psql.run("CREATE ROLE keeper LOGIN; GRANT CREATE ON DATABASE postgres TO keeper");
    psql.run("ALTER ROLE keeper SET idle_session_timeout = 100");
    // Far longer than it takes: nothing is said meanwhile.
    let url = cluster.url().replace("postgres@", "keeper@");
    let store = taken(&url, Duration::from_secs(600));
    store.write(&batch(&[(job(1), Some("kept"))])).unwrap();
    let sessions = "SELECT pid FROM pg_stat_activity WHERE application_name = 'dubhook'";
    let before = psql.run(sessions);
    psql.run("SELECT pg_sleep(0.4)");
    assert_eq!(psql.run(sessions), before);
    assert_eq!(before.len(), 1);
}

#[test]
fn who_may_not_write_for_now_waits_and_is_told_why() {
    let cluster = Cluster::new(&[]);
    let mut psql = cluster.psql();
    psql.run("CREATE ROLE keeper LOGIN; GRANT CREATE ON DATABASE postgres TO keeper");
    psql.run("ALTER ROLE keeper SET default_transaction_read_only = on");
    let store = keeper(&cluster, "postgres", "dubhook");
    assert!(store.take().unwrap().is_some());
    assert!(store.ownership().is_some_and(|owner| !owner.answers));
    psql.run("ALTER ROLE keeper RESET default_transaction_read_only");
    take(&store).unwrap();
}

#[test]
fn who_asks_for_what_the_store_cannot_say_is_told_so() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let mut psql = cluster.psql();
    psql.run("CREATE ROLE keeper LOGIN; GRANT CREATE ON DATABASE postgres TO keeper");
    let url = cluster.url().replace("postgres@", "keeper@");
    let (_owner, owner) = rig.serve("owner", &url, "1s", &[]);
    // It has one, and what is no longer in memory is asked for on another one.
    psql.run("ALTER ROLE keeper CONNECTION LIMIT 1");
    let gone = "/v1/translations/job_01k00000000000000000000000";
    let answer = get(owner, gone);
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (503, &"store_silent".into())
    );
    assert_eq!(answer.fields["retry-after"], "1");
    let head = ask(owner, "HEAD", gone, "").expect("an answer");
    assert_eq!((head.status, head.body.len()), (503, 0));
    assert_eq!(get(owner, "/readyz").status, 200);
    psql.run("ALTER ROLE keeper CONNECTION LIMIT -1");
    assert_eq!(get(owner, gone).status, 404);
}

#[test]
fn hosts_that_answer_nothing_cost_little() {
    let cluster = Cluster::new(&[]);
    let gone = [(); 3].map(|()| Proxy::to(cluster.port));
    gone.iter().for_each(|cable| cable.stall(true));
    let [first, second, third] = gone.map(|cable| cable.address.to_string());
    let url = format!(
        "postgres://postgres@{first},{second},{third},127.0.0.1:{}/postgres",
        cluster.port
    );
    // Longer than a busy machine stalls, besides the three eighths that it takes.
    const LEASE: Duration = Duration::from_secs(12);
    let since = Instant::now();
    let store = taken(&url, LEASE);
    println!(
        "three hosts are gone: the fourth one is found after {:?}",
        since.elapsed()
    );
    // One lease would be over before the second of them was given up.
    assert!(since.elapsed() < LEASE);
    assert!(store.holds());
}

#[test]
fn who_stands_by_waits_for_what_was_changed_to_be_changed_back() {
    let cluster = Cluster::new(&[]);
    let mut psql = cluster.psql();
    psql.run("CREATE ROLE keeper LOGIN; GRANT CREATE ON DATABASE postgres TO keeper");
    let owner = keeper(&cluster, "postgres", "dubhook");
    take(&owner).unwrap();
    let standby = keeper(&cluster, "postgres", "dubhook");
    assert!(standby.take().unwrap().is_some());
    // A password that was changed on one side, a rule that a new host lacks.
    psql.run("ALTER ROLE keeper NOLOGIN");
    psql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keeper'");
    wait_for_sessions(&cluster, 0);
    for _ in 0..4 {
        let pause = standby.take().expect("it waits").expect("for long");
        thread::park_timeout(pause);
    }
    psql.run("ALTER ROLE keeper LOGIN");
    owner.release();
    take(&standby).unwrap();
    // One that has never come in is told so.
    psql.run("ALTER ROLE keeper NOLOGIN");
    let error = keeper(&cluster, "postgres", "dubhook").take().unwrap_err();
    assert!(
        error.to_string().contains("not permitted to log in"),
        "{error}"
    );
}
