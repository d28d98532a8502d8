"""Sends a file to a server, or gets one, over one connection; prints the bytes a second as JSON. Run on a core of its own."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

PIECE_BYTES = 1 << 20


def head(connection: socket.socket) -> tuple[int, int, bytes]:
    """The status of an answer, how long its body is, and what of that has come with its head."""
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(PIECE_BYTES)
        if not piece:
            raise SystemExit(f"no answer: {text!r}")
        text += piece
    fields, body = text.split(b"\r\n\r\n", 1)
    length = next((line for line in fields.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    return int(fields.split()[1]), int(length.split(b":")[1]), body


def main(port: str, method: str, path: str, file: str) -> None:
    source = Path(file)
    upload = source.stat().st_size if method == "PUT" else 0
    with socket.create_connection(("127.0.0.1", int(port))) as connection, source.open("rb") as data:
        since = time.monotonic()
        connection.sendall(f"{method} {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {upload}\r\n\r\n".encode())
        if upload:
            connection.sendfile(data)
        status, length, body = head(connection)
        left, memory = length - len(body), bytearray(PIECE_BYTES)
        while left > 0:
            taken = connection.recv_into(memory)
            if not taken:
                raise SystemExit("it broke off")
            left -= taken
        took = time.monotonic() - since
    if status // 100 != 2:
        raise SystemExit(f"{method} {path}: {status}")
    print(json.dumps({"rate": (upload or length) / took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
