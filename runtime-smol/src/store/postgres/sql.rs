//! The statements, in the words of the database.
//!
//! | table | a row is |
//! | --- | --- |
//! | `shard` | who owns the records of a shard: `epoch` counts owners, `beat` that they live |
//! | `journal` | a batch: what it has changed, until that is folded into the records; the newest one is always there |
//! | `record` | one record; its key is `table << 32 \| slot` |
//! | `archive` | a job that has ended, as JSON |
//!
//! A commit changes no row, but locks the shard's and adds one to the journal: however long a stranger's transaction keeps the
//! database from tidying up, a commit finds what it needs as fast as before. For the same reason nobody ever looks for the
//! oldest row of the journal: each row says up to which batch all was `folded` when it was written, and what is looked for is
//! behind that.

use crate::store::contract::UNSET_UNTIL_MS;
use std::time::Duration;

/// What connections are called, in the database's list of them.
pub(super) const APPLICATION: &str = "dubhook";
/// The number of this form of the tables.
pub(super) const FORMAT: u32 = 2;
/// The one before it, in which there was no journal: the shard's row counted the batches.
pub(super) const WITHOUT_JOURNAL: u32 = 1;
/// The shard that there is. The tables can hold more of them, for servers of a later day.
pub(super) const SHARD: i32 = 0;
/// Records that are read at once.
pub(super) const PAGE: u64 = 20_000;
/// Batches that are read at once.
const BATCHES: u64 = 4_096;
/// Jobs that are dropped from the archive at once.
pub(super) const PRUNED_MAX: u64 = 1_000;

/// Every row is come by through its key, and in the order of the keys. A planner without statistics of a table that has just
/// been filled would read and sort all of it for each page: a million records took six times as long.
pub(super) const BY_KEY: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; \
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

/// Whatever a database, a role or its operator sets for others: names are those of the system and of our schema, a warning that a wait
/// for a standby was ended is heard, and what stands between quotes means what it says.
pub(super) const AS_WRITTEN: &str = "SET search_path = pg_catalog, pg_temp; SET client_min_messages = warning; \
    SET standard_conforming_strings = on";

/// Each statement has a time limit here, and sessions are kept for as long as they serve. Not every version knows all of these.
pub(super) const WITHOUT_LIMITS: &str = "SELECT set_config(name, '0', false) FROM pg_settings \
    WHERE name IN ('statement_timeout', 'idle_session_timeout', 'transaction_timeout')";

/// Whether a host takes no writes, and the process that answers.
pub(super) const WHO_ANSWERS: &str = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool, pg_backend_pid()";

/// What nobody waits for any more ends in the database too. Not so the making of tables: the next look finds them.
pub(super) fn limit(time: Duration) -> String {
    format!("SET statement_timeout = {}", time.as_millis().max(1))
}

/// What was waited for is looked at again as it is then, whatever else the database is set to.
pub(super) const AS_IT_IS: &str = "SET default_transaction_isolation = 'read committed'";

/// What is folded is in the journal until it is in the records: no loss of power can come between, and no wait is needed.
pub(super) const WITHOUT_WAIT: &str = "SET synchronous_commit = off";

/// The names of what is prepared.
pub(super) const COMMIT: &str = "commit";
pub(super) const BEAT: &str = "beat";
pub(super) const LOOK: &str = "look";
pub(super) const LOCK: &str = "lock";
pub(super) const TAKE: &str = "take";
pub(super) const RELEASE: &str = "release";
pub(super) const AS_SELF: &str = "as_self";
pub(super) const END_HOLDER: &str = "end_holder";
pub(super) const END_FOLDER: &str = "end_folder";
pub(super) const MARK_LOST: &str = "mark_lost";
pub(super) const PAGE_OF_JOURNAL: &str = "page_of_journal";
pub(super) const FOLD: &str = "fold";
pub(super) const PAGE_OF_RECORDS: &str = "page";
pub(super) const PAGE_OF_ARCHIVE: &str = "page_of_archive";
pub(super) const FIND: &str = "find";
pub(super) const PRUNE: &str = "prune";

/// A name as an identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name as a value.
pub(super) fn literal(name: &str) -> String {
    format!("'{}'", name.replace('\'', "''"))
}

/// The tables of a new schema. The last statement makes the shard: where it is, the rest is.
pub(super) fn make(schema: &str) -> String {
    let journal = make_journal(schema);
    let (schema_name, schema) = (literal(schema), quoted(schema));
    format!(
        "SELECT pg_advisory_xact_lock(hashtext('dubhook ' || {schema_name}));
         CREATE TABLE IF NOT EXISTS {schema}.shard (
             shard int PRIMARY KEY, format int NOT NULL, epoch bigint NOT NULL, beat bigint NOT NULL,
             lease_ms bigint NOT NULL, owner text, url text, backend int, lost bigint
         ) WITH (fillfactor = 10);
         {journal};
         CREATE TABLE IF NOT EXISTS {schema}.record (
             shard int NOT NULL, key bigint NOT NULL, value bytea NOT NULL, PRIMARY KEY (shard, key)
         ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
         ALTER TABLE {schema}.record ALTER value SET STORAGE EXTERNAL;
         CREATE TABLE IF NOT EXISTS {schema}.archive (
             shard int NOT NULL, id uuid NOT NULL, json bytea NOT NULL, PRIMARY KEY (shard, id)
         );
         INSERT INTO {schema}.journal VALUES ({SHARD}, 0, 0, '') ON CONFLICT DO NOTHING;
         INSERT INTO {schema}.shard (shard, format, epoch, beat, lease_ms)
             VALUES ({SHARD}, {FORMAT}, 0, 0, 0) ON CONFLICT DO NOTHING"
    )
}

/// The journal's table. Where a server of the form before is still the owner, it is in nobody's way.
pub(super) fn make_journal(schema: &str) -> String {
    let schema = quoted(schema);
    format!(
        "CREATE TABLE IF NOT EXISTS {schema}.journal (
             shard int NOT NULL, batch bigint NOT NULL, folded bigint NOT NULL, records bytea NOT NULL,
             PRIMARY KEY (shard, batch)
         ) WITH (autovacuum_vacuum_cost_delay = 0, toast.autovacuum_vacuum_cost_delay = 0);
         ALTER TABLE {schema}.journal ALTER records SET STORAGE EXTERNAL"
    )
}

/// Makes this form of the one before, if the shard is still as it was seen. The column that goes is one without which no server
/// of that form goes on: neither one that stands by, nor one that was the owner and wakes up.
pub(super) fn upgrade(schema: &str, epoch: i64, batch: i64, beat: i64) -> String {
    let schema = quoted(schema);
    let steps = format!(
        "BEGIN
             UPDATE {schema}.shard SET format = {FORMAT}, epoch = epoch + 1, beat = beat + 1, owner = NULL, url = NULL
                 WHERE shard = {SHARD} AND format = {WITHOUT_JOURNAL} AND epoch = {epoch} AND batch = {batch}
                     AND beat = {beat} AND lost IS NULL;
             IF FOUND THEN
                 INSERT INTO {schema}.journal VALUES ({SHARD}, {batch}, {batch}, '');
                 ALTER TABLE {schema}.shard DROP COLUMN batch;
             END IF;
         END"
    );
    format!("DO {}", literal(&steps))
}

/// Lets the room of what was folded be used again, without waiting for whoever does so by and by.
pub(super) fn tidy(schema: &str) -> String {
    format!(
        "VACUUM (SKIP_LOCKED, TRUNCATE off) {}.journal",
        quoted(schema)
    )
}

/// Asks how much room the journal takes.
pub(super) fn room(schema: &str) -> String {
    let journal = literal(&format!("{}.journal", quoted(schema)));
    format!("SELECT pg_total_relation_size({journal}::regclass)")
}

/// Every statement that is prepared, with its name.
///
/// The commit writes nothing unless the shard is still ours and this is the next batch. Under READ COMMITTED the row is
/// looked at again after it was waited for, so it does not matter whether a takeover or a commit came first. Whoever takes over
/// locks the row first and looks at the journal then, in the same transaction: a commit that it has waited for is seen.
///
/// What is folded is written only where all of those batches are still there, and they go with it: whoever comes late with the
/// same ones, a server that was the owner once or a session that was given up, finds them gone.
pub(super) fn prepared(schema: &str) -> [(&'static str, String); 16] {
    let schema = quoted(schema);
    let newest =
        format!("{schema}.journal j WHERE j.shard = $1::int4 ORDER BY j.batch DESC LIMIT 1");
    // The first id of that time.
    let unset_until = format!("{:032x}", u128::from(UNSET_UNTIL_MS) << 80);
    [
        (
            COMMIT,
            format!(
                "WITH own AS (SELECT shard FROM {schema}.shard WHERE shard = $1::int4 AND epoch = $2::int8 FOR UPDATE),
                 added AS (INSERT INTO {schema}.journal
                      SELECT own.shard, $3::int8, greatest(last.folded, $4::int8), $5::bytea
                      FROM own JOIN {schema}.journal last ON last.shard = own.shard AND last.batch = $3::int8 - 1
                      ON CONFLICT DO NOTHING RETURNING shard),
                 kept AS (INSERT INTO {schema}.archive SELECT added.shard, i, j
                      FROM added, unnest($6::uuid[], $7::bytea[]) a(i, j)
                      ON CONFLICT (shard, id) DO UPDATE SET json = excluded.json)
                 SELECT count(*) FROM added"
            ),
        ),
        (
            BEAT,
            format!(
                "UPDATE {schema}.shard SET beat = beat + 1, backend = pg_backend_pid()
                 WHERE shard = $1::int4 AND epoch = $2::int8 RETURNING (SELECT j.batch FROM {newest})"
            ),
        ),
        (
            // In the form before, the batches were counted by a column that there is no more.
            LOOK,
            format!(
                "SELECT s.format::int8, s.epoch,
                     coalesce((to_jsonb(s) ->> 'batch')::int8, (SELECT j.batch FROM {newest}), 0),
                     s.beat, s.lease_ms, s.owner, s.url, s.lost,
                     (current_setting('synchronous_standby_names') <> ''
                         AND current_setting('synchronous_commit') NOT IN ('off', 'local'))::int::int8
                 FROM {schema}.shard s WHERE s.shard = $1::int4"
            ),
        ),
        (
            // No row comes of it.
            LOCK,
            format!(
                "WITH locked AS (SELECT shard FROM {schema}.shard WHERE shard = $1::int4 FOR UPDATE)
                 SELECT shard FROM locked WHERE shard <> $1::int4"
            ),
        ),
        (
            TAKE,
            format!(
                "UPDATE {schema}.shard SET epoch = epoch + 1, beat = beat + 1, owner = $5::text,
                     lease_ms = $6::int8, url = nullif($7::text, ''), backend = pg_backend_pid()
                 WHERE shard = $1::int4 AND epoch = $2::int8 AND (SELECT j.batch FROM {newest}) = $3::int8
                     AND beat = $4::int8 AND lost IS NULL RETURNING epoch, $3::int8"
            ),
        ),
        (
            RELEASE,
            format!(
                "UPDATE {schema}.shard SET owner = NULL, url = NULL, beat = beat + 1, backend = NULL
                 WHERE shard = $1::int4 AND epoch = $2::int8"
            ),
        ),
        (
            // Who is made another role by its settings may end what its own sessions do, until the transaction ends.
            AS_SELF,
            "SELECT set_config('role', 'none', true)".to_owned(),
        ),
        (END_HOLDER, end_holder(&format!("{schema}.shard"))),
        (END_FOLDER, end_holder(&format!("{schema}.journal"))),
        (
            MARK_LOST,
            format!(
                "UPDATE {schema}.shard SET lost = $2::int8, epoch = greatest(epoch, $3::int8) + 1, owner = NULL
                 WHERE shard = $1::int4"
            ),
        ),
        (
            PAGE_OF_JOURNAL,
            format!(
                "SELECT batch, records FROM (
                     SELECT batch, records, sum(octet_length(records)) OVER (ORDER BY batch) - octet_length(records) AS before
                     FROM {schema}.journal
                     WHERE shard = $1::int4 AND batch > greatest($2::int8, (SELECT j.folded FROM {newest})) AND batch <= $3::int8
                     ORDER BY batch LIMIT {BATCHES}
                 ) behind WHERE before < $4::int8 ORDER BY batch"
            ),
        ),
        (
            FOLD,
            format!(
                "WITH mine AS (SELECT j.batch FROM {schema}.shard s JOIN {schema}.journal j ON j.shard = s.shard
                      WHERE s.shard = $1::int4 AND s.epoch = $2::int8 AND j.batch > $3::int8 AND j.batch <= $4::int8
                      FOR UPDATE OF j SKIP LOCKED),
                 all_of_them AS (SELECT $1::int4 AS shard FROM mine HAVING count(*) = $4::int8 - $3::int8),
                 gone AS (DELETE FROM {schema}.journal j USING all_of_them a
                      WHERE j.shard = a.shard AND j.batch >= $3::int8 AND j.batch <= $4::int8),
                 dropped AS (DELETE FROM {schema}.record r USING all_of_them a, unnest($5::int8[]) k
                      WHERE r.shard = a.shard AND r.key = k),
                 put AS (INSERT INTO {schema}.record SELECT a.shard, k, v
                      FROM all_of_them a, unnest($6::int8[], $7::bytea[]) p(k, v)
                      ON CONFLICT (shard, key) DO UPDATE SET value = excluded.value)
                 SELECT count(*) FROM all_of_them"
            ),
        ),
        (
            PAGE_OF_RECORDS,
            format!(
                "SELECT key, value FROM {schema}.record WHERE shard = $1::int4 AND key > $2::int8
                 ORDER BY key LIMIT {PAGE}"
            ),
        ),
        (
            PAGE_OF_ARCHIVE,
            format!(
                "SELECT id, json FROM {schema}.archive WHERE shard = $1::int4 AND id > $2::uuid
                 ORDER BY id LIMIT {PAGE}"
            ),
        ),
        (
            FIND,
            format!("SELECT json FROM {schema}.archive WHERE shard = $1::int4 AND id = $2::uuid"),
        ),
        (
            PRUNE,
            format!(
                "WITH old AS (SELECT id FROM {schema}.archive WHERE shard = $1::int4 AND id >= '{unset_until}'::uuid AND id < $2::uuid
                     ORDER BY id LIMIT {PRUNED_MAX})
                 DELETE FROM {schema}.archive a USING old WHERE a.shard = $1::int4 AND a.id = old.id"
            ),
        ),
    ]
}

/// Ends who holds a row of a table, which has changed or locked it and does not wait for a lock. It must be one of ours, and
/// older than the wait that was in vain: a server that commits again and again is no hindrance. The number of a process in the
/// row would not do: who holds the row may be about to change just that.
fn end_holder(table: &str) -> String {
    let table = literal(table);
    format!(
        "SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.relation = {table}::regclass AND l.mode IN ('RowShareLock', 'RowExclusiveLock') AND l.granted
             AND l.database = a.datid AND a.datname = current_database() AND a.usename = session_user
             AND a.application_name = '{APPLICATION}' AND a.wait_event_type IS DISTINCT FROM 'Lock'
             AND a.pid <> pg_backend_pid()
             AND a.xact_start < clock_timestamp() - $1::int8 * interval '1 ms'"
    )
}
