"""The whole program, as dubhook runs it, on the real sample and on what people send by mistake. Needs ./install.sh.

Nothing is skipped: what is not installed makes it fail.
"""

import functools
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent.parent / "tests" / "data" / "sample_en.mp4"
SAMPLE_SECONDS = 16.24


@dataclass
class Ended:
    status: int
    progress: List[int]
    output: Optional[Path]
    error: str  # the last line of standard error: what dubhook tells the asker


def tool(*command) -> str:
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout


def make(*arguments) -> None:
    tool("ffmpeg", "-v", "error", "-y", *map(str, arguments))


class Real(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.out = cls.folder / "out"
        cls.environment = {**os.environ, "DUBHOOK_OUTPUT_DIR": str(cls.out), "no_proxy": "*"}

    def start(self, job, **environment) -> subprocess.Popen:
        process = subprocess.Popen([HERE / "dub"], env={**self.environment, **environment}, start_new_session=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdin.write(job if isinstance(job, str) else json.dumps(job))
        process.stdin.close()
        process.stdin = None
        return process

    def dub(self, video, target="es", source=None, id="job_1", **environment) -> Ended:
        job = {"id": id, "status": "processing", "progress": 0, "video_url": str(video), "target_language": target,
               "source_language": source, "output_url": None, "error": None, "reference": None}
        return self.end(self.start(job, **environment))

    def end(self, process) -> Ended:
        out, err = process.communicate(timeout=300)
        said = [json.loads(line) for line in out.splitlines()]
        progress = [line["progress"] for line in said if "progress" in line]
        urls = [line["output_url"] for line in said if "output_url" in line]
        self.assertEqual(progress, sorted(set(progress)), "progress falls or repeats itself")
        self.assertEqual(len(urls), 1 if process.returncode == 0 else 0, err)
        self.assertEqual(list(self.out.glob(".*")), [], "something was left behind")
        output = Path(unquote(urlsplit(urls[0]).path)) if urls else None
        return Ended(process.returncode, progress, output, (err.strip().splitlines() or [""])[-1])

    def completed(self, ended: Ended, dubbed: str, original: str = "eng") -> dict:
        """Check all that holds for every finished file; its description comes back."""
        self.assertEqual(ended.status, 0, ended.error)
        self.assertEqual((ended.progress[0], ended.progress[-1]), (0, 100))
        self.assertGreater(len(ended.progress), 6)
        found = json.loads(tool("ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", ended.output))
        self.assertEqual(
            [(s["codec_type"], s["disposition"]["default"], s["tags"]["language"]) for s in found["streams"][1:]],
            [("audio", 1, dubbed), ("audio", 0, original), ("subtitle", 1, dubbed), ("subtitle", 0, original)])
        self.assertEqual(found["streams"][0]["codec_type"], "video")
        self.assertEqual([s["codec_name"] for s in found["streams"][3:]], ["mov_text", "mov_text"])
        beside = self.text(ended.output.with_suffix(".srt").read_text(encoding="utf-8"))
        self.assertEqual(beside, self.subtitles(ended.output, 0), "the subtitles beside the video are others")
        content = ended.output.read_bytes()
        self.assertLess(content.index(b"moov"), content.index(b"mdat"), "not made for a fast start")
        self.assertGreater(self.loudness(ended.output), -35, "the dubbed track is as good as silent")
        return found

    def lasts(self, found: dict, seconds: float) -> None:
        for part in (found["format"], *found["streams"][:3]):
            self.assertAlmostEqual(float(part["duration"]), seconds, delta=0.2)

    @staticmethod
    def loudness(path) -> float:
        report = subprocess.run(["ffmpeg", "-nostdin", "-i", path, "-map", "0:a:0", "-af", "volumedetect", "-f", "null", "-"],
                                check=True, capture_output=True, text=True).stderr
        return float(re.search(r"mean_volume: (-?[\d.]+) dB", report)[1])

    @staticmethod
    def subtitles(path, track) -> str:
        return Real.text(tool("ffmpeg", "-v", "error", "-i", path, "-map", f"0:s:{track}", "-f", "srt", "-"))

    @staticmethod
    def text(srt) -> str:
        return " ".join(line for line in srt.splitlines() if line and "-->" not in line and not line.isdigit())

    @staticmethod
    def packets(path, stream) -> str:
        return tool("ffmpeg", "-v", "error", "-i", path, "-map", stream, "-c", "copy", "-f", "md5", "-")


class Good(Real):
    def test_sample_into_spanish_and_back_into_english(self):
        ended = self.dub(SAMPLE.as_uri(), id="job_01k/ä")
        self.assertEqual(ended.output, self.out / "job_01k__.es.mp4")
        self.lasts(self.completed(ended, "spa"), SAMPLE_SECONDS)
        self.assertEqual(self.packets(ended.output, "0:v:0"), self.packets(SAMPLE, "0:v:0"), "the picture was changed")
        self.assertEqual(self.packets(ended.output, "0:a:1"), self.packets(SAMPLE, "0:a:0"), "the original sound was changed")
        heard, said = self.subtitles(ended.output, 1), self.subtitles(ended.output, 0)
        self.assertIn("had then leisure to consider how much there might be prudently in his power to do for them", heard)
        self.assertIn("entonces ocio para considerar", said)
        self.assertIn("No fue un hombre joven", said)
        # Its first track is Spanish now: other speech than English can be translated into English only.
        self.completed(self.dub(ended.output, "en", id="job_back"), "eng", "spa")
        refused = self.dub(ended.output, "fr")
        self.assertEqual((refused.status, refused.error),
                         (1, "The speech is in 'es', and only English can be translated into 'fr'."))

    def test_over_http_into_french(self):
        handler = functools.partial(QuietHandler, directory=SAMPLE.parent)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/{SAMPLE.name}"
            ended = self.dub(url, "fr", "en", DUB_ALLOW_PRIVATE="1")
            refused = self.dub(url, "fr")
            missing = self.dub(url + "x", "fr", DUB_ALLOW_PRIVATE="1")
            server.shutdown()
        self.lasts(self.completed(ended, "fra"), SAMPLE_SECONDS)
        self.assertRegex(refused.error, "^The video could not be downloaded: .* is not a public address")
        self.assertRegex(missing.error, "^The video could not be downloaded: the server answered 404 ")

    def test_every_other_language(self):
        for tag, code in [("it", "ita"), ("pt-BR", "por"), ("ca", "cat"), ("gl", "glg")]:
            with self.subTest(tag):
                self.lasts(self.completed(self.dub(SAMPLE, tag), code), SAMPLE_SECONDS)

    def test_the_stand_ins(self):
        ended = self.dub(SAMPLE, DUB_RECOGNISER="sphinx", DUB_VOICE="espeak")
        self.lasts(self.completed(ended, "spa"), SAMPLE_SECONDS)
        # not asked for, but all there is: still a video
        self.completed(self.dub(SAMPLE, DUB_WHISPER_DIR="/nowhere"), "spa")

    def test_other_containers_and_codecs(self):
        for name, codecs in [("v.webm", ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"]),
                             ("v.ts", ["-c", "copy"])]:
            video = self.folder / name
            make("-i", SAMPLE, *codecs, video)
            with self.subTest(name):
                self.lasts(self.completed(self.dub(video), "spa"), SAMPLE_SECONDS)

    def test_sound_that_begins_late_and_ends_early(self):
        video = self.folder / "late.mkv"
        make("-i", SAMPLE, "-itsoffset", "3", "-t", "7", "-i", SAMPLE, "-map", "0:v", "-map", "1:a", "-c:v", "copy",
             "-c:a", "libvorbis", video)
        ended = self.dub(video)
        self.completed(ended, "spa")
        found = json.loads(tool("ffprobe", "-v", "error", "-select_streams", "s", "-show_packets", "-of", "json", ended.output))
        first = min(float(packet["pts_time"]) for packet in found["packets"] if int(packet["size"]) > 2)
        self.assertAlmostEqual(first, 3.0, delta=0.5)

    def test_a_cover_picture_is_not_the_picture(self):
        cover, video = self.folder / "cover.png", self.folder / "cover.mp4"
        make("-i", SAMPLE, "-frames:v", "1", cover)
        make("-i", cover, "-i", SAMPLE, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", video)
        ended = self.dub(video)
        self.completed(ended, "spa")
        self.assertEqual(self.packets(ended.output, "0:v:0"), self.packets(SAMPLE, "0:v:0"))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def guess_type(self, path):
        return "video/mp4"

    def log_message(self, *_):
        pass


class Bad(Real):
    def refused(self, ended: Ended, sentence: str) -> None:
        self.assertNotEqual(ended.status, 0)
        self.assertRegex(ended.error, f"^{sentence}$")
        self.assertEqual(list(self.out.glob("*")), [])

    def test_not_a_video(self):
        for name, content in [("notes.mp4", b"Dear all,\nhere is the video.\n" * 100), ("empty.mp4", b""),
                              ("zeros.mp4", bytes(10_000)), ("page.mp4", b"<!doctype html><title>Log in</title>")]:
            path = self.folder / name
            path.write_bytes(content)
            with self.subTest(name):
                self.refused(self.dub(path), r"The file is not a video that can be read: .+\.")

    def test_a_playlist_opens_no_other_file(self):
        segment, playlist, concat = (self.folder / name for name in ("part.ts", "list.m3u8", "concat.txt"))
        make("-i", SAMPLE, "-c", "copy", segment)
        playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:17\n#EXTINF:16.2,\n{segment}\n#EXT-X-ENDLIST\n")
        concat.write_text(f"ffconcat version 1.0\nfile {segment.name}\n")
        for path in (playlist, concat):
            with self.subTest(path.name):
                self.refused(self.dub(path), r"The file is not a video that can be read: .+\.")

    def test_no_sound(self):
        path = self.folder / "mute.mp4"
        make("-i", SAMPLE, "-an", "-c", "copy", path)
        self.refused(self.dub(path), r"The video has no sound track, so there is nothing to translate\.")

    def test_no_picture(self):
        for name in ("sound.m4a", "sound.wav"):
            path = self.folder / name
            make("-i", SAMPLE, "-vn", "-t", "3", path)
            with self.subTest(name):
                self.refused(self.dub(path), r"The file has sound but no moving picture, so it is not a video\.")

    def test_no_speech(self):
        for name, source in [("silence", "anullsrc=r=44100:cl=mono"), ("noise", "anoisesrc=a=0.3:c=pink:seed=1")]:
            path = self.folder / f"{name}.mp4"
            make("-i", SAMPLE, "-f", "lavfi", "-i", source, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-t", "10", path)
            with self.subTest(name):
                self.refused(self.dub(path), r"No speech was found in the video's sound, so there is nothing to translate\.")

    def test_truncated(self):
        whole = SAMPLE.read_bytes()
        path = self.folder / "half.mp4"
        path.write_bytes(whole[:len(whole) // 2])
        self.refused(self.dub(path), r"The video breaks off after \d+\.\d of 16\.2 s: the file is not complete\.")
        path.write_bytes(whole[:1000])
        self.refused(self.dub(path), r"The file is not a video that can be read: .+\.")
        mkv = self.folder / "whole.mkv"
        make("-i", SAMPLE, "-c", "copy", mkv)
        path = self.folder / "half.mkv"
        path.write_bytes(mkv.read_bytes()[:mkv.stat().st_size // 2])
        self.refused(self.dub(path), r"The video breaks off after \d+\.\d of 16\.\d s: the file is not complete\.")

    def test_no_such_file(self):
        self.refused(self.dub("file:///nowhere/video.mp4"), r"The file /nowhere/video\.mp4 does not exist on the server\.")
        self.refused(self.dub(self.folder), r".+ is not a regular file\.")
        self.refused(self.dub("video.mp4"), r"The video's address must begin with .+\.")

    def test_languages(self):
        self.refused(self.dub(SAMPLE, "de"), r"There is no translation into 'de' here; the languages are ca, en, es, .+\.")
        self.refused(self.dub(SAMPLE, "fr", "de"), r"The speech is in 'de', and only English can be translated into 'fr'\.")
        self.refused(self.dub(SAMPLE, "en"), r"The speech is in the language asked for already \(en\), .+\.")

    def test_job_and_surroundings(self):
        self.refused(self.end(self.start("nonsense")), r"The job on standard input is not JSON: .+\.")
        self.refused(self.dub(SAMPLE, DUBHOOK_OUTPUT_DIR=""), r"DUBHOOK_OUTPUT_DIR is not set: .+\.")
        self.refused(self.dub(SAMPLE, DUBHOOK_OUTPUT_DIR="/proc/no"), r"The server could not do it: .+\.")
        self.refused(self.dub(SAMPLE, DUB_VENV="/nowhere"), r"The dubbing tools are not installed: run .+ first, .+\.")
        self.refused(self.dub(SAMPLE, DUB_RECOGNISER="whisper", DUB_WHISPER_DIR="/nowhere"), r"Whisper cannot be used .+\.")


class Canceled(Real):
    def test_at_any_stage_nothing_is_left(self):
        for percent in (0, 10, 11, 75, 80, 88):
            for whole_group in (True, False):
                with self.subTest(percent=percent, whole_group=whole_group):
                    self.cancel_at(percent, whole_group)

    def cancel_at(self, percent, whole_group):
        process = self.start({"id": "job_1", "video_url": str(SAMPLE), "target_language": "es"})
        for line in process.stdout:
            if json.loads(line).get("progress", 100) >= percent:
                break
        began = time.monotonic()
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)
        # 143, or 1 where a killed child was noticed before the signal was
        self.assertIn(process.returncode, (128 + signal.SIGTERM, 1))
        self.assertLess(time.monotonic() - began, 10, "it took its time to go")
        self.assertEqual(list(self.out.glob("*")) + list(self.out.glob(".*")), [])
        with self.assertRaises(ProcessLookupError, msg="a child lives on"):
            for _ in range(600):  # orphans that were killed still have to be buried by process 1
                os.killpg(process.pid, 0)
                time.sleep(0.05)


class Sound(unittest.TestCase):
    def test_trim(self):
        import numpy

        from dub_video.speak import trim

        samples = numpy.array([0, 5, -99, 101, 0, 0, -32768, 50, 0], numpy.int16)
        self.assertEqual(trim(samples).tolist(), [101, 0, 0, -32768])
        self.assertEqual(len(trim(numpy.zeros(9, numpy.int16))), 0)


if __name__ == "__main__":
    sys.exit(unittest.main())
