#!/usr/bin/env python3
"""Makes `docs/sizes.md` from built programs, and compares with `sizes.budget`.

    sizes.py FOLDER DUBHOOK [--accept | --only PART]
    sizes.py --features                     names the features that are weighed, a line each
"""

import dataclasses
import pathlib
import re
import subprocess
import sys

import program

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
FIRMWARE = ROOT / "examples" / "firmware"
BUDGET = HERE / "sizes.budget"
GROWTH_MAX = 0.02
PARTS = {
    "nothing": "nothing: start, fault handlers, one line on the console",
    "answers": "HTTP and JSON: a status is asked for and set",
    "http": "HTTP request and answer, signing and verifying",
    "events": "the event library: a door, 2 endpoints, 4 deliveries, nothing kept",
    "client": "the client machine",
    "server": "the server machine: 8 jobs, 4 webhooks, 16 deliveries, 2 connections",
    "device": "the same as the device profile: none of the features below",
    "lamp": "`lamp`: the client, smoltcp, the board",
    "door": "`door`: the event library, smoltcp, the board",
    "kiosk": "`kiosk`: the server, smoltcp, the board, sequential-storage",
}
# What the device profile leaves out, and a device can add: features of the core, as its `Cargo.toml` names them.
FEATURES = {
    "webhook-api": "webhooks made, changed and removed over HTTP",
    "webhook-api,redelivery": "the same, and what failed sent again",
    "webhook-api,lists": "the same, and lists of them, of translations and of attempts",
    "lists": "lists of translations alone",
    "idempotency": "`Idempotency-Key`",
    "records": "what is known written down, and put back after a restart",
    "problem-details": "sentences in problem documents",
    "guard": "the address guard",
    "language": "the grammar of language tags",
}
# What is made with other crates does the same as `answers`, and has no budget.
PEERS = {
    "answers": "`dubhook-core`: `http` and `json`",
    "edge-http": "`edge-http` 0.8.0, `serde-json-core` 0.6.0",
    "picoserve": "`picoserve` 0.20.1 with its `json`",
}
FIELDS = ("text", "rodata", "data", "bss", "frame")


@dataclasses.dataclass
class Size:
    text: int
    rodata: int
    data: int
    bss: int
    frame: int
    stack: int


def measure(folder: pathlib.Path, name: str, stack: int) -> Size:
    sections = dict.fromkeys(("text", "rodata", "data", "bss"), 0)
    text = program.run("llvm-readobj", "--sections", str(folder / name))
    for section, size in re.findall(r"Name: \.(\w+) .*?Size: (\d+)", text, re.DOTALL):
        if section in sections:
            sections[section] = int(size)
    frame = max(program.stack_sizes(str(folder / name)).values())
    return Size(**sections, frame=frame, stack=stack)


def deepest(text: str) -> int:
    """The stack that a program said it had used at most."""
    return max(int(number) for number in re.findall(r"stack bytes (\d+)", text))


def painted(folder: pathlib.Path, name: str, dubhook: str) -> int:
    """Runs a program to its end, or through its check, and reads how deep its stack has been."""
    if name in ("lamp", "door", "kiosk"):
        command = [FIRMWARE / f"{name}.py", folder / name, dubhook, "0"]
    else:
        command = [FIRMWARE / "board.sh", folder / name, "0:80"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")
    return deepest(done.stdout)


def table_rows(folder: pathlib.Path) -> list[tuple[str, int]]:
    """What each row of a table takes, as the program `rows` says on the board."""
    command = [str(FIRMWARE / "board.sh"), str(folder / "rows"), "0:80"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [(name, int(size)) for size, name in re.findall(r"^row (\d+) (.+?)\r?$", said, re.MULTILINE)]


def row(what: str, size: Size) -> str:
    figures = (size.text, size.rodata, size.data, size.bss, size.frame, size.stack)
    return f"| {what} | " + " | ".join(f"{figure:,}" for figure in figures) + " |"


def feature_row(name: str, device: Size, more: Size) -> str:
    figures = (more.text - device.text, more.rodata - device.rodata, more.bss - device.bss)
    return f"| `{name}` | {FEATURES[name]} | " + " | ".join(f"{figure:,}" for figure in figures) + " |"


def page(
    sizes: dict[str, Size],
    features: dict[str, Size],
    peers: dict[str, Size],
    table: list[tuple[str, int]],
) -> str:
    floor = sizes["nothing"]
    http, server, device, lamp = sizes["http"], sizes["server"], sizes["device"], sizes["lamp"]
    flash = lamp.text + lamp.rodata + lamp.data + 1_024
    ram = lamp.data + lamp.bss + lamp.stack
    rows = "\n".join(row(PARTS[name], size) for name, size in sizes.items())
    feature_rows = "\n".join(
        feature_row(name, device, features[f"server+{name}"]) for name in FEATURES
    )
    peer_rows = "\n".join(row(PEERS[name], size) for name, size in peers.items())
    table_text = "\n".join(f"| {name} | {size:,} |" for name, size in table)
    verdicts = "\n".join(
        f"| {what} | {limit:,} | {value:,} | {'yes' if value <= limit else '**no**'} |"
        for what, limit, value in (
            ("HTTP, signing and verifying: text, over nothing", 16 * 1_024, http.text - floor.text),
            ("HTTP, signing and verifying: largest frame", 1_024, http.frame),
            ("the server machine as the device profile: text, over nothing", 48 * 1_024, device.text - floor.text),
            ("the whole server machine: text, over nothing", 60_696, server.text - floor.text),
            ("`lamp`: flash (vectors, text, rodata, data)", 96 * 1_024, flash),
            ("`lamp`: RAM (data, bss, deepest stack seen)", 32 * 1_024, ram),
        )
    )
    return f"""# Sizes

What the core takes on a Cortex-M3 (`thumbv7m-none-eabi`, opt-level "z", fat LTO, and the flags of the firmware's
`.cargo/config.toml`: SHA-256 with its rounds in a loop, an inlining threshold of 25, functions of the same code linked as
one), in bytes. Made by `tools/embedded/sizes.sh`; edit that, not this. "Largest frame" is the compiler's figure for the whole
program, "deepest stack" what was seen by paint while it ran on the emulated board. Buffers that a program owns are in
`.bss`.

| program | .text | .rodata | .data | .bss | largest frame | deepest stack |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

## What each feature costs

What the server machine as the device profile has more with one feature of the core (`core/Cargo.toml`), in bytes. What two
features share is counted in both.

| feature | what it adds | .text | .rodata | .bss |
| --- | --- | ---: | ---: | ---: |
{feature_rows}

## Against what was aimed at

| what | at most | is | kept |
| --- | ---: | ---: | --- |
{verdicts}

## What each thing takes of RAM

Rows of the tables, in bytes, with what belongs to their slots: links, deadline, mark. What a machine has room for is the
embedder's choice; the last lines are what one more of each takes in the memory of fixed size, with the text, events and
streams that go with it.

| what | bytes |
| --- | ---: |
{table_text}

Per-connection state is at most 256 bytes plus the caller's buffers; the compiler checks that (`server/conn.rs`).

## Beside other crates

The same small server three times, built with the same flags and run on the same board: `GET /status` is answered with
JSON, `POST /status` with a JSON body sets what it answers, anything else is refused. The requests come out of memory, so
there is no network in any of them; what the first line of the first table weighs is in each.

| made with | .text | .rodata | .data | .bss | largest frame | deepest stack |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{peer_rows}

Equal are the requests, what is answered, the buffer of 1,024 bytes for a request, and one request on a connection. Not
equal: the two others are futures over a socket's traits, so they hold what drives a connection, and `picoserve` its
timeouts, which ours leaves to the `server` machine; ours writes a `Date`, refuses what `picoserve` lets through (a second
`Content-Length`, bare line feeds, a missing `Host`), and checks the whole of a JSON text. JSON is read and written by
`serde-json-core` there and by `json` here.
{(HERE / "sizes.notes.md").read_text()}"""


def compare(sizes: dict[str, Size], accept: bool) -> list[str]:
    """What has grown too much; with `accept`, nothing has."""
    if accept:
        lines = [f"{name} " + " ".join(str(getattr(size, f)) for f in FIELDS) for name, size in sizes.items()]
        BUDGET.write_text("# program " + " ".join(FIELDS) + "\n" + "\n".join(lines) + "\n")
        return []
    grown = []
    for line in BUDGET.read_text().splitlines()[1:]:
        name, *figures = line.split()
        if name not in sizes:
            continue
        for field, figure in zip(FIELDS, figures):
            now = getattr(sizes[name], field)
            if now > int(figure) * (1 + GROWTH_MAX):
                grown.append(f"{name}: {field} has grown from {figure} to {now} bytes")
    return grown


def main(folder: str, dubhook: str = "", *options: str) -> int:
    if folder == "--features":
        print("\n".join(FEATURES))
        return 0
    where = pathlib.Path(folder)
    only = options[1:] if options[:1] == ("--only",) else ()
    sizes = {name: measure(where, name, painted(where, name, dubhook)) for name in only or PARTS}
    if only:
        return report(sizes, accept=False)
    peers = {
        name: sizes[name] if name in sizes else measure(where, name, painted(where, name, dubhook))
        for name in PEERS
    }
    # What a feature adds is weighed and not run.
    features = {f"server+{name}": measure(where, f"server+{name}", 0) for name in FEATURES}
    (ROOT / "docs" / "sizes.md").write_text(page(sizes, features, peers, table_rows(where)))
    for name, size in peers.items():
        print(name, size)
    return report(sizes | features, "--accept" in options)


def report(sizes: dict[str, Size], accept: bool) -> int:
    for name, size in sizes.items():
        print(name, size)
    grown = compare(sizes, accept)
    for line in grown:
        print(line, file=sys.stderr)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
