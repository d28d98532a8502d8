"""Records in a database that several servers share, beside records in a directory of one server."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from cluster import Cluster, cluster
from figures import Row, interleave
from place import DUBHOOK, LOAD_CORE, ROOT, SERVER_CORE, TARGET, on
from process import Failed, crash, free_port, running
from rows import Run, _body, _data, _post, _receiver, _result, _submit

DIRECTORY, DATABASE = "directory", "database"
NOTE = "The database runs on both cores, beside the server on the one and the load on the other. It has no standby, and the settings that it comes with."
LEASE_S = 3.0
# Nobody translates, so that jobs stay as they are.
IDLE = ("--translator", "remote")


def _serving(port: int, keep: list[str], *arguments: str, capacity: int) -> list[str]:
    return on(SERVER_CORE, DUBHOOK, "serve", "--listen", f"127.0.0.1:{port}", "--capacity", str(capacity), *keep, *arguments)


def _keep(where: Path | Cluster) -> list[str]:
    if isinstance(where, Cluster):
        return ["--store", where.url(), "--lease", f"{LEASE_S:g}s"]
    return ["--data", str(where)]


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


def _until_ready(port: int, process: subprocess.Popen[str]) -> float:
    """How many milliseconds it takes from now on until a server has the records."""
    since = time.monotonic()
    while not _is_ready(port):
        if process.poll() is not None:
            raise Failed(f"{process.args} ended: {process.returncode}")
        if time.monotonic() > since + 60:
            raise Failed("it is never ready")
        time.sleep(0.002)
    return (time.monotonic() - since) * 1_000


@contextmanager
def _server(keep: list[str], *arguments: str, capacity: int) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    port = free_port()
    with running(_serving(port, keep, *arguments, capacity=capacity), port) as process:
        _until_ready(port, process)
        yield port, process


def _sides(database: Cluster, measure: Callable[[Path | Cluster], float]) -> dict[str, Callable[[], float]]:
    def in_directory() -> float:
        with _data() as data:
            return measure(data)

    def in_database() -> float:
        database.empty()
        return measure(database)

    return {DIRECTORY: in_directory, DATABASE: in_database}


def shared_submit(run: Run) -> Row:
    row = Row("shared_submit", "`POST /v1/translations`, 64 connections, in a directory or a database", "requests/s", note=NOTE)
    count = run.count(200_000, 5_000)

    def measure(where: Path | Cluster) -> float:
        with _server(_keep(where), *IDLE, capacity=2 * count) as (port, _):
            return _submit(port, count)

    with cluster() as database:
        interleave(run.rounds, _sides(database, measure), row, run.say)
    row.want(DATABASE, DIRECTORY, 0.5)
    return row


def shared_lives(run: Run) -> Row:
    row = Row(
        "shared_lives", "whole lives of jobs with three signed webhooks each, submitted over 64 connections", "jobs/s",
        note="From the first webhook to the last one; a simulated translator takes a millisecond.",
    )  # fmt: skip
    count = run.count(50_000, 2_000)

    def measure(where: Path | Cluster) -> float:
        with _receiver("--expect", 3 * count) as (hook, receiver):
            arguments = ("--translator", "simulated", "--simulate", "1ms..1ms")
            with _server(_keep(where), *arguments, capacity=2 * count) as (port, _):
                _post(port, "/v1/webhooks", {"url": f"http://127.0.0.1:{hook}/hook"})
                _submit(port, count)
                return _result(receiver) / 3

    with cluster() as database:
        interleave(run.rounds, _sides(database, measure), row, run.say)
    row.want(DATABASE, DIRECTORY, 0.5)
    return row


def shared_commit(run: Run) -> Row:
    row = Row(
        "shared_commit", "one record, written and durable", "µs",
        note="The stores alone, one commit after the other, without a server.",
    )  # fmt: skip
    count = run.count(5_000, 200)
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET)}

    def measure(where: Path | Cluster) -> float:
        place = where.url() if isinstance(where, Cluster) else str(where / "records")
        command = on(
            SERVER_CORE, "cargo", "bench", "--quiet", "--locked", "-p", "dubhook-postgres-tests", "--bench", "stores", "--",
            "commit", place, str(count),
        )  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}: {done.returncode}")
        return json.loads(done.stdout.splitlines()[-1])["p50_us"]

    with cluster() as database:
        interleave(run.rounds, _sides(database, measure), row, run.say)
    row.want_at_most(f"3 × {DIRECTORY}", row.ratio(DATABASE, DIRECTORY), 3)
    return row


def _fill(where: Path | Cluster, jobs: int) -> None:
    with _server(_keep(where), *IDLE, capacity=jobs) as (port, process):
        _submit(port, jobs)
        crash(process)


def shared_restart(run: Run) -> Row:
    jobs = run.count(500_000, 5_000)
    row = Row(
        "shared_restart", f"a start after a crash, {2 * jobs + 1:,} records", "ms",
        note="Until `/readyz` is answered 200. The records in the database are given back by hand before, so that no lease is waited for.",
    )  # fmt: skip
    with _data() as data, cluster() as database:
        for where in (data, database):
            _fill(where, jobs)

        def measure(where: Path | Cluster) -> float:
            if isinstance(where, Cluster):
                where.ask("UPDATE dubhook.shard SET owner = NULL")
            port = free_port()
            since = time.monotonic()
            with running(_serving(port, _keep(where), *IDLE, capacity=jobs)) as process:
                _until_ready(port, process)
                took = (time.monotonic() - since) * 1_000
                crash(process)
            return took

        sides = {DIRECTORY: lambda: measure(data), DATABASE: lambda: measure(database)}
        interleave(run.rounds, sides, row, run.say)
    row.want_at_most(f"2 × {DIRECTORY}", row.ratio(DATABASE, DIRECTORY), 2)
    return row


def shared_takeover(run: Run) -> Row:
    jobs = run.count(500_000, 5_000)
    many = f"{2 * jobs + 1:,} records"
    row = Row(
        "shared_takeover", f"the owner is killed: until a standby answers, with a lease of {LEASE_S:g} s", "ms",
        note="The standby runs on the other core.",
    )  # fmt: skip

    def measure(count: int) -> float:
        with cluster() as database:
            _fill(database, count)
            database.ask("UPDATE dubhook.shard SET owner = NULL")
            with _server(_keep(database), *IDLE, capacity=jobs) as (_, owner):
                port = free_port()
                waiting = _serving(port, _keep(database), *IDLE, capacity=jobs)
                with running(on(LOAD_CORE, *waiting[3:]), port) as standby:
                    crash(owner)
                    return _until_ready(port, standby)

    sides = {"few records": lambda: measure(50), many: lambda: measure(jobs)}
    interleave(max(1, run.rounds // 2), sides, row, run.say)
    row.want_at_most("lease × 1.1 + 1 s, few records", row.median("few records"), LEASE_S * 1_100 + 1_000)
    return row


def shared_failover(run: Run) -> Row:
    row = Row(
        "shared_failover", "the primary is killed: from its synchronous standby's promotion to the next accepted job", "ms",
        note="The same server goes on; nothing is restored.",
    )  # fmt: skip
    side = "until a job is accepted"

    def submit(port: int) -> bool:
        body = json.dumps({"video_url": "https://v.test/1.mp4", "target_language": "es"}).encode()
        request = Request(f"http://127.0.0.1:{port}/v1/translations", body, {"content-type": "application/json"})
        try:
            with urlopen(request, timeout=10) as answer:
                return answer.status == 202
        except (URLError, OSError):
            return False

    def measure() -> float:
        with cluster() as primary, cluster(standby_of=primary) as standby:
            primary.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            primary.ask("SELECT pg_reload_conf()")
            primary.wait_for("EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")
            keep = ["--store", primary.url(standby), "--lease", f"{LEASE_S:g}s"]
            with _server(keep, *IDLE, capacity=1_000) as (port, _):
                if not submit(port):
                    raise Failed("a job is not accepted")
                primary.kill()
                time.sleep(1)
                standby.promote()
                since = time.monotonic()
                while not submit(port):
                    if time.monotonic() > since + 60:
                        raise Failed("it does not go on")
                    time.sleep(0.002)
                return (time.monotonic() - since) * 1_000

    interleave(run.rounds, {side: measure}, row, run.say)
    row.want_at_most("3 s", row.median(side), 3_000)
    return row


SHARED: dict[str, Callable[[Run], Row]] = {
    row.__name__: row
    for row in (shared_submit, shared_lives, shared_commit, shared_restart, shared_takeover, shared_failover)
}
