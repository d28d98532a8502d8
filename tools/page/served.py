"""The server whose page is used."""

from __future__ import annotations

import atexit
import os
import subprocess
import time
from pathlib import Path

from browser import Failed

# Where nobody else has a port that is given back for a moment.
ALONE = "127.77.0.1"
ROOT = Path(__file__).resolve().parents[2]

# The same bytes in a file of another name; no language but these, and only videos.
COPY = r"""job=$(cat); id=$DUBHOOK_JOB_ID
video=$(printf %s "$job" | sed -n 's/.*"video_url":"\([^"]*\)".*/\1/p')
case $video in
file://*) video=${video#file://} ;;
*) curl -sf -o "$DUBHOOK_OUTPUT_DIR/$id.in" "$video" && video=$DUBHOOK_OUTPUT_DIR/$id.in ;;
esac
to=$(printf %s "$job" | sed -n 's/.*"target_language":"\([^"]*\)".*/\1/p')
ffprobe -v error "$video" >/dev/null 2>&1 || { echo "This is not a video." >&2; exit 1; }
cp "$video" "$DUBHOOK_OUTPUT_DIR/$id.$to.mp4"
printf '1\n00:00:05,000 --> 00:00:09,000\n%s\n' "What is said" >"$DUBHOOK_OUTPUT_DIR/$id.$to.srt"
printf '{"progress":50}\n'; sleep 0.3
printf '{"output_url":"file://%s/%s.%s.mp4"}\n' "$DUBHOOK_OUTPUT_DIR" "$id" "$to"
"""


def translator() -> str:
    """What translates: what really dubs, where that is installed."""
    dub = ROOT / "examples/dub-video/dub"
    checked = subprocess.run([dub, "--check"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return str(dub) if checked.returncode == 0 else COPY


class Served:
    """`dubhook serve` with its data in a folder. It can be killed, and started again at the same address."""

    def __init__(self, home: Path, *more: str, command: str = "", variables: dict[str, str] | None = None) -> None:
        self.home = home
        self.more = more
        self.port = 0
        self.command = command or translator()
        self.variables = variables or {}
        home.mkdir()
        # Where something is not as it must be, nothing stays behind.
        atexit.register(self.kill)
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it listens."""
        program = os.environ["DUBHOOK"]
        self._child = subprocess.Popen(
            [program, "serve", "--listen", f"{ALONE}:{self.port}", "--data", self.home / "data", "--translator", "command",
             "--command", self.command, "--workers", "2", "--output", self.home / "output", *self.more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=(self.home / "log").open("ab"), text=True,
            env={**os.environ, **self.variables},
        )
        line = self._child.stdout.readline()
        if "listening on " not in line:
            raise Failed(f"the server does not listen: {(self.home / 'log').read_text()}")
        self.url = line.split("listening on ")[1].strip()
        self.port = int(self.url.rsplit(":", 1)[1])

    def kill(self) -> None:
        """Ends it as a loss of power would."""
        self._child.kill()
        self._child.wait()

    def received(self) -> int:
        """How many bytes of an upload that is not whole are there."""
        time.sleep(0.05)
        return max((part.stat().st_size for part in (self.home / "data/media/uploads").glob("*.part")), default=0)
