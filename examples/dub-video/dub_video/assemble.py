"""Picture, both sound tracks and both subtitles -> the mp4 that the asker gets."""

import os
from pathlib import Path
from typing import List, Optional, Sequence

from dub_video import media
from dub_video.languages import Language
from dub_video.media import Media
from dub_video.report import Advance
from dub_video.sentences import Timed
from dub_video.subtitles import srt

# What mp4 may hold and players play. All else is encoded again.
PICTURES = {"h264", "hevc", "av1", "mpeg4"}
SOUNDS = {"aac", "mp3", "ac3", "eac3"}


def assemble(source: Media, dubbed_wav: Path, said: Sequence[Timed], heard: Sequence[Timed], language: Language,
             heard_iso639_2: str, scratch: Path, output: Path, advance: Advance, warning: Optional[str] = None) -> None:
    """Write `output`, whole or not at all, and its subtitles beside it. A warning becomes its comment."""
    said_srt, heard_srt = scratch / "said.srt", scratch / "heard.srt"
    said_srt.write_text(srt(said), encoding="utf-8")
    heard_srt.write_text(srt(heard), encoding="utf-8")
    part = scratch / "finished.mp4"
    media.ffmpeg(arguments(source, dubbed_wav, said_srt, heard_srt, language, heard_iso639_2, part, warning),
                 source.duration, advance)
    check(media.probe(part), source.duration)
    # dubhook takes them where it takes the video. A video is never there without them.
    os.replace(said_srt, output.with_suffix(".srt"))
    os.replace(part, output)


def check(made: Media, duration: float) -> None:
    """What was promised must be in the file. If it is not, that is our mistake, so no Failure with advice."""
    kinds = [stream["codec_type"] for stream in made.streams]
    first_sound = next(stream for stream in made.streams if stream["codec_type"] == "audio")
    if made.picture is None or kinds.count("audio") != 2 or kinds.count("subtitle") != 2:
        raise RuntimeError(f"the finished file holds {', '.join(kinds)}")
    if not first_sound["disposition"]["default"]:
        raise RuntimeError("the dubbed track is not the finished file's default")
    if abs(made.duration - duration) > max(0.2, 0.02 * duration):
        raise RuntimeError(f"the finished file lasts {made.duration:.2f} s, the original {duration:.2f} s")


# H.264 in its usual form has a colour for each four points, so there must be an even number of them each way.
_EVEN = "scale=trunc((iw+1)/2)*2:trunc((ih+1)/2)*2"


def picture_arguments(source: Media) -> List[str]:
    """How the picture comes into the file: as it is, where mp4 can hold it."""
    described = next((s for s in source.streams if s.get("index") == source.picture_index), {})
    # AVI says in which order pictures are decoded and not when each is shown; where these differ (B-frames) the times of
    # a copy would run backwards. Its pictures have equal distances.
    is_reordered = source.container == "avi" and described.get("has_b_frames", 0) > 0
    if source.picture in PICTURES and not is_reordered:
        tag = ["-tag:v", "hvc1"] if source.picture == "hevc" else []  # the name under which Apple's players know it
        return ["-c:v", "copy", *tag]
    even = ["-vf", _EVEN] if described.get("width", 0) % 2 or described.get("height", 0) % 2 else []
    steady = ["-fps_mode", "cfr"] if is_reordered else []
    return ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", *even, *steady]


def arguments(source, dubbed_wav, said_srt, heard_srt, language, heard_iso639_2, part, warning=None) -> List[str]:
    comment = ["-metadata", f"comment={warning}"] if warning else []
    return [
        *media.input_of(source.path), "-i", str(dubbed_wav), "-i", str(said_srt), "-i", str(heard_srt),
        "-map", f"0:{source.picture_index}", "-map", "1:a", "-map", "0:a:0", "-map", "2:s", "-map", "3:s",
        *picture_arguments(source),
        "-filter:a:0", "loudnorm=I=-18:TP=-2", "-c:a:0", "aac", "-b:a:0", "96k", "-ar:a:0", "44100",
        "-c:a:1", "copy" if source.sound in SOUNDS else "aac",
        "-c:s", "mov_text",
        "-metadata:s:a:0", f"language={language.iso639_2}", "-metadata:s:a:0", f"handler_name={language.name} (dubbed)",
        "-metadata:s:a:1", f"language={heard_iso639_2}", "-metadata:s:a:1", "handler_name=Original",
        "-metadata:s:s:0", f"language={language.iso639_2}", "-metadata:s:s:1", f"language={heard_iso639_2}",
        "-disposition:a:0", "default", "-disposition:a:1", "0", "-disposition:s:0", "default", "-disposition:s:1", "0",
        *comment, "-movflags", "+faststart",  # a player can begin before it has the whole file
        "-t", f"{source.duration:.3f}", str(part),
    ]
