//! The statements, in the words of the database.
//!
//! | table | a row is |
//! | --- | --- |
//! | `shard` | who owns the records of a shard: `epoch` counts owners, `batch` what they have written, `beat` that they live |
//! | `record` | one record; its key is `table << 32 \| slot` |
//! | `archive` | a job that has ended, as JSON |

use crate::store::contract::UNSET_UNTIL_MS;

/// What connections are called, in the database's list of them.
pub(super) const APPLICATION: &str = "dubhook";
/// The number of this form of the tables.
pub(super) const FORMAT: u32 = 1;
/// The shard that there is. The tables can hold more of them, for servers of a later day.
pub(super) const SHARD: i32 = 0;
/// Records that are read at once.
pub(super) const PAGE: u64 = 10_000;
/// Jobs that are dropped from the archive at once.
pub(super) const PRUNED_MAX: u64 = 1_000;

/// Every row is come by through its key, and in the order of the keys. A planner without statistics of a table that has just
/// been filled would read and sort all of it for each page: a million records took six times as long.
pub(super) const BY_KEY: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; \
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

/// The names of what is prepared.
pub(super) const COMMIT: &str = "commit";
pub(super) const BEAT: &str = "beat";
pub(super) const LOOK: &str = "look";
pub(super) const TAKE: &str = "take";
pub(super) const RELEASE: &str = "release";
pub(super) const END_HOLDER: &str = "end_holder";
pub(super) const MARK_LOST: &str = "mark_lost";
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
    let (schema_name, schema) = (literal(schema), quoted(schema));
    format!(
        "SELECT pg_advisory_xact_lock(hashtext('dubhook ' || {schema_name}));
         CREATE TABLE IF NOT EXISTS {schema}.shard (
             shard int PRIMARY KEY, format int NOT NULL, epoch bigint NOT NULL, batch bigint NOT NULL,
             beat bigint NOT NULL, lease_ms bigint NOT NULL, owner text, url text, backend int, lost bigint
         ) WITH (fillfactor = 10);
         CREATE TABLE IF NOT EXISTS {schema}.record (
             shard int NOT NULL, key bigint NOT NULL, value bytea NOT NULL, PRIMARY KEY (shard, key)
         ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
         ALTER TABLE {schema}.record ALTER value SET STORAGE EXTERNAL;
         CREATE TABLE IF NOT EXISTS {schema}.archive (
             shard int NOT NULL, id uuid NOT NULL, json bytea NOT NULL, PRIMARY KEY (shard, id)
         );
         INSERT INTO {schema}.shard (shard, format, epoch, batch, beat, lease_ms)
             VALUES ({SHARD}, {FORMAT}, 0, 0, 0, 0) ON CONFLICT DO NOTHING"
    )
}

/// Every statement that is prepared, with its name.
///
/// The commit writes nothing unless the shard is still ours and this is the next batch. Under READ COMMITTED the row is
/// looked at again after it was waited for, so it does not matter whether a takeover or a commit came first.
pub(super) fn prepared(schema: &str) -> [(&'static str, String); 11] {
    let schema = quoted(schema);
    let shard = literal(&format!("{schema}.shard"));
    // The first id of that time.
    let unset_until = format!("{:032x}", u128::from(UNSET_UNTIL_MS) << 80);
    [
        (
            COMMIT,
            format!(
                "WITH own AS (UPDATE {schema}.shard SET batch = $3::int8, beat = beat + 1
                      WHERE shard = $1::int4 AND epoch = $2::int8 AND batch = $3::int8 - 1 RETURNING shard),
                 gone AS (DELETE FROM {schema}.record r USING own, unnest($4::int8[]) k
                      WHERE r.shard = own.shard AND r.key = k),
                 kept AS (INSERT INTO {schema}.archive SELECT own.shard, i, j
                      FROM own, unnest($7::uuid[], $8::bytea[]) a(i, j)
                      ON CONFLICT (shard, id) DO UPDATE SET json = excluded.json),
                 put AS (INSERT INTO {schema}.record SELECT own.shard, k, v
                      FROM own, unnest($5::int8[], $6::bytea[]) p(k, v)
                      ON CONFLICT (shard, key) DO UPDATE SET value = excluded.value)
                 SELECT count(*) FROM own"
            ),
        ),
        (
            BEAT,
            format!(
                "UPDATE {schema}.shard SET beat = beat + 1, backend = pg_backend_pid()
                 WHERE shard = $1::int4 AND epoch = $2::int8 RETURNING batch"
            ),
        ),
        (
            LOOK,
            format!(
                "SELECT format::int8, epoch, batch, beat, lease_ms, owner, url, lost,
                     (current_setting('synchronous_standby_names') <> ''
                         AND current_setting('synchronous_commit') NOT IN ('off', 'local'))::int::int8
                 FROM {schema}.shard WHERE shard = $1::int4"
            ),
        ),
        (
            TAKE,
            format!(
                "UPDATE {schema}.shard SET epoch = epoch + 1, beat = beat + 1, owner = $5::text,
                     lease_ms = $6::int8, url = nullif($7::text, ''), backend = pg_backend_pid()
                 WHERE shard = $1::int4 AND epoch = $2::int8 AND batch = $3::int8 AND beat = $4::int8
                     AND lost IS NULL RETURNING epoch, batch"
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
            // Who has changed the table and does not wait for a lock holds the row. It must be one of ours, and older than
            // the wait that was in vain: a server that commits again and again is no hindrance. The number of a process in the
            // row would not do: who holds the row may be about to change just that.
            END_HOLDER,
            format!(
                "SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                 WHERE l.relation = {shard}::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
                     AND l.database = a.datid AND a.datname = current_database() AND a.usename = current_user
                     AND a.application_name = '{APPLICATION}' AND a.wait_event_type IS DISTINCT FROM 'Lock'
                     AND a.pid <> pg_backend_pid()
                     AND a.xact_start < clock_timestamp() - $1::int8 * interval '1 ms'"
            ),
        ),
        (
            MARK_LOST,
            format!(
                "UPDATE {schema}.shard SET lost = $2::int8, epoch = greatest(epoch, $3::int8) + 1, owner = NULL
                 WHERE shard = $1::int4"
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
