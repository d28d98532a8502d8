"""An object store for the page: `s3s-fs`, behind what adds the rule by which browsers may use it (CORS)."""

from __future__ import annotations

import atexit
import http.client
import os
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from browser import Failed
from served import ALONE

KEY = ("AKIATESTOFDUBHOOK", "the-secret-of-the-tests")
BUCKET = "media"
PIECE = 1 << 16
# What the rule in docs/operating.md allows.
METHODS = "PUT"
FIELDS = "x-amz-checksum-sha256"


class Store:
    """A store that runs, with one empty bucket. `asked` has the method, the path and the fields of each request of a browser."""

    def __init__(self, home: Path) -> None:
        (home / BUCKET).mkdir(parents=True)
        self.allowed = ""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        # How many parts are cut off before they are answered.
        self.cuts = 0
        with socket.socket() as free:
            free.bind((ALONE, 0))
            self.behind = free.getsockname()[1]
        self._child = subprocess.Popen(
            [os.environ["S3S_FS"], "--host", ALONE, "--port", str(self.behind), "--access-key", KEY[0], "--secret-key", KEY[1], home],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(home / "log").open("wb"),
        )
        atexit.register(self.close)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((ALONE, self.behind)).close()
                break
            except OSError:
                if time.monotonic() > end:
                    raise Failed("the object store does not listen") from None
                time.sleep(0.02)
        store = self

        class Front(Passing):
            of = store

        self._front = Listening((ALONE, 0), Front)
        threading.Thread(target=self._front.serve_forever, daemon=True).start()
        self.url = f"http://{ALONE}:{self._front.server_port}"

    def variables(self) -> dict[str, str]:
        """What a server is told of it in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": KEY[0], "AWS_SECRET_ACCESS_KEY": KEY[1], "AWS_ENDPOINT_URL": self.url, "AWS_REGION": "eu-west-1",
        }

    def allow(self, origin: str) -> None:
        """From now on pages of this origin may use it."""
        self.allowed = origin

    def close(self) -> None:
        """Ends it."""
        self._child.kill()
        self._child.wait()


class Listening(ThreadingHTTPServer):
    """Listens, and says nothing of browsers that go away."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """What is wrong is seen in the browser."""


class Passing(BaseHTTPRequestHandler):
    """Passes a request on to the store, which sees it as it came, for the signature is of it."""

    protocol_version = "HTTP/1.1"
    of: Store

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _rule(self) -> list[tuple[str, str]]:
        origin = self.headers.get("origin")
        if not origin or origin != self.of.allowed:
            return []
        return [("access-control-allow-origin", origin), ("vary", "origin")]

    def do_OPTIONS(self) -> None:
        """A browser asks what it may do."""
        rule = self._rule()
        self.send_response(200 if rule else 403)
        for name, value in rule:
            self.send_header(name, value)
        if rule:
            self.send_header("access-control-allow-methods", METHODS)
            self.send_header("access-control-allow-headers", FIELDS)
        self.send_header("content-length", "0")
        self.end_headers()

    def _pass(self) -> None:
        if "origin" in self.headers or "sec-fetch-mode" in self.headers:
            self.of.asked.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        left = int(self.headers.get("content-length", 0))
        if "partNumber=" in self.path and self.of.cuts > 0 and self.command == "PUT":
            self.of.cuts -= 1
            self.rfile.read(min(left, PIECE))
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        try:
            self._ask_behind(left)
        except (OSError, http.client.HTTPException):
            # A browser that seeks in a video goes away, and so does the store in the end.
            self.close_connection = True

    def _ask_behind(self, left: int) -> None:
        behind = http.client.HTTPConnection(ALONE, self.of.behind)
        behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                behind.putheader(name, value)
        behind.endheaders()
        while left > 0 and (piece := self.rfile.read(min(left, PIECE))):
            behind.send(piece)
            left -= len(piece)
        answer = behind.getresponse()
        self.send_response_only(answer.status)
        names = [name.lower() for name, _ in answer.getheaders()]
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        body = None
        if "content-length" not in names and self.command != "HEAD" and answer.status not in (204, 304):
            body = answer.read()
            self.send_header("content-length", str(len(body)))
        for name, value in self._rule() if self.command in METHODS else []:
            self.send_header(name, value)
        self.end_headers()
        if body is not None:
            self.wfile.write(body)
        while body is None and self.command != "HEAD" and (piece := answer.read(PIECE)):
            self.wfile.write(piece)
        behind.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass
