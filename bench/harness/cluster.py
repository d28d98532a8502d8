"""PostgreSQL clusters in temporary folders, with the settings that a database comes with."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from process import START_S, Failed, free_port

# Those whom it runs as where this runs as root, as which it refuses to.
_OTHERS = [user for user in pwd.getpwall() if user.pw_name == "postgres"] if os.geteuid() == 0 else []


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise Failed("PostgreSQL is missing: tools/postgres.sh installs it")
    return found[-1].parent


def _as_other() -> dict[str, object]:
    return {"user": _OTHERS[0].pw_uid, "group": _OTHERS[0].pw_gid, "extra_groups": []} if _OTHERS else {}


def _run(name: str, *arguments: str | Path) -> None:
    done = subprocess.run(
        [str(_programs() / name), *map(str, arguments)], cwd="/", capture_output=True, text=True, check=False, **_as_other()
    )  # fmt: skip
    if done.returncode != 0:
        raise Failed(f"{name}: {done.stderr}")


@dataclass
class Cluster:
    """One that runs."""

    port: int
    data: Path
    process: subprocess.Popen[str]

    def url(self, *others: Cluster) -> str:
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in (self, *others))
        return f"postgres://postgres@{hosts}/postgres"

    def ask(self, statement: str) -> str:
        command = ["psql", "-XqAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-c", statement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{statement}: {done.stderr}")
        return done.stdout.strip()

    def wait_for(self, condition: str) -> None:
        deadline = time.monotonic() + START_S
        while self.ask(f"SELECT {condition}") != "t":
            if time.monotonic() > deadline:
                raise Failed(f"never: {condition}")
            time.sleep(0.01)

    def empty(self) -> None:
        self.ask("DROP SCHEMA IF EXISTS dubhook CASCADE")
        # What one side has left to be written does not burden the other.
        self.ask("CHECKPOINT")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def promote(self) -> None:
        _run("pg_ctl", "promote", "--silent", "--wait", "-D", self.data)


@contextmanager
def cluster(standby_of: Cluster | None = None) -> Iterator[Cluster]:
    """A new one, or one that follows another and may be named `standby` there."""
    folder = Path(tempfile.mkdtemp(prefix="dubhook-bench-"))
    if _OTHERS:
        os.chown(folder, _OTHERS[0].pw_uid, _OTHERS[0].pw_gid)
    data, port = folder / "data", free_port()
    if standby_of:
        primary = f"host=127.0.0.1 port={standby_of.port} user=postgres application_name=standby"
        _run("pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "-D", data, "-d", primary)
    else:
        _run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "-D", data)
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(f"\nport = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{folder}'\n")
    process = subprocess.Popen(
        [str(_programs() / "postgres"), "-D", str(data)],
        cwd="/", text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_as_other(),
    )  # fmt: skip
    made = Cluster(port, data, process)
    try:
        deadline = time.monotonic() + START_S
        while subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise Failed("the database does not start")
            time.sleep(0.02)
        yield made
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                # At once, with its children.
                process.send_signal(3)
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)
