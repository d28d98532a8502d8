"""The work that is measured. Each function does one row of the table."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import videos
from figures import Row, interleave
from place import BUILT, DUBHOOK, LOAD, LOAD_CORE, PEERS, SERVER_CORE, on
from process import crash, dubhook, free_port, latency, load, resident_bytes, running, serving, started
from servers import JOB, SERVERS, wrk

# A request with a URL of 80 bytes, as the goal for memory says.
JOB_80 = json.dumps(
    {"video_url": "https://videos.example.test/library/2026/november/the-long-way-home-part-one.mp4", "target_language": "es"}
)
assert len(json.loads(JOB_80)["video_url"]) == 80


@dataclass
class Run:
    """How much is measured, and how."""

    rounds: int
    seconds: float
    scale: float  # how much of the full number of jobs and deliveries
    say: Callable[[str], None]

    def count(self, full: int, least: int = 1) -> int:
        return max(least, int(full * self.scale))

    def rate(self, port: int, *options: str | int | Path) -> float:
        return load(port, "--seconds", self.seconds, "--warmup", min(1.0, self.seconds / 3), *options)["rate"]


def _body(text: str = JOB_80) -> Path:
    path = BUILT / "body.json"
    path.write_text(text)
    return path


def _submit(port: int, count: int, *options: str | int | Path) -> float:
    """Submits `count` jobs as fast as they are taken. How many a second."""
    return load(port, "--requests", count, "--path", "/v1/translations", "--post", _body(), *options)["rate"]


def _post(port: int, path: str, content: dict[str, object]) -> dict[str, object]:
    request = Request(f"http://127.0.0.1:{port}{path}", json.dumps(content).encode(), {"content-type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _servers(run: Run, key: str, title: str, *options: str | int) -> Row:
    row = Row(key, title, "requests/s")

    def measure(name: str) -> float:
        with SERVERS[name]() as port:
            return run.rate(port, *options)

    interleave(run.rounds, {name: lambda name=name: measure(name) for name in SERVERS}, row, run.say)
    return row


def status(run: Run) -> Row:
    row = _servers(run, "status", "`GET /status`, 64 connections")
    row.want("dubhook", "hyper", 1.25)
    row.want("dubhook", "epoll in C", 1.0)
    row.want("dubhook", "FastAPI", 10)
    with SERVERS["epoll in C"]() as port:
        row.note = f"wrk, in place of our load generator, gets {wrk(port, run.seconds):,.0f} requests/s from the server in C."
    return row


def pipelined(run: Run) -> Row:
    row = _servers(run, "pipelined", "`GET /status`, 64 connections, 16 pipelined", "--pipeline", 16)
    row.want("dubhook", "hyper", 1.8)
    return row


def read(run: Run) -> Row:
    row = Row("read", "`GET /v1/translations/{id}`, any id, 64 connections", "requests/s")
    many = run.count(1_000_000, 10_000)
    few_name, many_name = "100 jobs", f"{many:,} jobs"
    with ExitStack() as stack:
        ports, files = {}, {}
        for name, count in ((few_name, 100), (many_name, many)):
            ports[name], _ = stack.enter_context(dubhook(capacity=many))
            files[name] = BUILT / f"paths-{count}"
            _submit(ports[name], count, "--pipeline", 16 if count > 1_000 else 1, "--capture", files[name])

        def measure(name: str) -> float:
            return run.rate(ports[name], "--paths", files[name])

        interleave(run.rounds, {name: lambda name=name: measure(name) for name in ports}, row, run.say)
    row.want(many_name, few_name, 0.95)
    return row


@contextmanager
def _data() -> Iterator[Path]:
    """A directory on the disk on which the project lies."""
    path = BUILT / "data"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def submit(run: Run) -> Row:
    row = Row("submit", "`POST /v1/translations`, 64 connections", "requests/s")
    count = run.count(200_000, 5_000)

    def durable() -> float:
        with _data() as data, dubhook(capacity=2 * count, data=data) as (port, _):
            return _submit(port, count)

    def in_memory() -> float:
        with dubhook(capacity=2 * count) as (port, _):
            return _submit(port, count)

    def sync() -> float:
        with _data() as data:
            return 1e6 / latency("sync", 0, data, run.count(5_000, 200), core=SERVER_CORE)["p50_us"]

    sides = {"durable": durable, "in memory": in_memory, "one fdatasync after the other": sync}
    interleave(run.rounds, sides, row, run.say)
    row.want("durable", "one fdatasync after the other", 50)
    row.want("durable", "in memory", 0.5)
    return row


IN_FLIGHT = 32


@contextmanager
def _receiver(*options: str | int, ports: int = 1) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    port = free_port(ports)
    command = on(LOAD_CORE, LOAD / "receiver", port, ports, *map(str, options))
    with running([str(part) for part in command], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield port, process


def _result(receiver: subprocess.Popen[str]) -> float:
    assert receiver.stdout
    return json.loads(receiver.stdout.readline())["rate"]


def _deliveries(run: Run, endpoints: int, dead: int, jobs: int, capacity: int) -> float:
    """Jobs pile up while the receivers answer nothing; how fast they then get their webhooks.

    So the server does nothing else while it is measured. Each job owes one event to each endpoint.
    """
    expect = jobs * (endpoints - dead)
    with _receiver("--hold", "--expect", expect, "--dead", dead, ports=endpoints) as (hook, receiver):
        with dubhook("--attempt-timeout", "60s", capacity=capacity) as (port, _):
            for number in range(endpoints):
                _post(port, "/v1/webhooks", {"url": f"http://127.0.0.1:{hook + number}/hook", "events": ["translation.pending"]})
            _submit(port, jobs, "--connections", 16)
            receiver.send_signal(signal.SIGUSR1)
            return _result(receiver)


def webhooks(run: Run) -> Row:
    count = run.count(300_000, 5_000)
    row = Row(
        "webhooks", f"signed webhooks to one receiver, {IN_FLIGHT} in flight on kept connections", "deliveries/s",
        note="The webhooks of dubhook have piled up before, behind a receiver that held its answers back; the other senders "
        "make each event when they send it.",
    )  # fmt: skip

    def peer(program: Path) -> float:
        with _receiver("--expect", count) as (hook, receiver):
            with running(on(SERVER_CORE, program, str(hook), str(IN_FLIGHT), str(count))):
                return _result(receiver)

    sides: dict[str, Callable[[], float]] = {
        "dubhook": lambda: _deliveries(run, 1, 0, count, count + 1_000),
        "epoll in C": lambda: peer(LOAD / "sender"),
        "hyper connections": lambda: peer(PEERS / "hyper-sender"),
        "reqwest": lambda: peer(PEERS / "reqwest-sender"),
    }
    interleave(run.rounds, sides, row, run.say)
    row.want("dubhook", "epoll in C", 0.95)
    row.want("dubhook", "reqwest", 1.7)
    return row


def receivers(run: Run) -> Row:
    endpoints, dead = run.count(1_000, 100), run.count(10, 2)
    jobs = run.count(300, 30)
    row = Row(
        "receivers", f"the same to {endpoints:,} receivers", "deliveries/s",
        note="A dead receiver accepts connections and never answers. Deliveries to the living are counted.",
    )  # fmt: skip
    capacity = jobs * endpoints
    sides: dict[str, Callable[[], float]] = {
        "all live": lambda: _deliveries(run, endpoints, 0, jobs, capacity),
        f"{dead} dead": lambda: _deliveries(run, endpoints, dead, jobs, capacity),
    }
    interleave(run.rounds, sides, row, run.say)
    row.want(f"{dead} dead", "all live", 0.9)
    return row


# What comes before it has settled by then: also that the webhook before has arrived, which is written down.
PAUSE_US = 2_000


def arrival(run: Run) -> Row:
    row = Row(
        "arrival", "from a job's end to its webhook's arrival, idle", "µs",
        note="The job is called off over the API, so that the measuring program knows when it ended. "
        f"Nothing has happened for {PAUSE_US // 1_000} ms before each of all these.",
    )  # fmt: skip
    count = run.count(1_000, 200)

    def tcp() -> float:
        port = free_port()
        with running(on(SERVER_CORE, LOAD / "latency", "echo", str(port)), port):
            return latency("tcp", PAUSE_US, port, count)["p50_us"]

    def job(data: Path | None) -> float:
        with dubhook(data=data) as (port, _):
            # It keeps the only worker, so that no program is started and stopped while the others are measured.
            _submit(port, 1, "--connections", 1)
            return latency("job", PAUSE_US, port, free_port(), count)["p50_us"]

    def durable() -> float:
        with _data() as data:
            return job(data)

    def sync() -> float:
        with _data() as data:
            return latency("sync", PAUSE_US, data, count, core=SERVER_CORE)["p50_us"]

    sides = {"in memory": lambda: job(None), "durable": durable, "TCP round trip": tcp, "one fdatasync": sync}
    interleave(run.rounds, sides, row, run.say)
    row.want_at_most("3 × TCP round trip, in memory", row.ratio("in memory", "TCP round trip"), 3)
    sides_of_rounds = zip(row.figures["durable"], row.figures["one fdatasync"], row.figures["TCP round trip"], strict=True)
    row.want_at_most("3 × TCP round trip and one fdatasync, durable", statistics.median((d - s) / t for d, s, t in sides_of_rounds), 3)
    return row


IDLE = 10_000


def idle(run: Run) -> Row:
    connections = run.count(IDLE, 500)
    row = Row("idle", f"`GET /status`, 64 connections, beside {connections:,} idle ones", "requests/s")

    def measure(*options: str | int) -> float:
        with SERVERS["dubhook"]() as port:
            return run.rate(port, *options)

    sides = {"with them": lambda: measure("--idle", connections), "without": lambda: measure()}
    interleave(run.rounds, sides, row, run.say)
    row.want("with them", "without", 0.97)
    return row


def shards(run: Run) -> Row:
    row = Row(
        "shards", "`GET /healthz` on two cores, load included: one server, or two that share nothing", "requests/s",
        note="Two shards are two servers, each on one core beside the load of the other. Both cores are busy either way, so "
        "this shows what sharding would cost, not what it would gain on more cores.",
    )  # fmt: skip
    places = [(SERVER_CORE, LOAD_CORE), (LOAD_CORE, SERVER_CORE)]

    def measure(count: int) -> float:
        with ExitStack() as stack:
            servers = [(stack.enter_context(dubhook(core=server))[0], at) for server, at in places[:count]]
            options = ("--path", "/healthz", "--seconds", run.seconds, "--warmup", min(1.0, run.seconds / 3))
            with ThreadPoolExecutor() as pool:
                loads = [pool.submit(load, port, *options, core=at) for port, at in servers]
                return sum(each.result()["rate"] for each in loads)

    interleave(run.rounds, {"two": lambda: measure(2), "one": lambda: measure(1)}, row, run.say)
    row.want("two", "one", 0.9)
    return row


def memory(run: Run) -> Row:
    row = Row("memory", "resident memory", "bytes")
    jobs, connections = run.count(1_000_000, 10_000), run.count(IDLE, 500)
    with dubhook(capacity=1_000_000) as (port, process):
        row.add("at start, room for 1,000,000 jobs", at_start := resident_bytes(process))
        _submit(port, jobs, "--pipeline", 16)
        row.add(f"each of {jobs:,} jobs", per_job := (resident_bytes(process) - at_start) / jobs)
    with dubhook(capacity=1_000_000) as (port, process):
        _submit(port, 100)
        before = resident_bytes(process)
        held: list[socket.socket] = []
        for _ in range(connections):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(b"GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n")
            client.recv(4096)
            held.append(client)
        row.add(f"each of {connections:,} idle connections", per_connection := (resident_bytes(process) - before) / connections)
        for client in held:
            client.close()
    for side, figures in row.figures.items():
        run.say(f"{row.key:20} {side:44} {figures[0]:14,.0f} bytes")
    row.want_at_most("600 B for each job", per_job, 600)
    row.want_at_most("20 MB at start", at_start, 20e6)
    row.want_at_most("10 KiB for each idle connection", per_connection, 10 * 1_024)
    return row


def program(run: Run) -> Row:
    row = Row("program", "the program", "")
    size = DUBHOOK.stat().st_size
    row.add("bytes", size)
    for _ in range(run.rounds):
        with _data() as data:
            for side in ("ms until it listens, new directory", "ms until it listens, empty store"):
                command = on(SERVER_CORE, DUBHOOK, "serve", "--listen", f"127.0.0.1:{free_port()}", "--data", data)
                with started(command) as (ms, _):
                    row.add(side, ms)
    for side in row.figures:
        run.say(f"{row.key:20} {side:44} {row.median(side):14,.1f}")
    row.want_at_most("6 MB", size, 6e6)
    row.want_at_most("50 ms", row.median("ms until it listens, empty store"), 50)
    return row


def restart(run: Run) -> Row:
    jobs = run.count(500_000, 5_000)
    row = Row(
        "restart", "a start after a crash", "ms",
        note=f"{jobs:,} jobs that have not ended, of two records each, are submitted; the server is killed and started again. "
        "It listens once all of them are back.",
    )  # fmt: skip
    side = f"until it listens, {2 * jobs:,} records"
    with _data() as data:
        with dubhook(capacity=jobs, data=data) as (port, process):
            _submit(port, jobs)
            crash(process)
        for _ in range(run.rounds):
            with started(serving(free_port(), capacity=jobs, data=data)) as (ms, process):
                row.add(side, ms)
                crash(process)
    run.say(f"{row.key:20} {side:44} {row.median(side):14,.1f} ms")
    row.want_at_most("5 s", row.median(side), 5_000)
    return row


def video_up(run: Run) -> Row:
    size = run.count(1 << 30, 64 << 20)
    row = Row(
        "video_up", f"a video of {size >> 20:,} MiB goes up, one connection", "MB/s",
        note="dubhook syncs it to the disk, reads it again and takes its SHA-256 before it answers; nginx does none of that.",
    )  # fmt: skip
    with videos.home() as home:
        file = videos.video(home, size)

        def dubhook_up() -> float:
            with videos.dubhook(home) as port:
                return videos.transfer(port, "PUT", videos.announce(port, file), file)

        def nginx_up() -> float:
            with videos.nginx(home) as port:
                rate = videos.transfer(port, "PUT", "/v.mp4", file)
            (home / "files/v.mp4").unlink()
            return rate

        interleave(run.rounds, {"dubhook": dubhook_up, "nginx": nginx_up}, row, run.say)
    return row


def video_down(run: Run) -> Row:
    size = run.count(1 << 30, 64 << 20)
    row = Row("video_down", f"a video of {size >> 20:,} MiB comes down, one connection", "MB/s")
    with videos.home() as home, ExitStack() as stack:
        file = videos.video(home, size)
        os.link(file, home / "files/v.mp4")
        ports = {"dubhook": stack.enter_context(videos.dubhook(home)), "nginx": stack.enter_context(videos.nginx(home))}
        path = videos.announce(ports["dubhook"], file)
        videos.transfer(ports["dubhook"], "PUT", path, file)
        paths = {"dubhook": f"{path}/content", "nginx": "/v.mp4"}
        sides = {name: lambda name=name: videos.transfer(ports[name], "GET", paths[name], file) for name in ports}
        interleave(run.rounds, sides, row, run.say)
    return row


ROWS: dict[str, Callable[[Run], Row]] = {
    row.__name__: row
    for row in (status, pipelined, read, submit, webhooks, receivers, arrival, idle, shards, memory, program, restart, video_up, video_down)
}
__all__ = ["JOB", "ROWS", "Run"]
