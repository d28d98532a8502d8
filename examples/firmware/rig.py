"""What the host's side of each program needs: a board that can be switched off, and somebody to tell."""

import base64
import dataclasses
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).parent
PATIENCE_S = 300


class Program:
    """A program under way, whose lines can be waited for."""

    def __init__(self, command: list, name: str, echo: bool = True):
        self.name = name
        self.echo = echo
        self.lines: list[str] = []
        self.changed = threading.Condition()
        # A group of its own: the board is a shell script's child until the script becomes it.
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            if self.echo:
                print(f"[{self.name}] {line}", end="", flush=True)
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait_for(self, text: str, count: int = 1) -> None:
        """Waits until a text was in so many lines."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.count(text) >= count, PATIENCE_S):
                raise SystemExit(f"{self.name} did not say '{text}' {count} times")

    def count(self, text: str) -> int:
        return sum(text in line for line in self.lines)

    def kill(self) -> None:
        """Pulls the plug."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> None:
        """Asks it to end, and waits until it has."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)


def board(program: str, ports: str, **settings: object) -> Program:
    words = [f"{name}={value}" for name, value in settings.items()]
    return Program([HERE / "board.sh", program, ports, *words], pathlib.Path(program).name)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def request(url: str, method: str = "GET", body: object = None, headers: dict | None = None):
    """One request; (status, body), with (0, b"") for none."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    fields = {"content-type": "application/json", **(headers or {})}
    try:
        ask = urllib.request.Request(url, data, fields, method=method)
        with urllib.request.urlopen(ask, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read()
    except OSError:
        return 0, b""


def curl(url: str, body: object) -> dict:
    """Posts JSON with curl, as often as it takes to be answered."""
    command = ["curl", "-sS", "--fail-with-body", "--retry", "20", "--retry-all-errors", "--retry-delay", "1"]
    command += ["--max-time", "10", "-H", "content-type: application/json", "-d", json.dumps(body), url]
    # The same key each time: a job whose acceptance was lost is not made twice.
    command += ["-H", f"idempotency-key: {os.urandom(8).hex()}"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        raise SystemExit(f"curl: {answer.stdout} {answer.stderr}")
    return json.loads(answer.stdout)


def until(what: str, holds) -> None:
    """Waits until something holds that nothing tells of."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"in vain waited until {what}")
        time.sleep(0.05)


def fetch(url: str) -> dict:
    """The JSON that stands there, asked for as often as it takes: packets get lost."""
    answer = (0, b"")

    def answered() -> bool:
        nonlocal answer
        answer = request(url)
        return answer[0] == 200

    until(f"{url} answers", answered)
    return json.loads(answer[1])


def sign(secret: str, identity: str, seconds: int, body: bytes) -> str:
    """A signature as Standard Webhooks has it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{identity}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()


def webhook_headers(secret: str, identity: str, body: bytes) -> dict[str, str]:
    seconds = int(time.time())
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(seconds),
        "webhook-signature": sign(secret, identity, seconds, body),
    }


@dataclasses.dataclass
class Told:
    identity: str
    kind: str
    job: dict
    body: bytes
    headers: dict[str, str]

    def is_signed_with(self, secret: str) -> bool:
        expected = sign(secret, self.identity, int(self.headers["webhook-timestamp"]), self.body)
        return expected in self.headers["webhook-signature"].split()


class Receiver:
    """Is told of jobs over HTTP, and keeps all of it."""

    def __init__(self, port: int = 0):
        told: list[Told] = []
        self.told = told

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                event = json.loads(body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                told.append(Told(headers["webhook-id"], event["type"], event["data"], body, headers))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, job: str) -> list[Told]:
        """What was told of a job, each event once, in the order of arrival."""
        seen = {}
        for told in self.told:
            if told.job["id"] == job:
                seen.setdefault(told.identity, told)
        return list(seen.values())


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"FAILED: {what}")
    print(f"holds: {what}", flush=True)


def main(function) -> None:
    """Runs a program's check with the words of the command line."""
    programs: list[Program] = []
    original = Program.__init__

    def remember(self, *words, **settings):
        original(self, *words, **settings)
        programs.append(self)

    Program.__init__ = remember
    try:
        function(*sys.argv[1:])
    finally:
        for program in programs:
            if program.process.poll() is None:
                program.kill()
