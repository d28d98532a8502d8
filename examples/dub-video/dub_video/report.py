"""What dubhook reads on standard output: `{"progress":42}` as often as it changes, `{"output_url":"…"}` once.

A line `{"warning":"…"}` is passed over by dubhook; the warning is in the finished file too, as its comment.
"""

import json
import os
import sys
from typing import Callable, TextIO

Advance = Callable[[float], None]  # takes how much of a stage is done, 0.0 to 1.0


def take_stdout() -> TextIO:
    """Keep standard output for the report alone: whatever else prints (a C library, a child) goes to standard error."""
    sys.stdout.flush()
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return report


class Report:
    """Progress that never falls and never repeats itself, whatever the stages say."""

    def __init__(self, out: TextIO):
        self._out = out
        self._last = -1

    def progress(self, percent: float) -> None:
        whole = max(0, min(100, int(percent)))
        if whole > self._last:
            self._last = whole
            self._line({"progress": whole})

    def stage(self, first: int, last: int) -> Advance:
        """A function for one stage of the work that spans `first` to `last` percent of the whole."""
        self.progress(first)
        return lambda done: self.progress(first + (last - first) * max(0.0, min(1.0, done)))

    def output(self, url: str) -> None:
        self._line({"output_url": url})

    def warning(self, text: str) -> None:
        """Something that whoever looks at the result should know, though it is one."""
        self._line({"warning": text})

    def _line(self, message: dict) -> None:
        self._out.write(json.dumps(message, separators=(",", ":")) + "\n")
        self._out.flush()
