"""The video's address -> a file on this machine.

Whoever may create a job chooses this address, so it is treated as hostile: only http and https are fetched, only public
hosts (unless DUB_ALLOW_PRIVATE=1), with a limit on bytes and on time; and local paths can be confined to one folder.
"""

import http.client
import ipaddress
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from dub_video.failure import Failure
from dub_video.report import Advance

MAX_BYTES = int(os.environ.get("DUB_MAX_BYTES", 4 << 30))
MAX_SECONDS = float(os.environ.get("DUB_MAX_DOWNLOAD_SECONDS", 900))
SILENCE_SECONDS = 30  # the longest wait for the next bytes
CHUNK = 1 << 18
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def fetch(url: str, scratch: Path, advance: Advance) -> Path:
    scheme = urllib.parse.urlsplit(url).scheme.lower()
    if url.startswith("/"):
        return _local(url)
    if scheme == "file":
        parts = urllib.parse.urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise Failure(f"{url} names another machine; a file address looks like file:///folder/video.mp4.")
        return _local(urllib.parse.unquote(parts.path))
    if scheme in ("http", "https"):
        return _download(url, scratch / "source", advance)
    raise Failure("The video's address must begin with https://, http:// or file:///, or be an absolute path.")


def _local(name: str) -> Path:
    path = Path(name)
    root = os.environ.get("DUB_FILES_UNDER")
    # resolve() follows links first, so neither .. nor a link leads out of the folder
    if root and Path(root).resolve() not in path.resolve().parents:
        raise Failure(f"The file {name} is outside the folder that videos may be read from.")
    if not path.is_absolute() or not path.exists():
        raise Failure(f"The file {name} does not exist on the server.")
    if not path.is_file():
        raise Failure(f"{name} is not a regular file.")
    if not os.access(path, os.R_OK):
        raise Failure(f"The file {name} may not be read by the server.")
    return path


def _download(url: str, target: Path, advance: Advance) -> Path:
    deadline = time.monotonic() + MAX_SECONDS
    request = urllib.request.Request(url, headers={"user-agent": "dubhook-dub-video"})
    try:
        with _opener().open(request, timeout=SILENCE_SECONDS) as answer, open(target, "wb") as out:
            expected = int(answer.headers.get("content-length") or 0)
            if expected > MAX_BYTES:
                raise Failure(f"The video is too large: {expected} bytes, where {MAX_BYTES} are allowed.")
            received = 0
            while chunk := answer.read1(CHUNK):
                received += len(chunk)
                if received > MAX_BYTES:
                    raise Failure(f"The video is too large: more than {MAX_BYTES} bytes.")
                if time.monotonic() > deadline:
                    raise Failure(f"The download took longer than {MAX_SECONDS:.0f} s and was given up.")
                out.write(chunk)
                if expected:
                    advance(received / expected)
            if received < expected:
                raise Failure(f"The download broke off after {received} of {expected} bytes.")
    except urllib.error.HTTPError as error:
        raise Failure(f"The video could not be downloaded: the server answered {error.code} {error.reason}.") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failure(f"The video could not be downloaded: {getattr(error, 'reason', None) or error}.") from None
    return target


def _opener() -> urllib.request.OpenerDirector:
    """urllib without its ftp, file and data handlers, which a redirect could otherwise reach."""
    opener = urllib.request.OpenerDirector()
    handlers = [urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPRedirectHandler(),
                urllib.request.HTTPErrorProcessor()]
    if os.environ.get("DUB_ALLOW_PRIVATE") == "1":
        handlers += [urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()]
    else:
        handlers += [_PublicHTTPHandler(), _PublicHTTPSHandler()]
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def connect_to_public(host: str, port: int, timeout: float) -> socket.socket:
    """Connect to a public address of `host`: to the very address that was checked, so no second look-up can change it."""
    addresses = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in addresses:
        if not _is_public(address):
            raise OSError(f"{host} is at {address}, which is not a public address (DUB_ALLOW_PRIVATE=1 on the server allows it)")
    error = OSError(f"{host} has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as failed:
            error = failed
    raise error


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.split("%")[0])
    if address.version == 6:
        # An IPv6 address may carry an IPv4 one, which is then what the connection reaches.
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(str(inner))
    return address.is_global and not address.is_multicast


class _PublicHTTPConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = connect_to_public(self.host, self.port, self.timeout)


class _PublicHTTPSConnection(http.client.HTTPSConnection):
    def connect(self):
        raw = connect_to_public(self.host, self.port, self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host)


class _PublicHTTPHandler(urllib.request.HTTPHandler):
    def http_open(self, request):
        return self.do_open(_PublicHTTPConnection, request)


class _PublicHTTPSHandler(urllib.request.HTTPSHandler):
    def https_open(self, request):
        return self.do_open(_PublicHTTPSConnection, request)
