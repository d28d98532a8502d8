#!/usr/bin/env python3
"""The host's side of `kiosk`: has it translate, pulls its plug in the middle, and misses nothing.

    kiosk.py PROGRAM.elf DUBHOOK LOSS_PERCENT

`curl` submits jobs; they are told of to `dubhook listen`, which verifies, and to a callback here, which
compares every event's number. The board is switched off twice, at moments when jobs are under way.
"""

import json
import tempfile

import rig

JOB_MS = 2_000


def main(program: str, dubhook: str, loss_percent: str) -> None:
    folder = tempfile.TemporaryDirectory(prefix="kiosk-")
    port = rig.free_port()
    url = f"http://127.0.0.1:{port}/v1/translations"

    def switch_on() -> rig.Program:
        ports, flash = f"{port}:80", f"{folder.name}/flash"
        board = rig.board(program, ports, flash=flash, job_ms=JOB_MS, loss=loss_percent)
        board.wait_for("kiosk: ready")
        return board

    board = switch_on()
    receiver = rig.Receiver()
    listen = [dubhook, "listen", "--server", f"http://127.0.0.1:{port}", "--json"]
    listen += ["--host", "10.0.2.2", "--bind", "127.0.0.1", "--port", rig.free_port()]
    listener = rig.Program(listen, "listen", echo=False)
    listener.wait_for("told at")

    lossless = loss_percent == "0"
    jobs = []

    def submit(number: int) -> None:
        for _ in range(number):
            job = {"video_url": f"https://video.test/{len(jobs)}.mp4", "target_language": "es"}
            job["callback_url"] = f"http://10.0.2.2:{receiver.port}/"
            jobs.append(rig.curl(url, job))

    def in_the_middle(job: dict) -> bool:
        kinds = [told.kind for told in receiver.of(job["id"])]
        return "translation.processing" in kinds and "translation.completed" not in kinds

    ended = lambda job: receiver.of(job["id"])[-1:] and receiver.of(job["id"])[-1].kind == "translation.completed"

    def is_under_way() -> bool:
        # Over a lossy cable its start may be told only with its end: then another one is tried, while the board has room.
        if ended(jobs[-1]) and len(jobs) < 7:
            submit(1)
        return in_the_middle(jobs[-1])

    for _ in range(2):
        submit(2)
        rig.until("a job is under way", is_under_way)
        board.kill()
        print("kiosk: the plug is pulled", flush=True)
        board = switch_on()
    submit(1)
    rig.until("every job's end is told", lambda: all(ended(job) for job in jobs))

    for job in jobs:
        told = receiver.of(job["id"])
        sequences = [event.job["sequence"] for event in told]
        rig.check(sequences == sorted(set(sequences)), f"{job['id']}: events {sequences}, in order")
        # Progress gives way to newer progress where the network is slow; nothing else is ever left out.
        turns = [event.kind.removeprefix("translation.") for event in told if "progress" not in event.kind]
        runs = turns.count("processing")
        rig.check(
            turns == ["pending", "processing"] * runs + ["completed"]
            and (not lossless or sequences == list(range(1, len(told) + 1))),
            f"{job['id']}: {turns}, none missing",
        )
        rig.check(
            all(event.is_signed_with(job["callback_secret"]) for event in told),
            f"{job['id']}: all signed with its callback's secret",
        )
        listener.wait_for(f'"sequence":{sequences[-1]},"status":"completed"')
        heard = [json.loads(line)["data"] for line in listener.lines if job["id"] in line]
        # A listener that was not told for a while asks, and is then past what it would have been told.
        numbers = [event["sequence"] for event in heard]
        rig.check(
            numbers == (sequences if lossless else sorted(set(numbers))),
            f"{job['id']}: `dubhook listen` was told {numbers}",
        )
    restarted = [job for job in jobs if sum(t.kind == "translation.processing" for t in receiver.of(job["id"])) > 1]
    rig.check(bool(restarted) or not lossless, "jobs that were under way were begun anew")
    shown, cursor = [], ""
    while cursor is not None:
        # The board's answers are short, so the list may have several pages.
        page = rig.fetch(f"{url}?cursor={cursor}" if cursor else url)
        shown, cursor = shown + page["data"], page.get("next_cursor")
    rig.check(
        {job["id"] for job in shown} == {job["id"] for job in jobs}
        and all(job["status"] == "completed" for job in shown),
        "the list shows every job, completed",
    )
    listener.interrupt()
    rig.until("its webhook is gone", lambda: rig.fetch(url.replace("translations", "webhooks"))["data"] == [])


rig.main(main)
