"""Each container and codec that ffmpeg writes, from the file to the finished mp4: needs ffmpeg, and nothing to hear or to speak."""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from dub_video import assemble, languages, media
from dub_video.sentences import Timed

SECONDS = 2
# File, how its picture is made, how its sound.
FILES = [
    ("a.mp4", ["libx264"], ["aac"]),
    ("b.mov", ["mpeg4"], ["pcm_s16le"]),
    ("c.mkv", ["libx265", "-x265-params", "log-level=error"], ["libvorbis"]),
    ("d.webm", ["libvpx"], ["libopus"]),
    ("e.webm", ["libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime"], ["libopus"]),
    ("f.mkv", ["mjpeg", "-strict", "unofficial"], ["flac"]),
    ("g.avi", ["rawvideo", "-pix_fmt", "bgr24"], ["pcm_s16le"]),
    ("h.avi", ["mjpeg", "-strict", "unofficial"], ["libmp3lame"]),
    ("i.avi", ["mpeg4", "-bf", "2"], ["libmp3lame"]),
    ("j.avi", ["libx264", "-bf", "3"], ["libmp3lame"]),
    ("k.avi", ["mpeg4"], ["libmp3lame"]),
    ("l.ts", ["libx264", "-bf", "3"], ["aac"]),
    ("m.mpg", ["mpeg2video", "-bf", "2"], ["mp2"]),
    ("n.flv", ["flv1"], ["libmp3lame", "-ar", "44100"]),
    ("o.wmv", ["wmv2"], ["wmav2"]),
    ("p.ogv", ["libtheora"], ["libvorbis"]),
    ("q.mkv", ["ffv1"], ["ac3"]),
]
EVEN, ODD = "352x198", "353x199"
# Codecs that cannot be of an odd size at all.
EVEN_ONLY = {"libx264", "libx265", "wmv2"}


def run(*command) -> str:
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if ended.returncode:
        raise AssertionError(f"{command}: {ended.stderr}")
    return ended.stdout


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.track = self.folder / "track.wav"
        run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"sine=duration={SECONDS}", self.track)

    def test_each_in_an_even_and_an_odd_size(self):
        for name, picture, sound in FILES:
            for size in (EVEN, ODD):
                if size == ODD and picture[0] in EVEN_ONLY:
                    continue
                with self.subTest(name, size=size):
                    self.finish(name, picture, sound, size)

    def finish(self, name, picture, sound, size):
        video, output = self.folder / f"{size}-{name}", self.folder / f"{size}-{name}.out.mp4"
        run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=size={size}:rate=25:duration={SECONDS}",
            "-f", "lavfi", "-i", f"sine=duration={SECONDS}", "-c:v", *picture, "-c:a", *sound, video)
        source = media.probe(video)
        media.check_dubbable(source)
        language = languages.LANGUAGES["es"]
        said = [Timed(0.5, 1.5, "Hola.")]
        assemble.assemble(source, self.track, said, said, language, "eng", self.folder, output, lambda _: None, "a warning")
        found = json.loads(run("ffprobe", "-v", "error", "-select_streams", "v", "-show_packets", "-show_format", "-of", "json", output))
        self.assertEqual(found["format"]["tags"]["comment"], "a warning")
        decoded = [int(packet["dts"]) for packet in found["packets"]]
        self.assertEqual(decoded, sorted(set(decoded)), "its times run backwards")
        shown = [int(packet["pts"]) for packet in found["packets"]]
        self.assertEqual(len(shown), len(set(shown)), "two pictures at one time")
        self.assertGreaterEqual(len(shown), 0.9 * 25 * SECONDS)
        # Whatever is in it can be shown.
        run("ffmpeg", "-v", "error", "-xerror", "-i", output, "-f", "null", "-")


if __name__ == "__main__":
    unittest.main()
