#!/usr/bin/env python3
"""Says how much stack the functions of a linked program take, alone and with all that they call.

    frames.py PROGRAM --start FUNCTION --own PREFIX [--frame-max BYTES] [--path-max BYTES] [--aside FUNCTION]...

PROGRAM was built with `-Zemit-stack-sizes`. Ends with status 1 if a frame or a path is larger than
allowed, or if a function can come to call itself: then no stack is large enough. The functions that are
put aside are shown, and may be as large as they are.

A call through a register is followed to each function that it may go to: `indirect.py` says which. The functions of the
program itself, those whose name begins with `--own`, are called so by `--start` alone.
"""

import argparse
import sys

import indirect
import program

SHOWN = 10


def components(functions: dict[int, program.Function]) -> list[list[int]]:
    """The sets of functions that can call each other, callees first (Tarjan, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    result: list[list[int]] = []
    for root in functions:
        if root in index:
            continue
        work = [(root, iter(functions[root].calls))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, calls = work[-1]
            for _, target in calls:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(functions[target].calls)))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    caller = work[-1][0]
                    low[caller] = min(low[caller], low[node])
                if low[node] == index[node]:
                    component = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                    result.append(component)
    return result


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--start", required=True)
    parser.add_argument("--own", required=True)
    parser.add_argument("--frame-max", type=int)
    parser.add_argument("--path-max", type=int)
    parser.add_argument("--aside", action="append", default=[])
    options = parser.parse_args()

    functions = program.read(options.program)
    indirect.follow(options.program, functions, options.start, options.own)
    noted = program.stack_sizes(options.program)
    for function in functions.values():
        function.frame = noted.get(function.symbol, function.frame)
    if not noted:
        print("the program holds no stack sizes", file=sys.stderr)
        return 1

    failures = []
    deepest: dict[int, int] = {}
    below: dict[int, int] = {}
    for component in components(functions):
        node = component[0]
        calls = [target for _, target in functions[node].calls]
        if len(component) > 1 or node in calls:
            names = ", ".join(functions[address].name for address in component)
            failures.append(f"recursion: {names}")
        known = [target for target in calls if target in deepest]
        if known:
            below[node] = max(known, key=deepest.__getitem__)
        for address in component:
            deepest[address] = functions[address].frame + deepest.get(below.get(node), 0)

    aside = [f for f in functions.values() if f.name in options.aside]
    for function in aside:
        print(f"put aside: {function.frame} bytes, {deepest[function.address]} with all below, {function.name}")
        del functions[function.address], deepest[function.address]
    # It is the program's, and only there to call the others.
    for function in [f for f in functions.values() if f.name == options.start]:
        del functions[function.address], deepest[function.address]
    frames = sorted(functions.values(), key=lambda f: -f.frame)
    print("largest frames, bytes")
    for function in frames[:SHOWN]:
        print(f"{function.frame:8} {function.name}")
    node = max(deepest, key=deepest.__getitem__)
    path = deepest[node]
    print(f"deepest path, {path} bytes")
    while node is not None:
        print(f"{functions[node].frame:8} {functions[node].name}")
        node = below.get(node)

    if options.frame_max is not None and frames[0].frame > options.frame_max:
        failures.append(f"a frame is larger than {options.frame_max} bytes: {frames[0].name}")
    if options.path_max is not None and path > options.path_max:
        failures.append(f"the deepest path is larger than {options.path_max} bytes")
    if len(aside) < len(options.aside):
        failures.append("there is no such function to put aside")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
