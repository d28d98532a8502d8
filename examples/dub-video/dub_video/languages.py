"""What can be translated from English, by which routes, and who speaks it."""

from dataclasses import dataclass, replace
from typing import Optional, Tuple

from dub_video.failure import Failure
from dub_video.job import primary_subtag

Route = Tuple[str, ...]  # Apertium modes, one after the other


@dataclass(frozen=True)
class Language:
    name: str
    iso639_2: str  # what mp4 wants
    espeak: str  # voice
    pico: Optional[str] = None  # voice; sounds better, where there is one
    routes: Tuple[Route, ...] = ()  # from English


# There is no pair straight from English to most of these, so the way leads through Spanish or Catalan. Where there are
# two ways, each sentence takes the one that leaves fewer words untranslated.
LANGUAGES = {
    "es": Language("Spanish", "spa", "es", "es-ES", (("eng-spa",), ("eng-cat", "cat-spa"))),
    "fr": Language("French", "fra", "fr-fr", "fr-FR", (("eng-cat", "cat-fra"), ("eng-spa", "es-fr"))),
    "it": Language("Italian", "ita", "it", "it-IT", (("eng-cat", "cat-ita"), ("eng-spa", "spa-ita"))),
    "pt": Language("Portuguese", "por", "pt", None, (("eng-spa", "es-pt"), ("eng-cat", "cat-por"))),
    "ca": Language("Catalan", "cat", "ca", None, (("eng-cat",),)),
    # espeak-ng has no Galician voice; the Portuguese one reads it understandably.
    "gl": Language("Galician", "glg", "pt", None, (("en-gl",),)),
    # No route: Whisper itself translates speech of any language it knows into English.
    "en": Language("English", "eng", "en-us", "en-US"),
}
REGIONS = {
    "pt-BR": replace(LANGUAGES["pt"], espeak="pt-br", routes=(("eng-spa", "es-pt_BR"), ("eng-cat", "cat-por_BR"))),
    # pico speaks Spanish of Spain only, and still is the easier voice to listen to: only its stand-in changes.
    "es-419": replace(LANGUAGES["es"], espeak="es-419"),
}


def target_language(tag: str) -> Language:
    """The language to speak: by region where that makes a difference, else by the tag's first part."""
    primary, *rest = tag.split("-")
    for subtag in rest:
        if regional := REGIONS.get(f"{primary.lower()}-{subtag.upper()}"):
            return regional
    try:
        return LANGUAGES[primary.lower()]
    except KeyError:
        offered = ", ".join(sorted(LANGUAGES))
        raise Failure(f"There is no translation into {tag!r} here; the languages are {offered}.") from None


def check_pair(source: Optional[str], target: str) -> None:
    """Refuse a pair that cannot work. Called with what the job claims, and again with what was heard."""
    if source is None:
        return
    source, target = primary_subtag(source), primary_subtag(target)
    if source == target:
        raise Failure(f"The speech is in the language asked for already ({source}), so there is nothing to translate.")
    if source != "en" and target != "en":
        raise Failure(f"The speech is in {source!r}, and only English can be translated into {target!r}.")


# Names of spoken languages that have no entry above, in the form that mp4 wants; only players show them.
_ALSO_HEARD = {"de": "deu", "nl": "nld", "pl": "pol", "ru": "rus", "uk": "ukr", "tr": "tur", "ar": "ara", "hi": "hin",
               "zh": "zho", "ja": "jpn", "ko": "kor", "sv": "swe", "da": "dan", "fi": "fin", "cs": "ces", "ro": "ron"}


def iso639_2(code: str) -> str:
    known = LANGUAGES.get(code)
    return known.iso639_2 if known else _ALSO_HEARD.get(code, "und")
