"""Other programs, run so that none outlives the job."""

import os
import signal
import subprocess
import tempfile
import threading
from typing import Callable, List, Optional, Sequence

from dub_video.failure import Failure

_running: List[subprocess.Popen] = []
_stopping = False
_starting = threading.Lock()  # between a child's birth and its entry in the list nobody may look at the list


class ToolError(Exception):
    """A program ended badly. `reason` is the last line that it wrote to standard error."""

    def __init__(self, program: str, status: int, stderr: bytes):
        lines = stderr.decode(errors="replace").strip().splitlines()
        self.reason = lines[-1].strip() if lines else f"exit status {status}"
        super().__init__(f"{program} ended with status {status}: {self.reason}")


def run(command: Sequence[str], text: Optional[str] = None, time_limit: Optional[float] = None) -> str:
    """Run a program to its end, with `text` on its standard input; its standard output comes back."""
    stdin = subprocess.PIPE if text is not None else subprocess.DEVNULL
    process = _start(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(text.encode() if text is not None else None, time_limit)
    except subprocess.TimeoutExpired:
        raise ToolError(command[0], -9, f"no answer within {time_limit:.0f} s".encode()) from None
    finally:
        _end(process)
    if process.returncode:
        raise ToolError(command[0], process.returncode, err)
    return out.decode(errors="replace")


def run_lines(command: Sequence[str], on_line: Callable[[str], None]) -> None:
    """Run a program and hand over its standard output line by line, as it comes."""
    with tempfile.TemporaryFile() as err:  # a file, not a pipe: nobody reads it before the end, and a pipe would fill up
        process = _start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err)
        try:
            for line in process.stdout:
                on_line(line.decode(errors="replace").strip())
            process.wait()
        finally:
            _end(process)
        if process.returncode:
            err.seek(0)
            raise ToolError(command[0], process.returncode, err.read())


def stop_all() -> None:
    """For the moment before this program ends early: what runs is killed and nothing new begins.

    Called by another thread than the one that runs programs, from a process that ignores SIGTERM by now.
    """
    global _stopping
    with _starting:
        _stopping = True
        running = list(_running)
    for process in running:
        process.kill()
        process.wait()
    if os.getpgrp() == os.getpid():  # ours alone, so this reaches children of children and nobody else
        os.killpg(os.getpgrp(), signal.SIGTERM)


def _start(command: Sequence[str], **pipes) -> subprocess.Popen:
    with _starting:
        if _stopping:
            raise SystemExit(1)
        # Children stay in our process group on purpose: dubhook cancels a job by killing the group.
        try:
            process = subprocess.Popen(command, **pipes)
        except FileNotFoundError:
            raise Failure(f"The program {command[0]} is not installed on the server: run install.sh there.") from None
        _running.append(process)
    return process


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
    _running.remove(process)
