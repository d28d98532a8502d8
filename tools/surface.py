#!/usr/bin/env python3
"""Counts what a crate shows to others: its public types, methods and functions, by module.

    surface.py JSON [--types-max N] [--unused SOURCE FOLDER...]

JSON is what `rustdoc --output-format json` writes of the crate. With `--types-max` it ends with status 1 if there are more
public types. With `--unused` it says which of them, and which of their methods, nobody needs who imports the crate in the
Rust files under the FOLDERs, apart from those under SOURCE, the crate's own.

A type is needed if it is named outside, or if something that is used outside has it in its signature.
"""

import argparse
import collections
import json
import pathlib
import re
import sys

TYPES = ("struct", "enum", "union", "type_alias", "trait")
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A `use` of the crate, or a path that begins with its name.
COMMENT = re.compile(r"//[^\n]*")


class Surface:
    """All that can be named from outside, by the shortest path that leads there."""

    def __init__(self, text: str):
        crate = json.loads(text)
        self.format = crate["format_version"]
        self.index = crate["index"]
        self.name = self.index[str(crate["root"])]["name"]
        # By id, all paths that lead to an item: it may be handed on by several modules.
        self.paths: dict[str, list[str]] = collections.defaultdict(list)
        self.walk(str(crate["root"]), [])

    def kind(self, key: str) -> str:
        return next(iter(self.index[key]["inner"]))

    def inner(self, key: str):
        return next(iter(self.index[key]["inner"].values()))

    def walk(self, root: str, path: list[str]) -> None:
        work = [(root, path)]
        while work:
            key, path = work.pop()
            for child in map(str, self.inner(key)["items"]):
                if child not in self.index:
                    continue
                kind, name = self.kind(child), self.index[child]["name"]
                if kind == "use":
                    use = self.inner(child)
                    target = str(use["id"])
                    if target not in self.index:
                        continue
                    if use["is_glob"]:
                        work.append((target, path))
                        continue
                    child, kind, name = target, self.kind(target), use["name"]
                if kind == "module":
                    work.append((child, [*path, name]))
                elif kind in (*TYPES, "function", "constant", "static"):
                    self.paths[child].append("::".join([*path, name]))

    def types(self) -> list[str]:
        return [key for key in self.paths if self.kind(key) in TYPES]

    def path(self, key: str) -> str:
        return min(self.paths[key], key=lambda path: (path.count("::"), path))

    def methods(self, key: str) -> dict[str, str]:
        """The public methods that a type has of its own, by name."""
        inner = self.inner(key)
        if self.kind(key) == "trait":
            items = [inner["items"]]
        else:
            impls = (self.inner(str(i)) for i in inner.get("impls", []) if str(i) in self.index)
            items = [found["items"] for found in impls if found["trait"] is None]
        keys = [str(item) for group in items for item in group if str(item) in self.index]
        return {
            self.index[item]["name"]: item
            for item in keys
            if self.kind(item) == "function" and self.index[item]["visibility"] in ("public", "default")
        }

    def mentioned(self, value) -> set[str]:
        """The ids of the types that a piece of a description mentions."""
        found, work = set(), [value]
        while work:
            value = work.pop()
            if isinstance(value, dict):
                if "resolved_path" in value:
                    found.add(str(value["resolved_path"]["id"]))
                work.extend(value.values())
            elif isinstance(value, list):
                work.extend(value)
        return found & self.paths.keys()

    def parts(self, key: str) -> dict[str, str]:
        """The fields and variants of a type by id, and those of its variants."""
        inner, keys = self.inner(key), []
        kind = inner.get("kind", {})
        if isinstance(kind, dict):
            for shape in kind.values():
                keys += shape.get("fields", []) if isinstance(shape, dict) else shape
        for variant in map(str, inner.get("variants", [])):
            shape = self.inner(variant)["kind"]
            for fields in shape.values() if isinstance(shape, dict) else ():
                keys += fields["fields"] if isinstance(fields, dict) else fields
        return {str(k): self.index[str(k)]["name"] for k in keys if k is not None and str(k) in self.index}


def tree(text: str, prefix: str, found: set[str]) -> None:
    """Takes a `use` apart: `a::{b, c::D as E}` is `a::b` and `a::c::D`."""
    depth, start, pieces = 0, 0, []
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            pieces.append(text[start:place])
            start = place + 1
    for piece in [*pieces, text[start:]]:
        piece = piece.strip()
        if not piece:
            continue
        head, brace, rest = piece.partition("{")
        if brace:
            tree(rest.rpartition("}")[0], prefix + head.strip(), found)
        else:
            found.add(re.sub(r"(::self)?(\s+as\s+\w+)?$", "", prefix + piece))


def outside(crate: str, source: pathlib.Path, folders: list[str]) -> tuple[set[str], set[str]]:
    """The paths into the crate, and all words, of the files that import it."""
    paths, words = set(), set()
    files = {path for folder in folders for path in pathlib.Path(folder).rglob("*.rs")}
    for path in sorted(files):
        if source in path.parents or "target" in path.parts:
            continue
        text = COMMENT.sub("", path.read_text())
        words |= set(WORD.findall(text))
        imported: set[str] = set()
        for use in re.findall(rf"\buse\s+{crate}::([^;]*);", text):
            tree(use, "", imported)
        imported |= set(re.findall(rf"\b{crate}::((?:\w+::)*\w+)", text))
        # What is behind a module that was imported, whatever it is called here.
        for module in {*imported}:
            last = re.escape(module.rsplit("::", 1)[-1])
            imported |= {f"{module}::{rest}" for rest in re.findall(rf"\b{last}::((?:\w+::)*\w+)", text)}
        paths |= imported
    return paths, words


def needed(surface: Surface, paths: set[str], words: set[str]) -> tuple[set[str], set[str]]:
    """The types that are named outside, and those besides that what is used has in its signature."""
    named = {
        key
        for key in surface.paths
        if any(path in paths or any(p.startswith(f"{path}::") for p in paths) for path in surface.paths[key])
    }
    found, work = set(named), list(named)
    while work:
        key = work.pop()
        inner = surface.inner(key)
        if surface.kind(key) not in TYPES:
            mentions = surface.mentioned(inner)
        else:
            used = [item for name, item in surface.methods(key).items() if name in words]
            used += [item for item, name in surface.parts(key).items() if name in words or name.isdigit()]
            mentions = {m for item in used for m in surface.mentioned(surface.inner(item))}
            if surface.kind(key) == "type_alias":
                mentions = surface.mentioned(inner)
        work += mentions - found
        found |= mentions
    return named, found - named


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("json", type=pathlib.Path)
    parser.add_argument("--types-max", type=int)
    parser.add_argument("--unused", nargs="+", metavar=("SOURCE", "FOLDER"))
    options = parser.parse_args()

    surface = Surface(options.json.read_text())
    types = surface.types()
    rooms = collections.Counter(surface.path(key).split("::")[0] for key in types)
    methods = sum(len(surface.methods(key)) for key in types)
    functions = sum(surface.kind(key) == "function" for key in surface.paths)
    print(f"{surface.name}: {len(types)} public types, {methods} methods, {functions} functions")
    print("types by room: " + ", ".join(f"{room} {count}" for room, count in sorted(rooms.items())))

    if options.unused:
        source, *folders = options.unused
        paths, words = outside(surface.name, pathlib.Path(source), folders)
        named, reached = needed(surface, paths, words)
        unused = [key for key in surface.paths if key not in named | reached]
        report("nobody outside names them, nor does what is used mention them", surface, unused)
        report("not named outside, but in the signature of something that is used", surface, reached)
        print("\n# methods of types that are needed, whose name is nowhere outside")
        for key in sorted(named | reached, key=surface.path):
            idle = sorted(surface.methods(key).keys() - words) if surface.kind(key) in TYPES else []
            if idle:
                print(f"{surface.path(key)}: {', '.join(idle)}")

    if options.types_max is not None and len(types) > options.types_max:
        print(f"more public types than {options.types_max}", file=sys.stderr)
        return 1
    return 0


def report(title: str, surface: Surface, keys) -> None:
    print(f"\n# {title}: {len(keys)}")
    for line in sorted(f"{surface.path(key)} ({surface.kind(key).replace('_', ' ')})" for key in keys):
        print(line)


if __name__ == "__main__":
    sys.exit(main())
