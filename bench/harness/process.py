"""Processes that are measured: started, waited for, looked at, stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from place import DUBHOOK, LOAD, LOAD_CORE, SERVER_CORE, on

START_S = 30.0


class Failed(Exception):
    """Something that is measured did not do its work."""


def free_port(count: int = 1) -> int:
    """The first of `count` ports on loopback that nobody uses, below those that the system gives to clients."""
    for first in range(20_000, 32_000 - count, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise Failed("no free ports")


def wait_for_port(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failed(f"{process.args} ended: {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise Failed(f"{process.args} does not listen")


@contextmanager
def running(command: list[str], port: int | None = None, **options: object) -> Iterator[subprocess.Popen[str]]:
    """A process that listens on `port` for as long as it is wanted."""
    options.setdefault("stdout", subprocess.DEVNULL)
    options.setdefault("stderr", subprocess.DEVNULL)
    process = subprocess.Popen(command, text=True, start_new_session=True, **options)  # type: ignore[call-overload]
    try:
        if port is not None:
            wait_for_port(port, process)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.stdout:
            process.stdout.close()


@contextmanager
def started(command: list[str]) -> Iterator[tuple[float, subprocess.Popen[str]]]:
    """How many milliseconds a server took until it said that it listens, and the server."""
    since = time.monotonic()
    with running(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        if not process.stdout.readline():
            raise Failed(f"{command} does not start")
        yield (time.monotonic() - since) * 1_000, process


def crash(process: subprocess.Popen[str]) -> None:
    """Kills a server at once, and the programs that it runs, which would not notice."""
    lists = Path(f"/proc/{process.pid}/task").glob("*/children")
    for pid in [process.pid, *(int(child) for children in lists for child in children.read_text().split())]:
        os.kill(pid, signal.SIGKILL)
    process.wait()


def serving(port: int, *arguments: str, capacity: int, data: Path | None, core: int = SERVER_CORE) -> list[str]:
    """The command of a server on a core of its own, with a translator that never gets done, so that jobs stay as they are."""
    keep = ["--in-memory"] if data is None else ["--data", str(data)]
    return on(
        core, DUBHOOK, "serve", "--listen", f"127.0.0.1:{port}", "--capacity", str(capacity), *keep,
        "--translator", "command", "--command", "exec sleep 1000000", "--workers", "1", *arguments,
    )  # fmt: skip


@contextmanager
def dubhook(*arguments: str, capacity: int = 100_000, data: Path | None = None, core: int = SERVER_CORE) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """`dubhook serve`, as `serving` starts it, once it listens."""
    port = free_port()
    with running(serving(port, *arguments, capacity=capacity, data=data, core=core), port) as process:
        yield port, process


def load(port: int, *options: str | int | Path, core: int = LOAD_CORE) -> dict[str, float]:
    """Runs the load generator on its core. What it measured."""
    command = on(core, LOAD / "load", "--port", str(port), *map(str, options))
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=600)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stdout or done.returncode}")
    return json.loads(done.stdout)


def latency(*arguments: str | int | Path, core: int = LOAD_CORE) -> dict[str, float]:
    """Runs the latency meter on its core. What it measured."""
    command = on(core, LOAD / "latency", *map(str, arguments))
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=600)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.returncode}")
    return json.loads(done.stdout)


def resident_bytes(process: subprocess.Popen[str]) -> int:
    """The memory that a process holds. `taskset` has become the program, so it is the process itself."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    match = re.search(r"VmRSS:\s*(\d+)", status)
    if not match:
        raise Failed("no resident size")
    return int(match.group(1)) * 1_024
