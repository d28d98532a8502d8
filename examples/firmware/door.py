#!/usr/bin/env python3
"""The host's side of `door`: two receivers, of which one is not there for a while.

    door.py PROGRAM.elf DUBHOOK LOSS_PERCENT
"""

import base64
import os

import rig


def main(program: str, _dubhook: str, loss_percent: str) -> None:
    secret = "whsec_" + base64.b64encode(os.urandom(24)).decode()
    one, late_port = rig.Receiver(), rig.free_port()
    door = rig.board(program, f"{rig.free_port()}:80", one=one.port, two=late_port, secret=secret, loss=loss_percent)
    door.wait_for("door: ready")

    def moves(receiver: rig.Receiver) -> list[int]:
        """The sequences of what was told, each event once; of readings some are left out."""
        first = {told.identity: told for told in reversed(receiver.told)}
        told = sorted(first.values(), key=receiver.told.index)
        return [event.job["sequence"] for event in told if event.kind != "door.reading"]

    opened_and_closed = [n for n in range(1, 25) if n % 4 in (0, 1)]
    door.wait_for("door: the connection was refused or could not be made")
    rig.until("the first receiver was told", lambda: len(moves(one)) >= 2)
    two = rig.Receiver(late_port)
    for name, receiver in [("first", one), ("second", two)]:
        rig.until(f"the {name} was told all", lambda r=receiver: len(moves(r)) == len(opened_and_closed))
        rig.check(moves(receiver) == opened_and_closed, f"the {name} was told all, in order")
        signed = all(told.is_signed_with(secret) for told in receiver.told)
        rig.check(signed, f"what the {name} was told is signed")
    readings = [told for told in two.told if told.kind == "door.reading"]
    rig.check(len(readings) < 12, f"of 12 readings the second was told {len(readings)}: those that still counted")


rig.main(main)
