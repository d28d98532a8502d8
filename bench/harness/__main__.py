"""Measures dubhook beside its peers; see bench/run.sh, which builds everything first."""

from __future__ import annotations

import argparse
import sys

import core
import report
from place import BUILT
from process import Failed
from rows import ROWS, Run
from shared import SHARED

ALL = ROWS | SHARED
GROUPS = {"shared": list(SHARED)}


def main() -> int:
    names = [*ALL, "core"]
    parser = argparse.ArgumentParser(prog="bench/run.sh")
    parser.add_argument("--only", metavar="ROW,…", default=",".join(names), help=f"of {', '.join([*names, *GROUPS])}")
    parser.add_argument("--rounds", type=int, help="5; with --quick 1")
    parser.add_argument("--seconds", type=float, help="of each measurement by time: 5; with --quick 0.5")
    parser.add_argument("--quick", action="store_true", help="little of everything: whether it works, not how fast it is")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    options = parser.parse_args()
    wanted = [name for only in options.only.split(",") for name in GROUPS.get(only, [only])]
    if unknown := set(wanted) - set(names):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    quick = options.quick
    run = Run(options.rounds or (1 if quick else 5), options.seconds or (0.5 if quick else 5), 0.01 if quick else 1, say)
    BUILT.mkdir(parents=True, exist_ok=True)
    rows, failed = [], False
    for name in (name for name in ALL if name in wanted):
        try:
            rows.append(ALL[name](run))
        except Failed as error:
            say(f"{name}: FAILED: {error}")
            failed = True
    alone: list[str] = []
    plot = ""
    if "core" in wanted:
        core.run_benches(quick, say)
        scale = core.scale()
        alone, plot = report.core_tables(core.paths(), scale), report.plot(scale)
    text = report.figures_text(rows, alone, run.rounds)
    print(text)
    if options.write and not failed:
        report.write(text)
        if plot:
            report.PLOT.write_text(plot)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
