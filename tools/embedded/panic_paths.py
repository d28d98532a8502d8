#!/usr/bin/env python3
"""Names the places in a linked program from which a panic can be reached.

    panic_paths.py PROGRAM

PROGRAM is `tests/no-panic` built with the feature `allow`, which lets the link succeed.
"""

import sys

import indirect
import program

HANDLER = "panic_path_left"


def helpers(functions: dict[int, program.Function]) -> set[int]:
    """The panic handler and the functions that do nothing but lead to it: none of them ever returns."""
    found = {f.address for f in functions.values() if HANDLER in f.name}
    while True:
        more = {
            f.address
            for f in functions.values()
            if f.address not in found
            and f.calls
            and not f.returns
            and not f.indirect_calls
            and all(target in found for _, target in f.calls)
        }
        if not more:
            return found
        found |= more


def main(path: str) -> int:
    functions = program.read(path)
    indirect.follow_constants(functions)
    panics = helpers(functions)
    found = set()
    looked_at = set(panics)
    while panics:
        # The standard library's functions that can panic are not at fault: their callers are.
        carriers = set()
        calls = [
            (function, address, functions[target])
            for function in functions.values()
            if function.address not in looked_at
            for address, target in function.calls
            if target in panics
        ]
        chains = program.places(path, [address for _, address, _ in calls])
        for (function, _, callee), chain in zip(calls, chains):
            own = [frame for frame in chain if frame[1] != "??" and "/library/" not in frame[1]]
            if own:
                name, place = own[0]
                found.add(f"{place}: in {name}: {callee.name}")
            else:
                carriers.add(function.address)
        looked_at |= carriers
        panics = carriers
    for line in sorted(found):
        print(line)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
