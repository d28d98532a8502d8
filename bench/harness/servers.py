"""The servers of `GET /status` that are compared, each on one core."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from place import BUILT, LOAD, PEERS, PYTHON, ROOT, SERVER_CORE, on
from process import dubhook, free_port, load, running

NGINX = """
daemon off; master_process off; pid {dir}/nginx.pid; error_log /dev/null;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /status {{
            default_type application/json; add_header cache-control no-store;
            return 200 '{{"status":"pending"}}';
        }}
    }}
}}
"""


def _plain(command: Callable[[int], list[str]]) -> Callable[[], AbstractContextManager[int]]:
    @contextmanager
    def start() -> Iterator[int]:
        port = free_port()
        with running(on(SERVER_CORE, *command(port)), port):
            yield port

    return start


def _nginx(port: int) -> list[str]:
    home = BUILT / "nginx"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "nginx.conf"
    config.write_text(NGINX.format(dir=home, port=port))
    return ["/usr/sbin/nginx", "-p", str(home), "-c", str(config)]


def _fastapi(port: int) -> list[str]:
    app = ["--app-dir", str(ROOT / "bench/peers"), "fastapi_server:app", "--no-access-log"]
    return [str(PYTHON), "-m", "uvicorn", *app, "--port", str(port), "--backlog", "4096"]


JOB = '{"video_url":"https://videos.example.test/v.mp4","target_language":"es"}'


@contextmanager
def _dubhook() -> Iterator[int]:
    body = BUILT / "job.json"
    body.write_text(JOB)
    with dubhook() as (port, _):
        # Before the first job there is no status to ask for.
        load(port, "--connections", 1, "--requests", 1, "--path", "/v1/translations", "--post", body)
        yield port


SERVERS: dict[str, Callable[[], AbstractContextManager[int]]] = {
    "dubhook": _dubhook,
    "epoll in C": _plain(lambda port: [str(LOAD / "server"), str(port)]),
    "may_minihttp": _plain(lambda port: [str(PEERS / "may-server"), str(port)]),
    "nginx": _plain(_nginx),
    "hyper": _plain(lambda port: [str(PEERS / "hyper-server"), str(port)]),
    "actix-web": _plain(lambda port: [str(PEERS / "actix-server"), str(port)]),
    "axum": _plain(lambda port: [str(PEERS / "axum-server"), str(port)]),
    "FastAPI": _plain(_fastapi),
}


def wrk(port: int, seconds: float) -> float:
    """What wrk makes of a server, to see whether our own load generator is the faster one."""
    from place import LOAD_CORE, output

    said = output(*on(LOAD_CORE, "wrk", "-t1", "-c64", f"-d{max(1, round(seconds))}", f"http://127.0.0.1:{port}/status"))
    for line in said.splitlines():
        if line.startswith("Requests/sec:"):
            return float(line.split()[1])
    raise subprocess.SubprocessError(f"wrk: {said}")
