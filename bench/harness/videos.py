"""Videos that go up and come down, beside nginx with the same file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from place import BUILT, DUBHOOK, LOAD_CORE, SERVER_CORE, on
from process import Failed, free_port, running

NGINX = """
daemon off; master_process off; pid {home}/nginx.pid; error_log /dev/null;
events {{ worker_connections 64; }}
http {{
    access_log off; sendfile on; tcp_nopush on; client_max_body_size 0;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    server {{ listen 127.0.0.1:{port}; root {home}/files; dav_methods PUT; }}
}}
"""


@contextmanager
def home() -> Iterator[Path]:
    """A directory on the disk on which the project lies."""
    path = BUILT / "videos"
    shutil.rmtree(path, ignore_errors=True)
    (path / "files").mkdir(parents=True)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def video(at: Path, size: int) -> Path:
    """A file of so many bytes, in memory by the time that it is sent."""
    path = at / "video"
    with Path("/dev/urandom").open("rb") as source, path.open("wb") as target:
        for _ in range(0, size, 1 << 20):
            target.write(source.read(1 << 20))
    return path


@contextmanager
def nginx(at: Path) -> Iterator[int]:
    """nginx, with what lies in `files`, into which may be put."""
    port = free_port()
    config = at / "nginx.conf"
    config.write_text(NGINX.format(home=at, port=port))
    with running(on(SERVER_CORE, "/usr/sbin/nginx", "-p", str(at), "-c", str(config)), port):
        yield port


@contextmanager
def dubhook(at: Path) -> Iterator[int]:
    """`dubhook serve`, with its media on that disk."""
    port = free_port()
    command = [DUBHOOK, "serve", "--listen", f"127.0.0.1:{port}", "--data", at / "data"]
    with running(on(SERVER_CORE, *command), port):
        yield port
    shutil.rmtree(at / "data")


def announce(port: int, file: Path) -> str:
    """Where the bytes of a file go."""
    new = json.dumps({"bytes": file.stat().st_size, "filename": "v.mp4"}).encode()
    request = Request(f"http://127.0.0.1:{port}/v1/uploads", new, {"content-type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return f"/v1/uploads/{json.load(answer)['id']}"


def transfer(port: int, method: str, path: str, file: Path) -> float:
    """Moves a file. How many MB a second."""
    script = Path(__file__).with_name("transfer.py")
    command = on(LOAD_CORE, sys.executable, script, str(port), method, path, file)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr or done.returncode}")
    return json.loads(done.stdout)["rate"] / 1e6
