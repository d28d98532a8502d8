"""Sound -> timed sentences: by Whisper, or by pocketsphinx where Whisper's model is not to be had."""

import os
import sys
from dataclasses import dataclass
from typing import List, Optional

from dub_video import languages, sentences
from dub_video.failure import Failure
from dub_video.job import primary_subtag
from dub_video.media import SAMPLE_RATE
from dub_video.model import ModelMissing, whisper_folder
from dub_video.report import Advance
from dub_video.sentences import Timed

NO_SPEECH = "No speech was found in the video's sound, so there is nothing to translate."


@dataclass(frozen=True)
class Speech:
    language: str
    sentences: List[Timed]


def recogniser():
    """The best one there is. DUB_RECOGNISER=whisper or =sphinx insists on one."""
    wanted = os.environ.get("DUB_RECOGNISER")
    if wanted != "sphinx":
        try:
            return Whisper()
        except (ImportError, ModelMissing, OSError, RuntimeError) as error:
            if wanted == "whisper":
                raise Failure(f"Whisper cannot be used on the server: {error}.") from None
            print(f"note: Whisper cannot be used ({error}); pocketsphinx is, and hears much less well", file=sys.stderr)
    try:
        return Sphinx()
    except ImportError:
        raise Failure("No speech recogniser is installed on the server: run install.sh there.") from None


class Whisper:
    name = "Whisper"

    def __init__(self):
        os.environ["HF_HUB_OFFLINE"] = "1"  # the model is on this disk; never ask a hub for it
        from faster_whisper import WhisperModel

        # int8: some 19 times faster than float32 on the machine where it was measured, with the same words
        self._model = WhisperModel(str(whisper_folder()), device="cpu", compute_type="int8",
                                   cpu_threads=min(4, os.cpu_count() or 1))

    def listen(self, samples, source: Optional[str], target: str, advance: Advance) -> Speech:
        """What is said, in the language it is said in."""
        return self._run("transcribe", samples, source, target, advance)

    def in_english(self, samples, source: str, advance: Advance) -> List[Timed]:
        """What is said, translated by Whisper itself."""
        return self._run("translate", samples, source, "en", advance).sentences

    def _run(self, task: str, samples, source: Optional[str], target: str, advance: Advance) -> Speech:
        sound = samples.astype("float32") / 32768
        segments, info = self._model.transcribe(
            sound, task=task, language=source and primary_subtag(source), beam_size=5, word_timestamps=True,
            vad_filter=True,  # without it Whisper makes up words for silence and noise
            condition_on_previous_text=False)  # a mistake then stays in its own half minute
        words = []
        for segment in segments:  # each is recognised only now, as it is asked for
            if segment.words and not words:
                languages.check_pair(info.language, target)  # before minutes are spent on the rest
            words += [Timed(float(word.start), float(word.end), word.word) for word in segment.words or ()]
            advance(segment.end / info.duration)
        found = sentences.group(words)
        if not found:
            raise Failure(NO_SPEECH)
        return Speech(info.language, found)


class Sphinx:
    name = "pocketsphinx"

    def __init__(self):
        import pocketsphinx

        self._sphinx = pocketsphinx

    def listen(self, samples, source: Optional[str], target: str, advance: Advance) -> Speech:
        if source and primary_subtag(source) != "en":
            raise Failure(f"Only English speech can be recognised on this server, not {source!r}.")
        languages.check_pair("en", target)  # it knows no other language, and cannot tell when it hears one
        import io

        decoder = self._sphinx.Decoder(samprate=float(SAMPLE_RATE), loglevel="FATAL")
        found = []
        for part in self._sphinx.Segmenter(sample_rate=SAMPLE_RATE).segment(io.BytesIO(samples.tobytes())):
            decoder.start_utt()
            decoder.process_raw(part.pcm, full_utt=True)
            decoder.end_utt()
            heard = decoder.hyp()
            if heard and heard.hypstr:
                # It gives bare words; a pause is the only sign of a sentence's end.
                found.append(Timed(part.start_time, part.end_time, heard.hypstr.capitalize() + "."))
            advance(part.end_time * SAMPLE_RATE / len(samples))
        if not found:
            raise Failure(NO_SPEECH)
        return Speech("en", found)

    def in_english(self, samples, source: str, advance: Advance) -> List[Timed]:
        raise Failure("Only English speech can be recognised on this server.")
