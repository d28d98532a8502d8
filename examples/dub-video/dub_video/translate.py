"""English sentences -> sentences of another language, by Apertium's rules: understandable, seldom elegant, always offline."""

import re
from typing import List, Optional, Sequence

from dub_video import tools
from dub_video.failure import Failure
from dub_video.languages import Language, Route
from dub_video.report import Advance
from dub_video.sentences import sayable

TIME_LIMIT = 300  # seconds for one Apertium run over all sentences

# Apertium's English analysers know the long forms better, and take a hyphenated word for one unknown word.
_PLAIN = [(re.compile(pattern, re.IGNORECASE), long) for pattern, long in (
    (r"[’‘]", "'"),
    (r"(?<=\w)-(?=\w)", " "),
    (r"\bcan't\b", "cannot"),
    (r"\bwon't\b", "will not"),
    (r"\bshan't\b", "shall not"),
    (r"\blet's\b", "let us"),
    (r"n't\b", " not"),
    (r"'re\b", " are"),
    (r"\bI'm\b", "I am"),
    (r"'ll\b", " will"),
    (r"'ve\b", " have"),
    (r"\b(it|he|she|that|there|here|what|who|where|how)'s\b", r"\1 is"),
)]
# A word is marked * when it is not in the dictionary, @ when it has no translation, # when its form cannot be made.
_MARK = re.compile(r"(?<!\w)[*@#]+(?=\w)")


def expand(sentence: str) -> str:
    """Contractions and compounds written out: "I can't" -> "I cannot"."""
    for pattern, long in _PLAIN:
        sentence = pattern.sub(long, sentence)
    return re.sub(r"\s+", " ", sentence).strip()


def unknown_words(translated: str) -> int:
    return len(_MARK.findall(translated))


def tidy(translated: str) -> str:
    """Without Apertium's marks, and beginning with a capital letter."""
    plain = re.sub(r"\s+", " ", _MARK.sub("", translated)).strip()
    return plain[:1].upper() + plain[1:]


def best_of(candidates: Sequence[Sequence[str]]) -> List[str]:
    """For each sentence, the route's answer with the fewest unknown words; the earlier route where they are equal.

    Nothing where no route has an answer: Apertium makes nothing at all of some words, such as "Would", and of "Would?" a
    question mark.
    """
    answered = ([answer for answer in answers if sayable(answer)] for answers in zip(*candidates))
    return [tidy(min(answers, key=unknown_words)) if answers else "" for answers in answered]


def translate(sentences: Sequence[str], language: Language, advance: Advance) -> List[str]:
    plain = [expand(sentence) for sentence in sentences]
    candidates, problems = [], []
    for number, route in enumerate(language.routes, 1):
        try:
            candidates.append(_by_route(plain, route))
        except tools.ToolError as error:
            problems.append(str(error))
        advance(number / len(language.routes))
    if not candidates:
        raise Failure(f"The translation into {language.name} failed: {problems[0]}.")
    return best_of(candidates)


def warning(sentences: Sequence[str], translated: Sequence[str], language: Language) -> Optional[str]:
    """What to tell of sentences that could not be translated, if there are some."""
    lost = [sentence for sentence, text in zip(sentences, translated) if not text]
    if not lost:
        return None
    what = "A sentence" if len(lost) == 1 else f"{len(lost)} sentences"
    return f"{what} could not be translated into {language.name} and stayed as spoken: {'; '.join(lost)}"[:500]


def _by_route(sentences: Sequence[str], route: Route) -> List[str]:
    lines = list(sentences)
    for mode in route:
        out = tools.run(["apertium", mode], "\n".join(lines) + "\n", TIME_LIMIT)
        lines = out.removesuffix("\n").split("\n")
        # Apertium ends with status 0 and says nothing when a program of its pipeline is missing.
        if len(lines) != len(sentences):
            raise tools.ToolError(f"apertium {mode}", 0, b"not every sentence came back; a part of it may be missing")
        if not any(map(sayable, lines)):
            raise tools.ToolError(f"apertium {mode}", 0, b"it made nothing of any sentence; a part of it may be missing")
    return lines
