"""Timed words -> timed sentences: what is translated as one, spoken in one slot and shown as one subtitle."""

import re
from dataclasses import dataclass
from typing import Iterable, List

LONGEST_PAUSE = 1.5  # seconds inside one sentence; after more than that, what follows must not be spoken early
MOST_WORDS = 60  # for speech that a recogniser leaves without punctuation

_END = re.compile(r"[.!?…][\"'”’)\]]*$")
_ABBREVIATION = re.compile(r"\b(Mr|Mrs|Ms|Dr|St|Prof|Jr|Sr|vs|etc|e\.g|i\.e|[A-Z])\.$")


@dataclass(frozen=True)
class Timed:
    """A word or a sentence, with the seconds at which it begins and ends."""

    start: float
    end: float
    text: str


def group(words: Iterable[Timed]) -> List[Timed]:
    sentences, current = [], []
    for word in words:
        if current and (word.start - current[-1].end > LONGEST_PAUSE or len(current) >= MOST_WORDS):
            sentences.append(_join(current))
            current = []
        current.append(word)
        text = word.text.strip()
        if _END.search(text) and not _ABBREVIATION.search(text):
            sentences.append(_join(current))
            current = []
    if current:
        sentences.append(_join(current))
    return [sentence for sentence in sentences if sayable(sentence.text)]


def sayable(text: str) -> bool:
    """Whether there is a word in it, and not marks alone."""
    return re.search(r"\w", text) is not None


def _join(words: List[Timed]) -> Timed:
    # Whisper puts the space before the word, and none where there is none ("cold", "-hearted"): so no space is added.
    return Timed(words[0].start, words[-1].end, "".join(word.text for word in words).strip())
