"""The core alone, measured by `cargo bench`: no sockets, no disk, no clock."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

from place import LOAD_CORE, ROOT, TARGET, on

TITLES = {
    "status": "`GET /status`: request in, answer out",
    "status_pipelined_16": "sixteen of them, pipelined",
    "read": "`GET /v1/translations/{id}`",
    "submit": "`POST /v1/translations`, and the job is called off again",
    "job": "a job from submission to its third settled delivery; no bytes made",
    "job_rendered": "the same, each event rendered as JSON",
    "job_signed": "the same, each event a whole request, signed",
    "job_durable": "the same, and every change written as records",
    "event": "an event as a signed request",
    "event_again": "the same for a second endpoint",
    "verify": "a webhook's signature, checked",
}


def run_benches(quick: bool, say: Callable[[str], None]) -> None:
    say("core: cargo bench")
    options = ["--sample-size", "10", "--warm-up-time", "0.3", "--measurement-time", "0.5"] if quick else []
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET)}
    subprocess.run(
        on(LOAD_CORE, "cargo", "bench", "--quiet", "-p", "dubhook-tests", "--bench", "paths", "--bench", "scale", "--", *options),
        cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def median_ns(group: str, name: str) -> float:
    """What criterion estimated for one run."""
    path = TARGET / "criterion" / group / name / "new" / "estimates.json"
    return json.loads(path.read_text())["median"]["point_estimate"]


def paths() -> dict[str, float]:
    """Nanoseconds of each path."""
    return {name: median_ns("core", name) for name in TITLES}


def scale() -> dict[str, list[tuple[int, float]]]:
    """Nanoseconds of a job among many, and of a delivery among many endpoints."""
    jobs = [100, 1_000, 10_000, 100_000, 1_000_000]
    endpoints = [1, 10, 100, 1_000, 10_000]
    return {
        "a job, the oldest ends first": [(n, median_ns("jobs_oldest_first", str(n))) for n in jobs],
        "a job, any one ends": [(n, median_ns("jobs_in_any_order", str(n))) for n in jobs],
        "a signed delivery": [(n, median_ns("deliveries", str(n)) / (3 * n)) for n in endpoints],
    }
