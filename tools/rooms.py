#!/usr/bin/env python3
"""Holds the order of the house: imports point down, never up and never in a circle.

    rooms.py [ROOT]

`ARCHITECTURE.md` in ROOT says the order, in blocks that are fenced with ```rooms FOLDER```: one floor a line, the highest
first, with the rooms that are on it. A room is a module right below the root of the crate whose sources are in FOLDER. Where
the fence says `rooms FOLDER files`, no circle may be between files inside a room either.

A room may import from floors below its own, and from others of its own floor as long as that makes no circle. What only
tests import is looked over. Paths in code count like those in `use`, and a name that one module hands on from another leads
to the file where it is defined.
"""

import collections
import pathlib
import re
import sys

FENCE = re.compile(r"^```rooms (\S+)( files)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What is no code: comments, strings, characters. A lifetime is no character.
NO_CODE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(\#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?'(?:\\[^\n]*?|[^'\\\n])'""", re.DOTALL
)
TEST_ONLY = re.compile(r"#\[cfg\((?:test|all\(test, [^\n]*\))\)\]\s*(?:#\[[^\n]*\]\s*)*")
MODULE = re.compile(r"\bmod (\w+)\s*;")
USE = re.compile(r"\buse ([^;]+);")
PATH = re.compile(r"(?<![\w:])[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+")
DEFINED = re.compile(
    r"\b(?:struct|enum|union|trait|type|fn|const|static|mod|macro_rules!)\s+(?:r#)?([A-Za-z_]\w*)"
)


def code(text: str) -> str:
    """The code of a file without comments, strings and what only tests have."""
    text = NO_CODE.sub(lambda found: "''" if found.group()[-1] in "\"'" else " ", text)
    kept, start = [], 0
    for found in TEST_ONLY.finditer(text):
        if found.start() < start:
            continue
        kept.append(text[start : found.start()])
        start = end_of_item(text, found.end())
    return "".join(kept) + text[start:]


def end_of_item(text: str, start: int) -> int:
    """Where the item that begins at `start` ends: after its braces, or its semicolon."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at + 1
        elif text[at] == ";" and depth == 0:
            return at + 1
    return len(text)


def leaves(tree: str) -> list[tuple[str, ...]]:
    """The paths of a `use`, each as its parts; what it is renamed to is left out."""
    paths, stack, path = [], [], []
    for token in re.findall(r"\w+|::|[{},*]", re.sub(r"\s+as\s+\w+", "", tree)):
        if token == "{":
            stack.append(list(path))
        elif token in ",}":
            if path and path != (stack[-1] if stack else None):
                paths.append(tuple(path))
            path = list(stack[-1]) if stack else []
            if token == "}":
                stack.pop()
                path = list(stack[-1]) if stack else []
        elif token != "::":
            path.append(token)
    if path:
        paths.append(tuple(path))
    return [leaf[:-1] if leaf[-1] == "self" and len(leaf) > 1 else leaf for leaf in paths]


class Crate:
    """The modules of one crate, by their paths below its root."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.files, self.code = folder, {}, {}
        root = next(folder / name for name in ("lib.rs", "main.rs") if (folder / name).exists())
        work = [((), root)]
        # A package's program is a crate of its own; its modules are seen as if they were the library's.
        if (folder / "main.rs").exists() and root.name != "main.rs":
            work += [((name,), found) for name, found in self.children(folder, code((folder / "main.rs").read_text()))]
        while work:
            module, file = work.pop()
            self.files[module] = file
            self.code[module] = code(file.read_text())
            below = file.parent if file.name in ("lib.rs", "main.rs", "mod.rs") else file.with_suffix("")
            work += [(module + (name,), found) for name, found in self.children(below, self.code[module])]

    @staticmethod
    def children(folder: pathlib.Path, text: str):
        for name in MODULE.findall(text):
            for file in (folder / f"{name}.rs", folder / name / "mod.rs"):
                if file.exists():
                    yield name, file

    def paths(self, module):
        """Every path that a module's code names."""
        text = self.code[module]
        for tree in USE.findall(text):
            yield from leaves(tree)
        for path in PATH.findall(USE.sub(" ", text)):
            yield tuple(path.split("::"))

    def resolve(self, module, path, depth=8):
        """The module that defines what `path` names in `module`; none where it is no part of this crate."""
        head, rest = path[0], path[1:]
        if head == "crate":
            at = ()
        elif head == "self":
            at = module
        elif head == "super":
            at = module[:-1]
            while rest and rest[0] == "super":
                at, rest = at[:-1], rest[1:]
        elif module + (head,) in self.files:
            at, rest = module + (head,), rest
        else:
            return None
        while rest and at + (rest[0],) in self.files:
            at, rest = at + (rest[0],), rest[1:]
        if rest and depth and rest[0] not in DEFINED.findall(self.code[at]):
            for tree in USE.findall(self.code[at]):
                for leaf in leaves(tree):
                    if leaf[-1] == rest[0] and leaf != path:
                        found = self.resolve(at, leaf, depth - 1)
                        if found is not None and found != at:
                            return found
        return at

    def imports(self):
        """From each module to each other one that it imports, and by which path."""
        edges = collections.defaultdict(dict)
        for module in self.files:
            for path in self.paths(module):
                target = self.resolve(module, path)
                if target is not None and target != module:
                    edges[module].setdefault(target, "::".join(path))
        return edges

    def rooms(self):
        """The same between rooms, as the paths say it: what a room hands on is its own there."""
        edges = collections.defaultdict(dict)
        for module in self.files:
            for path in self.paths(module):
                if path[0] == "crate":
                    target = path[1:2]
                elif path[0] == "super":
                    ups = next((n for n, part in enumerate(path) if part != "super"), len(path))
                    target = (module[:-ups] + path[ups:])[:1]
                else:
                    continue
                if module and target != module[:1] and target in self.files:
                    edges[module[:1]].setdefault(target, f"{self.files[module].relative_to(self.folder)}: {'::'.join(path)}")
        return edges


def circle(edges):
    """A shortest circle, if there is one."""
    best = None
    for start in edges:
        before, work = {start: None}, collections.deque([start])
        while work:
            at = work.popleft()
            for target in edges.get(at, ()):
                if target == start:
                    found = [start]
                    while at is not None:
                        found.append(at)
                        at = before[at]
                    found.reverse()
                    if best is None or len(found) < len(best):
                        best = found
                    work.clear()
                    break
                if target not in before:
                    before[target] = at
                    work.append(target)
    return best


def check(root: pathlib.Path, folder: str, by_file: bool, floors: list[list[str]]) -> list[str]:
    crate = Crate(root / folder)
    wrong = []
    height = {room: -number for number, floor in enumerate(floors) for room in floor}
    for (room,) in sorted(module for module in crate.files if len(module) == 1):
        if room not in height:
            wrong.append(f"{folder}: the order does not say on which floor the room `{room}` is")
    for room in height:
        if (room,) not in crate.files:
            wrong.append(f"{folder}: there is no room `{room}`")
    between = crate.rooms()
    for (room,), targets in sorted(between.items()):
        for (target,), where in sorted(targets.items()):
            if height.get(target, 0) > height.get(room, 0):
                wrong.append(f"{folder}: `{room}` imports upwards from `{target}` ({where})")
    for edges, what in [(between, "rooms")] + ([(crate.imports(), "files")] if by_file else []):
        found = circle(edges)
        if found:
            wrong.append(f"{folder}: a circle between {what}:")
            for at, target in zip(found, found[1:]):
                name = "::".join(at) or "the root"
                wrong.append(f"  {name} imports {'::'.join(target) or 'the root'} ({edges[at][target]})")
    return wrong


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    blocks = FENCE.findall((root / "ARCHITECTURE.md").read_text())
    if not blocks:
        print("ARCHITECTURE.md says no order", file=sys.stderr)
        return 1
    wrong = []
    for folder, by_file, block in blocks:
        floors = [line.split() for line in block.splitlines() if line.strip()]
        wrong += check(root, folder, bool(by_file), floors)
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print("imports point down, and in no circle: " + ", ".join(folder for folder, _, _ in blocks))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
