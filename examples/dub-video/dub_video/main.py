"""One job from standard input to its output file: the order of the work and how much of the progress each part is."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from dub_video import assemble, fetch, languages, media, recognise, speak, tools, translate
from dub_video.failure import Failure
from dub_video.job import Job, read_job
from dub_video.report import Report, take_stdout
from dub_video.sentences import Timed

# Percent of the whole at which each stage begins, in the proportions in which a video of some minutes takes its time.
FETCH, EXTRACT, RECOGNISE, TRANSLATE, SPEAK, ASSEMBLE, DONE = 0, 8, 10, 75, 78, 88, 99


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        return check()
    report = Report(take_stdout())
    try:
        job = read_job(sys.stdin.read())
        with Scratch(output_folder()) as scratch:
            output = dub(job, scratch, report)
        report.progress(100)
        report.output(output.as_uri())
        return 0
    except Failure as failure:
        print(one_line(str(failure)), file=sys.stderr)
    except ImportError as error:
        print(f"The dubbing tools are not fully installed on the server ({error}): run install.sh there.", file=sys.stderr)
    except OSError as error:  # a full disk, most likely
        print(f"The server could not do it: {one_line(str(error)).rstrip('.')}.", file=sys.stderr)
    except Exception as error:  # a bug or a broken tool: the log gets the whole story, the person its last line
        traceback.print_exc()
        print(f"The dubbing failed unexpectedly: {one_line(str(error)).rstrip('.')}.", file=sys.stderr)
    return 1


def dub(job: Job, workplace: "Scratch", report: Report) -> Path:
    language = languages.target_language(job.target_language)
    languages.check_pair(job.source_language, job.target_language)
    output = workplace.beside / f"{job.file_stem}.mp4"
    scratch = workplace.path

    source = media.probe(fetch.fetch(job.video_url, scratch, report.stage(FETCH, EXTRACT)))
    media.check_dubbable(source)
    sound = media.extract_sound(source, scratch, report.stage(EXTRACT, RECOGNISE))

    recogniser = recognise.recogniser()
    if language.routes:
        speech = recogniser.listen(sound, job.source_language, job.target_language, report.stage(RECOGNISE, TRANSLATE))
        spoken = [sentence.text for sentence in speech.sentences]
        texts = translate.translate(spoken, language, report.stage(TRANSLATE, SPEAK))
        warning = translate.warning(spoken, texts, language)
        targets = [Timed(sentence.start, sentence.end, text) for sentence, text in zip(speech.sentences, texts)]
    else:  # into English: Whisper translates what it hears, so it hears it twice
        halfway = (RECOGNISE + TRANSLATE) // 2
        speech = recogniser.listen(sound, job.source_language, job.target_language, report.stage(RECOGNISE, halfway))
        targets = recogniser.in_english(sound, speech.language, report.stage(halfway, SPEAK))
        warning = None
    if warning:
        print(f"note: {warning}", file=sys.stderr)
        report.warning(warning)

    untranslated = {index for index, target in enumerate(targets) if not target.text}
    for index in untranslated:  # what was said stands in the subtitles, and its own voice is heard
        targets[index] = speech.sentences[index]
    track, said = speak.speak(targets, language, source.duration, scratch, report.stage(SPEAK, ASSEMBLE),
                              lambda sentence: speak.original(sound, sentence), untranslated)
    wav = scratch / "dubbed.wav"
    speak.write_wav(track, wav)
    assemble.assemble(source, wav, said, speech.sentences, language, languages.iso639_2(speech.language), scratch,
                      output, report.stage(ASSEMBLE, DONE), warning)
    return output


def output_folder() -> Path:
    name = os.environ.get("DUBHOOK_OUTPUT_DIR")
    if not name:
        raise Failure("DUBHOOK_OUTPUT_DIR is not set: dubhook sets it, and by hand it must be a folder to write to.")
    folder = Path(name).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def one_line(text: str) -> str:
    return " ".join(text.split())


class Scratch:
    """A hidden folder in the output folder, gone when the work ends in whatever way but SIGKILL.

    It is there and not in /tmp because the finished file can then be moved into place in one step, and because the place
    that must have room for the result has room for what leads to it.
    """

    def __init__(self, beside: Path):
        self.beside = beside

    def __enter__(self) -> "Scratch":
        self.path = Path(tempfile.mkdtemp(prefix=".dub-video-", dir=self.beside))
        self._remove_on_signals()
        return self

    def __exit__(self, *_) -> None:
        self.remove()

    def remove(self) -> None:
        for _ in range(5):  # the work may still be adding a file while the folder is being emptied
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                break

    def _remove_on_signals(self) -> None:
        """On SIGTERM, SIGINT or SIGHUP: stop the children, leave nothing behind, and go at once.

        Python runs a signal handler only between two of its own instructions, and one call into Whisper can take
        seconds, in which dubhook's patience may end with SIGKILL. So a thread does it, which the signal wakes through a
        pipe.
        """
        awake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # does nothing; but without it nothing is written to the pipe

        def watch() -> None:
            number = os.read(awake, 1)[0]
            tools.stop_all()
            self.remove()
            os._exit(128 + number)

        threading.Thread(target=watch, daemon=True).start()


def check() -> int:
    """`dub --check`: what is installed here, in one line for each part; 0 if videos can be dubbed."""
    fine = True
    try:
        print(f"recogniser: {recognise.recogniser().name}")
    except Failure as failure:
        fine = False
        print(failure)
    for program in ("ffmpeg", "ffprobe", "apertium", "espeak-ng"):
        if not shutil.which(program):
            fine = False
            print(f"missing: {program}")
    for tag, language in {**languages.LANGUAGES, **languages.REGIONS}.items():
        try:
            if language.routes:
                translate.translate(["This is a test."], language, lambda _: None)
            print(f"{tag}: {language.name}, spoken by {speak.voice_program(language)}")
        except Failure as failure:
            fine = False
            print(f"{tag}: {failure}")
    return 0 if fine else 1
