"""What tools/tus.sh does: a client of tus 1.0 against the real program."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from tusclient.storage import filestorage

KEY = "sesame"
MINE = {"authorization": f"Bearer {KEY}"}
VERSION = {"Tus-Resumable": "1.0.0"}


class Served:
    """A server with its media below `home`, at the same port each time: on an address where nobody else has it meanwhile."""

    def __init__(self, home: Path, address: str = "127.77.0.1:0"):
        arguments = ["serve", "--listen", address, "--data", home / "data", "--api-key", KEY, "--upload-bytes-max", "64MiB"]
        self.process = subprocess.Popen([os.environ["DUBHOOK"], *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().split()[-1]

    def kill(self):
        self.process.kill()
        self.process.wait()


def check(what: str, found, expect):
    if found != expect:
        sys.exit(f"{what}: {found!r}, not {expect!r}")


def content(url: str) -> str:
    answer = requests.get(f"{url}/content", headers=MINE, timeout=60)
    check("the bytes", answer.status_code, 200)
    return hashlib.sha256(answer.content).hexdigest()


def options(url: str):
    answer = requests.options(f"{url}/v1/uploads", headers=MINE, timeout=60)
    check("OPTIONS", answer.status_code, 204)
    for name, expect in {
        "Tus-Resumable": "1.0.0",
        "Tus-Version": "1.0.0",
        "Tus-Extension": "creation,expiration,termination",
        "Tus-Max-Size": str(64 << 20),
    }.items():
        check(name, answer.headers.get(name), expect)


def whole_and_in_pieces(url: str, file: Path, digest: str):
    client = TusClient(f"{url}/v1/uploads", headers=MINE)
    for piece in (file.stat().st_size, 1_000_003):
        uploader = client.uploader(str(file), chunk_size=piece, metadata={"filename": "Ein Film.mp4", "filetype": "video/mp4"})
        uploader.upload()
        check(f"in pieces of {piece}", content(uploader.url), digest)
        upload = requests.get(uploader.url, headers=MINE, timeout=60).json()
        check("its name", (upload["filename"], upload["content_type"]), ("Ein Film.mp4", "video/mp4"))
        head = requests.head(uploader.url, headers=MINE | VERSION, timeout=60)
        check("what was said of it", head.headers["Upload-Metadata"], "filename RWluIEZpbG0ubXA0,filetype dmlkZW8vbXA0")
        check("how far it is", (head.headers["Upload-Offset"], head.headers["Cache-Control"]), (str(file.stat().st_size), "no-store"))


def broken_off(home: Path, served: Served, file: Path, digest: str) -> Served:
    """Stops in the middle, the server is killed, and a client that has only the file goes on."""
    known = filestorage.FileStorage(str(home / "known"))
    client = TusClient(f"{served.url}/v1/uploads", headers=MINE)

    def uploader():
        return client.uploader(str(file), chunk_size=1 << 20, store_url=True, url_storage=known)

    first = uploader()
    first.upload(stop_at=3 << 20)
    served.kill()
    try:
        first.upload_chunk()
        sys.exit("it went on without a server")
    except (TusCommunicationError, TusUploadFailed):
        pass
    served = Served(home, served.url.removeprefix("http://"))
    second = uploader()
    check("where it goes on", (second.url, second.offset), (first.url, 3 << 20))
    expires = requests.head(second.url, headers=MINE | VERSION, timeout=60).headers.get("Upload-Expires", "")
    check("when it goes", expires.endswith(" GMT"), True)
    second.upload()
    check("after a kill", content(second.url), digest)
    return served


def refused(url: str):
    """What the client would never send, or is to be refused."""
    made = requests.post(f"{url}/v1/uploads", headers=MINE | VERSION | {"Upload-Length": "10"}, timeout=60)
    check("creation", made.status_code, 201)
    upload = url + made.headers["Location"]
    bytes_ = VERSION | MINE | {"Content-Type": "application/offset+octet-stream"}
    for what, method, fields, body, expect in [
        ("a wrong offset", "PATCH", bytes_ | {"Upload-Offset": "1"}, b"x", 409),
        ("too many bytes", "PATCH", bytes_ | {"Upload-Offset": "0"}, b"x" * 11, 413),
        ("another type", "PATCH", bytes_ | {"Upload-Offset": "0", "Content-Type": "video/mp4"}, b"x", 415),
        ("another version", "PATCH", bytes_ | {"Upload-Offset": "0", "Tus-Resumable": "0.2.2"}, b"x", 412),
        ("too large", "POST", MINE | VERSION | {"Upload-Length": str((64 << 20) + 1)}, b"", 413),
        ("bent metadata", "POST", MINE | VERSION | {"Upload-Length": "1", "Upload-Metadata": "filename ="}, b"", 400),
        ("termination", "DELETE", MINE | VERSION, b"", 204),
        ("what is gone", "HEAD", MINE | VERSION, b"", 404),
    ]:
        target = f"{url}/v1/uploads" if method == "POST" else upload
        answer = requests.request(method, target, headers=fields, data=body, timeout=60)
        check(what, (answer.status_code, answer.headers.get("Tus-Resumable")), (expect, "1.0.0"))
        check(what, answer.headers.get("Tus-Version"), "1.0.0" if expect == 412 else None)


def main():
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        file = home / "film.mp4"
        file.write_bytes(os.urandom(8 << 20))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        served = Served(home)
        try:
            options(served.url)
            whole_and_in_pieces(served.url, file, digest)
            served = broken_off(home, served, file, digest)
            refused(served.url)
        finally:
            served.kill()
    print("a client of tus uploads whole, in pieces and after a kill, and is refused by the book")


main()
