"""Sentences -> one sound track as long as the video, each sentence in the slot of the one it translates."""

import os
import re
import shutil
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING, AbstractSet, Callable, List, Sequence, Tuple

from dub_video import tools
from dub_video.languages import Language
from dub_video.media import SAMPLE_RATE
from dub_video.report import Advance
from dub_video.sentences import Timed

if TYPE_CHECKING:
    import numpy

TRACK_RATE = 22_050  # espeak-ng's own; pico's 16,000 is brought up to it
FASTEST = 1.8  # beyond this nobody can follow
BREATH = 0.05  # seconds of silence kept between two sentences
TIME_LIMIT = 120  # seconds for one sentence
_QUIET = 100  # of 32767, -50 dB: what counts as silence at either end of a spoken sentence


def tempo(spoken: float, slot: float) -> float:
    """How much faster something that takes `spoken` seconds must be said to fit into `slot`; never slower."""
    if spoken <= slot:
        return 1.0
    return min(spoken / slot, FASTEST) if slot > 0 else FASTEST


def slot(sentences: Sequence[Timed], index: int, free_from: float, duration: float) -> Tuple[float, float]:
    """When sentence `index` may begin and by when it should end: the next one's beginning, or the video's end.

    It begins where the original does, or later where the sentence before it is still being said.
    """
    start = min(max(sentences[index].start, free_from), duration)
    if index + 1 < len(sentences):
        return start, max(start, sentences[index + 1].start - BREATH)
    return start, duration


def speak(sentences: Sequence[Timed], language: Language, duration: float, scratch: Path, advance: Advance,
          original: Callable[[Timed], "numpy.ndarray"], untranslated: AbstractSet[int] = frozenset()):
    """The track (a numpy array of 16-bit samples), and the sentences with the times at which they are now said.

    Those that are untranslated are heard as they were said.
    """
    import numpy

    track = numpy.zeros(round(duration * TRACK_RATE), numpy.int16)
    said: List[Timed] = []
    free_from = 0.0
    for index, sentence in enumerate(sentences):
        start, latest = slot(sentences, index, free_from, duration)
        if index in untranslated:
            samples = original(sentence)[:round((latest - start) * TRACK_RATE)]
        else:
            samples = _say(sentence.text, language, latest - start, scratch)
        first = round(start * TRACK_RATE)
        if len(samples) > len(track) - first:
            lost = (len(samples) - (len(track) - first)) / TRACK_RATE
            print(f"note: the last {lost:.1f} s of the speech do not fit before the video's end", file=sys.stderr)
            samples = samples[:len(track) - first]
        track[first:first + len(samples)] = samples
        free_from = start + len(samples) / TRACK_RATE
        if len(samples):
            said.append(Timed(start, free_from, sentence.text))
        advance((index + 1) / len(sentences))
    return track, said


def voice_program(language: Language) -> str:
    """pico2wave where it has a voice and is installed, else espeak-ng. DUB_VOICE=espeak insists on the latter."""
    if language.pico and os.environ.get("DUB_VOICE") != "espeak" and shutil.which("pico2wave"):
        return "pico2wave"
    return "espeak-ng"


def _say(text: str, language: Language, room: float, scratch: Path):
    import numpy

    spoken, fitted = scratch / "spoken.wav", scratch / "fitted.s16"
    if voice_program(language) == "pico2wave":
        # pico reads <…> as mark-up
        tools.run(["pico2wave", "-l", language.pico, "-w", str(spoken), "--", re.sub(r"[<>&\\]", " ", text)],
                  time_limit=TIME_LIMIT)
    else:
        tools.run(["espeak-ng", "-v", language.espeak, "-s", "155", "-w", str(spoken), "--stdin"], text, TIME_LIMIT)
    with wave.open(str(spoken)) as source:
        rate = source.getframerate()
        samples = numpy.frombuffer(source.readframes(source.getnframes()), numpy.int16)
    samples = trim(samples)
    spoken.unlink()
    if not len(samples):  # a voice may make nothing of a word, either
        return samples
    faster = tempo(len(samples) / rate, room)
    plain = scratch / "trimmed.s16"
    samples.tofile(plain)
    tools.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", str(plain),
               "-af", f"atempo={faster:.4f}", "-ar", str(TRACK_RATE), "-f", "s16le", str(fitted)], time_limit=TIME_LIMIT)
    return numpy.fromfile(fitted, numpy.int16)


def original(sound, sentence: Timed):
    """A sentence as it was said, out of the video's sound, at the track's rate."""
    import numpy

    said = sound[round(sentence.start * SAMPLE_RATE):round(sentence.end * SAMPLE_RATE)]
    times = numpy.arange(0, len(said), SAMPLE_RATE / TRACK_RATE)
    return numpy.interp(times, numpy.arange(len(said)), said).astype(numpy.int16) if len(said) else said


def trim(samples):
    """Without the silence that voices put before and after what they say: it would use up the slot."""
    loud = abs(samples.astype("int32")) > _QUIET
    if not loud.any():
        return samples[:0]
    first = loud.argmax()
    last = len(loud) - loud[::-1].argmax()
    return samples[first:last]


def write_wav(track, path: Path) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(TRACK_RATE)
        out.writeframes(track.tobytes())
