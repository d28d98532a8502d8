#!/usr/bin/env python3
"""Shows that `rooms.py` fires: plants in a copy, one after the other, what it must refuse."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent.parent
# Into which file, what is planted at its end, and what is to be said.
PLANTS = [
    (
        "core/src/event.rs",
        "use crate::job::Status as Planted;",
        "a circle between rooms",
    ),
    (
        "core/src/event.rs",
        "fn planted(_: &crate::service::Service<'_>) {}",
        "`event` imports upwards from `service`",
    ),
    (
        "core/src/http/mod.rs",
        "use super::{\n    delivery::{self as planted},\n};",
        "`http` imports upwards from `delivery`",
    ),
    (
        "core/src/lib.rs",
        "mod planted;",
        "the order does not say on which floor the room `planted` is",
    ),
    (
        "runtime-smol/src/deliver/pool.rs",
        "use crate::server::Server as Planted;",
        "`deliver` imports upwards from `server`",
    ),
    (
        "runtime-smol/src/server/engine.rs",
        "use super::pump as planted;",
        "a circle between files",
    ),
    # What is handed on by the face of a room is where it is defined.
    (
        "runtime-smol/src/net/readiness.rs",
        "use super::Stream as Planted;",
        "a circle between files",
    ),
]
# What no order is broken by.
HARMLESS = [
    ("core/src/event.rs", "// use crate::service::Service;"),
    ("core/src/event.rs", 'const PLANTED: &str = "crate::service::Service";'),
    (
        "core/src/event.rs",
        "#[cfg(test)]\nmod planted {\n    use crate::service::Service;\n}",
    ),
    (
        "core/src/event.rs",
        '#[cfg(all(test, feature = "hub"))]\nmod planted {\n    use crate::service::Service;\n}',
    ),
]


def say(root: pathlib.Path) -> tuple[int, str]:
    run = subprocess.run([HERE / "tools/rooms.py", root], capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        shutil.copy(HERE / "ARCHITECTURE.md", copy)
        for sources in ("core/src", "runtime-smol/src"):
            shutil.copytree(HERE / sources, copy / sources)
        (copy / "core/src/planted.rs").write_text("")
        for file, plant, expect in PLANTS + [(*harmless, None) for harmless in HARMLESS]:
            path = copy / file
            before = path.read_text()
            path.write_text(f"{before}\n{plant}\n")
            status, said = say(copy)
            path.write_text(before)
            if status != int(expect is not None) or (expect or "") not in said:
                print(f"planted in {file}, and not noticed as it should be:\n{plant}\n{said}", file=sys.stderr)
                return 1
    print(f"{len(PLANTS)} plants are noticed, {len(HARMLESS)} harmless ones are not")
    return 0


if __name__ == "__main__":
    sys.exit(main())
