"""What is in a media file, and its sound as plain samples."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

from dub_video import tools
from dub_video.failure import Failure
from dub_video.report import Advance

SAMPLE_RATE = 16_000  # what both recognisers want

# A hostile file can be a playlist that names other files or addresses of the server's network; ffmpeg would open them.
# So only true containers are read, and only from the disk.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpegts,mpeg,ogg,asf,mp3,wav,flac,aac"
_GUARD = ["-protocol_whitelist", "file,pipe", "-format_whitelist", _CONTAINERS]


@dataclass(frozen=True)
class Media:
    path: Path
    duration: float  # seconds
    picture: Optional[str]  # codec of the first moving picture
    picture_index: Optional[int]  # its stream; a cover image may come before it
    sound: Optional[str]  # codec of the first sound track
    sound_seconds: Optional[float]  # its own length, in the containers that say it
    streams: List[dict]  # as ffprobe tells them
    container: str = ""  # the format's name, as ffprobe tells it


def input_of(path: Path) -> List[str]:
    """The arguments that make ffmpeg read `path` as a file and nothing else."""
    return [*_GUARD, "-i", f"file:{path}"]


def probe(path: Path) -> Media:
    try:
        out = tools.run(["ffprobe", "-v", "error", *_GUARD, "-show_streams", "-show_format", "-of", "json", f"file:{path}"])
    except tools.ToolError as error:
        reason = error.reason.replace(f"file:{path}: ", "")
        raise Failure(f"The file is not a video that can be read: {reason}.") from None
    found = json.loads(out)
    streams = found["streams"]
    picture = next((s for s in streams if s["codec_type"] == "video" and not s["disposition"].get("attached_pic")), None)
    sound = next((s for s in streams if s["codec_type"] == "audio"), None)
    duration = _seconds(found["format"]) or max((last_packet(path, kind) for kind in ("v:0", "a:0")), default=0.0)
    return Media(path, duration,
                 picture and picture.get("codec_name", "unknown"), picture and picture["index"],
                 sound and sound.get("codec_name", "unknown"), sound and _seconds(sound), streams,
                 found["format"].get("format_name", ""))


def check_dubbable(media: Media) -> None:
    if media.picture is None and media.sound is None:
        raise Failure("The file is not a video that can be read: there is neither picture nor sound in it.")
    if media.picture is None:
        raise Failure("The file has sound but no moving picture, so it is not a video.")
    if media.sound is None:
        raise Failure("The video has no sound track, so there is nothing to translate.")
    if media.duration <= 0:
        raise Failure("The file is not a video that can be read: it lasts no time.")


def extract_sound(media: Media, scratch: Path, advance: Advance):
    """The first sound track as 16-bit mono samples (a numpy array) whose first one is at second 0 of the video."""
    import numpy

    raw = scratch / "sound.s16"
    try:
        # first_pts=0 puts silence before a track that begins later than the picture, so that times stay the video's.
        ffmpeg([*input_of(media.path), "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ac", "1",
                "-ar", str(SAMPLE_RATE), "-f", "s16le", str(raw)], media.duration, advance)
    except tools.ToolError as error:
        raise Failure(f"The video's sound track cannot be decoded: {error.reason}.") from None
    samples = numpy.fromfile(raw, numpy.int16)
    raw.unlink()
    check_whole(media, len(samples) / SAMPLE_RATE)
    return samples


def check_whole(media: Media, heard: float) -> None:
    """Refuse a file that says it is longer than what is in it: an upload or a download that broke off."""
    promised = media.sound_seconds or media.duration
    if heard >= 0.9 * promised - 1:
        return
    seen = last_packet(media.path, "v:0")  # the sound alone may well be short; then the picture goes on
    if media.sound_seconds is None and seen >= 0.9 * media.duration - 1:
        return
    raise Failure(f"The video breaks off after {max(heard, seen):.1f} of {media.duration:.1f} s: the file is not complete.")


def last_packet(path: Path, stream: str) -> float:
    """The time of the last packet that is really there."""
    out = tools.run(["ffprobe", "-v", "quiet", *_GUARD, "-select_streams", stream,
                     "-show_entries", "packet=pts_time", "-of", "csv=p=0", f"file:{path}"])
    times = (line.split(",")[0] for line in out.splitlines())
    return max((float(time) for time in times if time not in ("", "N/A")), default=0.0)


def ffmpeg(arguments: Sequence[str], seconds: float, advance: Advance) -> None:
    """Run ffmpeg on something that lasts `seconds`, and say how far it is."""

    def on_line(line: str) -> None:
        name, _, value = line.partition("=")
        if name == "out_time_us" and value.lstrip("-").isdigit() and seconds > 0:
            advance(int(value) / 1e6 / seconds)

    tools.run_lines(["ffmpeg", "-nostdin", "-v", "error", "-y", "-progress", "pipe:1", "-nostats", *arguments], on_line)


def _seconds(described: dict) -> Optional[float]:
    try:
        return float(described["duration"])
    except (KeyError, ValueError):
        return None
