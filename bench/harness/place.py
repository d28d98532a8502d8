"""Where things are, and on which cores they run."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BUILT = TARGET / "bench"  # what run.sh builds
DUBHOOK = TARGET / "release" / "dubhook"
PEERS = BUILT / "peers" / "release"
LOAD = BUILT / "load"
PYTHON = BUILT / "venv" / "bin" / "python"

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = _CORES[0]
LOAD_CORE = _CORES[1]


def on(core: int, *command: str | Path) -> list[str]:
    """The command, pinned to a core."""
    return ["taskset", "-c", str(core), *map(str, command)]


def output(*command: str) -> str:
    """What a command says, or nothing if it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return (done.stdout + done.stderr).strip()


def machine() -> list[tuple[str, str]]:
    """What the figures were measured on."""
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    sections = [
        ("processor", f"{cpu.group(1) if cpu else platform.machine()}, {len(_CORES)} cores used"),
        ("memory", f"{int(memory.group(1)) / 2**20:.0f} GiB" if memory else ""),
        ("system", f"{system.group(1) if system else ''}, Linux {platform.release()}"),
        ("compilers", f"{output('rustc', '--version')}, {output('gcc', '--version').splitlines()[0]}"),
        ("dubhook", output("git", "-C", str(ROOT), "describe", "--always", "--dirty")),
        ("peers", ", ".join(_peers())),
    ]
    return [(name, text) for name, text in sections if text]


def _peers() -> list[str]:
    lock = (ROOT / "bench/peers/Cargo.lock").read_text()
    wanted = "actix-web axum hyper may_minihttp reqwest tokio".split()
    found = [
        f"{name} {version}"
        for name, version in re.findall(r'name = "(.*)"\nversion = "(.*)"', lock)
        if name in wanted
    ]
    found += re.findall(r"(?m)^((?:fastapi|uvicorn|uvloop|httptools)==\S+)", (ROOT / "bench/peers/requirements.txt").read_text())
    nginx = re.search(r"nginx/(\S+)", output("/usr/sbin/nginx", "-v"))
    return [name.replace("==", " ") for name in found] + ([f"nginx {nginx.group(1)}"] if nginx else [])
