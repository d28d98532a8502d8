#!/usr/bin/env python3
"""The host's side of `netcheck`: runs the board and checks that bytes survive the way there and back.

    netcheck.py PROGRAM.elf LOSS_PERCENT

It echoes what the board sends to it, and has the board echo three texts, all at once. Ends with status 0
once the board has said that it is done and every text came back as it was.
"""

import os
import pathlib
import socket
import subprocess
import sys
import threading

ECHO_PORT = 7
# One byte, one segment, and many times the board's buffers.
TEXT_BYTES = (1, 1_000, 20_000)
PATIENCE_S = 300


def echo(listener: socket.socket) -> None:
    """Gives every peer back what it sends."""
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=echo_one, args=(peer,), daemon=True).start()


def echo_one(peer: socket.socket) -> None:
    with peer:
        while piece := peer.recv(4096):
            peer.sendall(piece)


def comes_back(port: int, text: bytes) -> bool:
    """Sends a text to the board and compares the echo, as often as it takes to get a whole one.

    The board has two connections for three clients, and resets those it has no room for. QEMU's user
    network accepts them first, and then passes a reset on as an end, so a short echo is no fault.
    """
    while True:
        echoed = b""
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as board:
                threading.Thread(target=send, args=(board, text), daemon=True).start()
                while piece := board.recv(4096):
                    echoed += piece
        except ConnectionError:
            pass
        if len(echoed) >= len(text) or not text.startswith(echoed):
            return echoed == text


def send(board: socket.socket, text: bytes) -> None:
    try:
        board.sendall(text)
        board.shutdown(socket.SHUT_WR)
    except OSError:
        # Cut off; the reading side sees that too, and tells.
        pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def main(program: str, loss_percent: str) -> int:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=echo, args=(listener,), daemon=True).start()
    port = free_port()
    board = subprocess.Popen(
        [
            pathlib.Path(__file__).with_name("board.sh"),
            program,
            f"{port}:{ECHO_PORT}",
            f"peer={listener.getsockname()[1]}",
            f"loss={loss_percent}",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE_S, board.kill)
    watchdog.start()
    results: dict[int, bool] = {}
    clients = []
    for line in board.stdout:
        print(line, end="", flush=True)
        if line == "netcheck: ready\n":
            for size in TEXT_BYTES:
                work = lambda size=size: results.update({size: comes_back(port, os.urandom(size))})
                clients.append(threading.Thread(target=work, daemon=True))
                clients[-1].start()
    status = board.wait()
    watchdog.cancel()
    for client in clients:
        client.join(PATIENCE_S)
    whole = [size for size in TEXT_BYTES if results.get(size)]
    print(f"netcheck: loss {loss_percent} %, board ended with {status}, echoed whole: {whole}")
    return 0 if status == 0 and len(whole) == len(TEXT_BYTES) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
