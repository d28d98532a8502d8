"""What can be tested with nothing but Python: no ffmpeg, no recogniser, no voice, no numpy."""

import http.server
import io
import json
import os
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

from dub_video import assemble, fetch, job, languages, media, report, sentences, speak, subtitles, tools, translate
from dub_video.failure import Failure
from dub_video.sentences import Timed


def nothing(_done):
    pass


class Jobs(unittest.TestCase):
    GOOD = {"id": "job_01k", "video_url": "/v.mp4", "target_language": "es", "source_language": None, "reference": None}

    def test_good(self):
        read = job.read_job(json.dumps(self.GOOD))
        self.assertEqual((read.id, read.target_language, read.source_language), ("job_01k", "es", None))

    def test_bad(self):
        for change, words in [
            ({"id": ""}, "no id"),
            ({"video_url": None}, "no video_url"),
            ({"target_language": 7}, "no target_language"),
            ({"target_language": "../es"}, "not a language tag"),
            ({"source_language": "English please"}, "not a language tag"),
            ({"source_language": 7}, "not a text"),
        ]:
            with self.subTest(change), self.assertRaisesRegex(Failure, words):
                job.read_job(json.dumps({**self.GOOD, **change}))
        for text in ("", "{", "[]", "null"):
            with self.subTest(text), self.assertRaisesRegex(Failure, "JSON"):
                job.read_job(text)

    def test_output_name_stays_in_its_folder(self):
        for id_, tag, stem in [
            ("job_01k", "es", "job_01k.es"),
            ("job_01k", "pt-BR", "job_01k.pt"),
            ("../../etc/passwd", "es-419", "_.._etc_passwd.es"),
            ("...", "es", "_.es"),
            ("a b\n/c", "es", "a_b__c.es"),
            ("x" * 300, "es", "x" * 100 + ".es"),
        ]:
            with self.subTest(id_):
                self.assertEqual(job.Job(id_, "/v", tag).file_stem, stem)


class Languages(unittest.TestCase):
    def test_by_primary_subtag_or_region(self):
        for tag, espeak in [("es", "es"), ("ES", "es"), ("es-MX", "es"), ("es-419", "es-419"), ("pt", "pt"),
                            ("pt-br", "pt-br"), ("pt-Latn-BR", "pt-br"), ("fr-CA", "fr-fr")]:
            with self.subTest(tag):
                self.assertEqual(languages.target_language(tag).espeak, espeak)

    def test_unsupported(self):
        for tag in ("de", "ja", "est"):
            with self.subTest(tag), self.assertRaisesRegex(Failure, "no translation into .* the languages are ca, en, es"):
                languages.target_language(tag)

    def test_pairs(self):
        for source, target in [(None, "es"), ("en", "es"), ("en-GB", "fr-CA"), ("de", "en")]:
            languages.check_pair(source, target)
        for source, target, words in [("en", "en", "already"), ("en-GB", "en-US", "already"), ("de", "es", "only English")]:
            with self.subTest(source + target), self.assertRaisesRegex(Failure, words):
                languages.check_pair(source, target)


class Sentences(unittest.TestCase):
    @staticmethod
    def words(text, gap=0.1):
        """Words of 0.4 s; a | makes a pause of 2 s."""
        now, result = 0.0, []
        for word in text.split():
            if word == "|":
                now += 2.0
                continue
            result.append(Timed(now, now + 0.4, " " + word))
            now += 0.4 + gap
        return result

    def check(self, text, expected):
        self.assertEqual([sentence.text for sentence in sentences.group(self.words(text))], expected)

    def test_ends(self):
        self.check("One two. Three? Four!", ["One two.", "Three?", "Four!"])
        self.check('He said "no." Then he left', ['He said "no."', "Then he left"])

    def test_abbreviations_are_no_ends(self):
        self.check("And Mr. John met Dr. W. Smith. Yes.", ["And Mr. John met Dr. W. Smith.", "Yes."])

    def test_pauses_are_ends(self):
        self.check("one two | three", ["one two", "three"])

    def test_endless_speech_is_cut(self):
        found = sentences.group(self.words("word " * 150))
        self.assertEqual([len(sentence.text.split()) for sentence in found], [60, 60, 30])

    def test_nothing_sayable(self):
        self.check("", [])
        self.check("... ♪", [])

    def test_times_and_spacing(self):
        found = sentences.group([Timed(1.0, 1.5, " cold"), Timed(1.5, 2.0, "-hearted.")])
        self.assertEqual(found, [Timed(1.0, 2.0, "cold-hearted.")])


class Translation(unittest.TestCase):
    def test_expand(self):
        for short, long in [
            ("I can't go.", "I cannot go."),
            ("I CAN’T go.", "I cannot go."),
            ("We won't, they don't.", "We will not, they do not."),
            ("I'm sure it's what they've said we'll do.", "I am sure it is what they have said we will do."),
            ("Let's see John's book.", "let us see John's book."),
            ("a cold-hearted  man - really", "a cold hearted man - really"),
        ]:
            with self.subTest(short):
                self.assertEqual(translate.expand(short), long)

    def test_marks(self):
        self.assertEqual(translate.unknown_words("El *bug y los **developers @son #ir"), 4)
        self.assertEqual(translate.unknown_words("2 * 3, C# y a@b.c"), 0)
        self.assertEqual(translate.tidy("el *bug  y los **developers"), "El bug y los developers")

    def test_best_of(self):
        self.assertEqual(translate.best_of([["*a b", "c", "*e"], ["a *b *c", "*d", "*f"]]), ["A b", "C", "E"])

    def test_a_sentence_of_which_nothing_is_made_costs_no_other(self):
        spanish = languages.LANGUAGES["es"]
        answers = {"eng-spa": "uno\n\ntres\n", "eng-cat": "u\n\ntres\n", "cat-spa": "uno\n\ntres\n"}
        with mock.patch.object(tools, "run", lambda command, *_: answers[command[1]]):
            translated = translate.translate(["one", "Would", "three"], spanish, nothing)
        self.assertEqual(translated, ["Uno", "", "Tres"])
        told = translate.warning(["one", "Would", "three"], translated, spanish)
        self.assertEqual(told, "A sentence could not be translated into Spanish and stayed as spoken: Would")
        self.assertIsNone(translate.warning(["one"], ["Uno"], spanish))
        # Where it is the last one, its line is there all the same.
        answers = {"eng-spa": "uno\n\n", "eng-cat": "u\n\n", "cat-spa": "uno\n\n"}
        with mock.patch.object(tools, "run", lambda command, *_: answers[command[1]]):
            self.assertEqual(translate.translate(["one", "Would"], spanish, nothing), ["Uno", ""])

    def test_marks_alone_are_nothing(self):
        spanish = languages.LANGUAGES["es"]
        heard = ["One.", "Would?", '"Would."', "Four."]
        by_rules = 'Uno.\n?\n"."\nCuatro.\n'
        with mock.patch.object(tools, "run", lambda *_: by_rules):
            translated = translate.translate(heard, spanish, nothing)
        self.assertEqual(translated, ["Uno.", "", "", "Cuatro."])
        told = translate.warning(heard, translated, spanish)
        self.assertEqual(told, '2 sentences could not be translated into Spanish and stayed as spoken: Would?; "Would."')
        # What another route makes of it counts.
        answers = {"eng-spa": "?\nuno\n", "eng-cat": "u\n?\n", "cat-spa": "una?\n?\n"}
        with mock.patch.object(tools, "run", lambda command, *_: answers[command[1]]):
            self.assertEqual(translate.translate(["a?", "b"], spanish, nothing), ["Una?", "Uno"])

    def test_where_every_sentence_is_lost_there_is_no_dubbed_video(self):
        spanish = languages.LANGUAGES["es"]
        for heard, made in [(["Would"], "\n"), (["Would?"], "?\n"), (["Would.", "Would!"], ".\n!\n")]:
            with self.subTest(heard), mock.patch.object(tools, "run", lambda *_, made=made: made):
                with self.assertRaisesRegex(Failure, "into Spanish failed: .*nothing of any sentence"):
                    translate.translate(heard, spanish, nothing)

    def test_a_route_that_swallows_a_sentence_is_not_used(self):
        spanish = languages.LANGUAGES["es"]
        answers = {"eng-spa": "uno\n\n", "eng-cat": "u\ndos\n", "cat-spa": "uno\ndos\n"}
        with mock.patch.object(tools, "run", lambda command, *_: answers[command[1]]):
            self.assertEqual(translate.translate(["one", "two"], spanish, nothing), ["Uno", "Dos"])
        with mock.patch.object(tools, "run", lambda *_: ""), self.assertRaisesRegex(Failure, "into Spanish failed"):
            translate.translate(["one", "two"], spanish, nothing)


class Fitting(unittest.TestCase):
    def test_tempo(self):
        for spoken, room, expected in [(2, 3, 1), (3, 3, 1), (3, 2, 1.5), (10, 2, 1.8), (1, 0, 1.8), (1, -1, 1.8), (0, 0, 1)]:
            with self.subTest((spoken, room)):
                self.assertEqual(speak.tempo(spoken, room), expected)

    def test_slots(self):
        three = [Timed(1, 2, "a"), Timed(4, 5, "b"), Timed(6, 7, "c")]
        self.assertEqual(speak.slot(three, 0, 0, 10), (1, 4 - speak.BREATH))
        self.assertEqual(speak.slot(three, 1, 4.5, 10), (4.5, 6 - speak.BREATH))  # the one before is late
        self.assertEqual(speak.slot(three, 1, 6.5, 10), (6.5, 6.5))  # so late that no room is left
        self.assertEqual(speak.slot(three, 2, 0, 10), (6, 10))
        self.assertEqual(speak.slot(three, 2, 11, 10), (10, 10))


class Pictures(unittest.TestCase):
    def arguments(self, codec, width, height, container="matroska,webm", b_frames=0):
        stream = {"index": 1, "width": width, "height": height, "has_b_frames": b_frames}
        return assemble.picture_arguments(media.Media(Path("v"), 1.0, codec, 1, "aac", 1.0, [stream], container))

    def test_what_mp4_holds_is_copied(self):
        self.assertEqual(self.arguments("h264", 353, 199), ["-c:v", "copy"])
        self.assertEqual(self.arguments("hevc", 640, 360)[2:], ["-tag:v", "hvc1"])
        self.assertEqual(self.arguments("mpeg4", 640, 360, "avi"), ["-c:v", "copy"])

    def test_odd_pictures_become_even(self):
        for codec in ("vp8", "vp9", "mjpeg", "rawvideo"):
            with self.subTest(codec):
                self.assertIn("-vf", self.arguments(codec, 353, 199))
                self.assertIn("-vf", self.arguments(codec, 352, 199))
                self.assertNotIn("-vf", self.arguments(codec, 352, 198))

    def test_times_that_would_run_backwards_are_made_anew(self):
        made = self.arguments("mpeg4", 640, 360, "avi", 1)
        self.assertEqual((made[1], made[-2:]), ("libx264", ["-fps_mode", "cfr"]))


class Subtitles(unittest.TestCase):
    def test_stamp(self):
        for seconds, text in [(0, "00:00:00,000"), (3661.5, "01:01:01,500"), (59.9996, "00:01:00,000"), (-0.1, "00:00:00,000")]:
            with self.subTest(seconds):
                self.assertEqual(subtitles.stamp(seconds), text)

    def test_long_sentences_become_several_cues(self):
        for text in ["short", "word " * 40, "a-b-c " * 50, "x" * 200, "donaudampfschifffahrts " * 12]:
            sentence = Timed(1, 9, text.strip())
            cut = subtitles.cues(sentence)
            with self.subTest(text[:10]):
                self.assertEqual((cut[0].start, round(cut[-1].end, 6)), (1, 9))
                self.assertEqual(" ".join(cue.text.replace("\n", " ") for cue in cut), sentence.text)
                for cue in cut:
                    self.assertLessEqual(cue.text.count("\n"), 1)
                    self.assertTrue(all(len(line) <= 42 or " " not in line for line in cue.text.split("\n")))

    def test_srt(self):
        self.assertEqual(subtitles.srt([Timed(0, 1, "Hola."), Timed(1, 2.5, "Adiós.")]),
                         "1\n00:00:00,000 --> 00:00:01,000\nHola.\n\n2\n00:00:01,000 --> 00:00:02,500\nAdiós.\n")


class Reports(unittest.TestCase):
    def test_never_falls_never_repeats_never_leaves_its_range(self):
        out = io.StringIO()
        subject = report.Report(out)
        advance = subject.stage(10, 60)
        for done in (0.0, 0.5, 0.2, 0.5, 7.0, -1.0):
            advance(done)
        subject.progress(40)
        subject.progress(1000)
        subject.output("file:///a.mp4")
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        self.assertEqual(lines, [{"progress": n} for n in (10, 35, 60, 100)] + [{"output_url": "file:///a.mp4"}])


class WhatIsInAFile(unittest.TestCase):
    def media(self, **change):
        fields = dict(path=Path("/v"), duration=10.0, picture="h264", picture_index=0, sound="aac", sound_seconds=10.0,
                      streams=[])
        return media.Media(**{**fields, **change})

    def test_dubbable(self):
        media.check_dubbable(self.media())
        for change, words in [
            ({"sound": None}, "The video has no sound track, so there is nothing to translate"),
            ({"picture": None}, "sound but no moving picture"),
            ({"picture": None, "sound": None}, "neither picture nor sound"),
            ({"duration": 0.0}, "lasts no time"),
        ]:
            with self.subTest(change), self.assertRaisesRegex(Failure, words):
                media.check_dubbable(self.media(**change))

    def test_whole(self):
        for heard, seen, sound_seconds, whole in [
            (10, 10, 10.0, True),
            (4, 10, 10.0, False),  # the sound track promises more than there is
            (4, 10, 4.0, True),  # a sound track that is short and says so
            (4, 10, None, True),  # a container that does not say; the picture is all there
            (4, 4, None, False),
        ]:
            with self.subTest((heard, seen, sound_seconds)), mock.patch.object(media, "last_packet", lambda *_: seen):
                subject = self.media(sound_seconds=sound_seconds)
                if whole:
                    media.check_whole(subject, heard)
                else:
                    with self.assertRaisesRegex(Failure, "breaks off after .* of 10.0 s"):
                        media.check_whole(subject, heard)


class Fetching(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def refused(self, url, words):
        with self.subTest(url), self.assertRaisesRegex(Failure, words):
            fetch.fetch(url, self.scratch, nothing)

    def test_local(self):
        video = self.scratch / "a b.mp4"
        video.write_bytes(b"x")
        self.assertEqual(fetch.fetch(str(video), self.scratch, nothing), video)
        self.assertEqual(fetch.fetch(video.as_uri(), self.scratch, nothing), video)
        self.refused("file:///nowhere/v.mp4", "does not exist")
        self.refused("file://elsewhere/v.mp4", "another machine")
        self.refused(str(self.scratch), "not a regular file")
        self.refused("/dev/zero", "not a regular file")
        for url in ("v.mp4", "", "ftp://a/v.mp4", "data:video/mp4,x", "concat:/a|/b"):
            self.refused(url, "must begin with")

    def test_confined(self):
        inside, outside = self.scratch / "in", self.scratch / "out.mp4"
        inside.mkdir()
        outside.write_bytes(b"x")
        (inside / "v.mp4").write_bytes(b"x")
        (inside / "link.mp4").symlink_to(outside)
        with mock.patch.dict(os.environ, DUB_FILES_UNDER=str(inside)):
            fetch.fetch(str(inside / "v.mp4"), self.scratch, nothing)
            for name in (outside, inside / "link.mp4", f"{inside}/../out.mp4", inside / "../missing.mp4"):
                self.refused(str(name), "outside the folder")

    def test_private_addresses_are_refused(self):
        for host in ("127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
                     "[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
                     "224.0.0.1", "2130706433"):
            self.refused(f"http://{host}:9/v.mp4", "not a public address")
        for address in ("1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"):
            self.assertTrue(fetch._is_public(address), address)


class Downloading(unittest.TestCase):
    """Against a server of our own, so with private addresses allowed."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/missing":
                self.send_error(404, "Not Found")
            elif self.path == "/to-file":
                self.send_response(302)
                self.send_header("location", "file:///etc/hostname")
                self.end_headers()
            else:
                self.send_response(200)
                if self.path != "/unsized":
                    self.send_header("content-length", "2000" if self.path == "/short" else "1000")
                self.end_headers()
                self.wfile.write(b"v" * 1000)

        def log_message(self, *_):
            pass

    def setUp(self):
        self.enterContext(mock.patch.dict(os.environ, DUB_ALLOW_PRIVATE="1", no_proxy="*"))
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        server = self.enterContext(http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.base = f"http://127.0.0.1:{server.server_port}"

    def test_good(self):
        steps = []
        path = fetch.fetch(self.base + "/v", self.scratch, steps.append)
        self.assertEqual(path.read_bytes(), b"v" * 1000)
        self.assertEqual(steps[-1], 1.0)
        self.assertEqual(len(fetch.fetch(self.base + "/unsized", self.scratch, nothing).read_bytes()), 1000)

    def test_bad(self):
        for path, words in [("/missing", "answered 404 Not Found"), ("/short", "broke off after 1000 of 2000"),
                            ("/to-file", "could not be downloaded")]:
            with self.subTest(path), self.assertRaisesRegex(Failure, words):
                fetch.fetch(self.base + path, self.scratch, nothing)
        with self.assertRaisesRegex(Failure, "could not be downloaded"):
            fetch.fetch("http://127.0.0.1:1/v", self.scratch, nothing)

    def test_limits(self):
        with mock.patch.object(fetch, "MAX_BYTES", 999):
            for path in ("/v", "/unsized"):
                with self.subTest(path), self.assertRaisesRegex(Failure, "too large"):
                    fetch.fetch(self.base + path, self.scratch, nothing)
        with mock.patch.object(fetch, "MAX_SECONDS", -1), self.assertRaisesRegex(Failure, "took longer"):
            fetch.fetch(self.base + "/v", self.scratch, nothing)


class Tools(unittest.TestCase):
    def test_run(self):
        self.assertEqual(tools.run(["cat"], "hé"), "hé")
        with self.assertRaises(tools.ToolError) as caught:
            tools.run(["sh", "-c", "echo first >&2; echo last >&2; exit 3"])
        self.assertEqual(caught.exception.reason, "last")
        with self.assertRaises(tools.ToolError) as caught:
            tools.run(["sleep", "9"], time_limit=0.1)
        self.assertIn("no answer", caught.exception.reason)
        with self.assertRaisesRegex(Failure, "not installed"):
            tools.run(["no-such-program-here"])
        self.assertEqual(tools._running, [])


if __name__ == "__main__":
    unittest.main()
