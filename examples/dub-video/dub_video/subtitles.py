"""Sentences -> SubRip text that can be read in time."""

import textwrap
from typing import Iterable, List

from dub_video.sentences import Timed

LINE = 42  # characters; the common limit for subtitles
CUE = 2 * LINE


def stamp(seconds: float) -> str:
    """3661.5 -> 01:01:01,500"""
    milliseconds = max(0, round(seconds * 1000))
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"


def cues(sentence: Timed) -> List[Timed]:
    """A long sentence cut into pieces of two lines, each shown for its share of the time."""
    pieces = _even_pieces(sentence.text)
    letters = sum(map(len, pieces))
    start, result = sentence.start, []
    for piece in pieces:
        end = start + (sentence.end - sentence.start) * len(piece) / letters
        result.append(Timed(start, end, "\n".join(_wrap(piece, LINE))))
        start = end
    return result


def _even_pieces(text: str) -> List[str]:
    """As few pieces as fit, of about the same length: no last cue with one word in it."""
    count = -(-len(text) // CUE)
    while True:
        width = min(CUE, -(-len(text) // count) + LINE // 4)
        pieces = _wrap(text, width)
        # Two lines of a piece break at words too, so a piece may need three: then more, shorter pieces.
        if all(len(_wrap(piece, LINE)) <= 2 for piece in pieces) or width <= LINE:
            return pieces
        count += 1


def _wrap(text: str, width: int) -> List[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def srt(sentences: Iterable[Timed]) -> str:
    numbered = enumerate((cue for sentence in sentences for cue in cues(sentence)), 1)
    return "\n".join(f"{number}\n{stamp(cue.start)} --> {stamp(cue.end)}\n{cue.text}\n" for number, cue in numbered)
