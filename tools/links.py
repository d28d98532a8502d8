#!/usr/bin/env python3
"""Sees that what the Markdown files of the repository link to, or name as a file of it, is there."""

import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
NAMED = re.compile(r"`((?:\.ci|bench|core|docs|examples|runtime-smol|tests|tools)/[\w./-]+)`")


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "*.md"], check=True, capture_output=True, text=True).stdout.split()
    missing = []
    for page in map(pathlib.Path, listed):
        text = page.read_text()
        linked = [page.parent / link for link in LINK.findall(text) if "://" not in link]
        named = [pathlib.Path(name) for name in NAMED.findall(text)]
        missing += [f"{page}: there is no {path}" for path in linked + named if not path.exists()]
    print("\n".join(missing) if missing else "what the documents name is there", file=sys.stderr if missing else sys.stdout)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
