#!/usr/bin/env python3
"""The host's side of `lamp`: a real server that it is told by, goes away, and comes back knowing nothing.

    lamp.py PROGRAM.elf DUBHOOK LOSS_PERCENT
"""

import base64
import json
import os

import rig


def main(program: str, dubhook: str, loss_percent: str) -> None:
    server_port, told_port = rig.free_port(), rig.free_port()
    server_url, told_url = f"http://127.0.0.1:{server_port}", f"http://127.0.0.1:{told_port}/"
    secret = "whsec_" + base64.b64encode(os.urandom(24)).decode()

    def serve(*words: str) -> rig.Program:
        command = [dubhook, "serve", "--in-memory", "--listen", f"127.0.0.1:{server_port}"]
        server = rig.Program([*command, "--simulate", "1s..1s", *words], "server", echo=False)
        rig.until("the server answers", lambda: rig.request(f"{server_url}/healthz")[0] == 200)
        return server

    def tell(body: bytes, fields: dict) -> int:
        """The lamp's answer to a webhook; it has two connections, and resets what comes beyond."""
        answers = []
        rig.until("the lamp answers", lambda: answers.append(rig.request(told_url, "POST", body, fields)[0]) or answers[-1])
        return answers[-1]

    def translate() -> dict:
        job = {"video_url": "https://video.test/1.mp4", "target_language": "es"}
        return rig.curl(f"{server_url}/v1/translations", job)

    # It is switched on before its server, and finds it later.
    settings = {"server": server_port, "told": told_port, "secret": secret, "loss": loss_percent}
    lamp = rig.board(program, f"{told_port}:80", **settings)
    lamp.wait_for("lamp: no answer, will ask again")
    server = serve()
    lamp.wait_for("lamp: registered as ep_")
    lamp.wait_for("lamp: the newest job is none")

    job = translate()
    lamp.wait_for(f"lamp: was told {job['id']}")
    lamp.wait_for("lamp: on, pin 1")
    events = [line.split()[-1] for line in lamp.lines if f"{job['id']} " in line]
    rig.check(events[-1] == "translation.completed", f"the lamp is on, after {events}")

    # What it knows already is dropped, and what the server did not sign is refused.
    data = json.loads(rig.request(f"{server_url}/v1/translations/{job['id']}")[1])
    event = {"type": "translation.completed", "timestamp": data["updated_at"], "data": data}
    body = json.dumps(event).encode()
    fields = rig.webhook_headers(secret, "evt_repeat", body)
    rig.check(tell(body, fields) == 204, "a repeat is taken")
    lamp.wait_for("lamp: a repeat, dropped")
    forged = body.replace(b"completed", b"error")
    rig.check(tell(forged, fields) == 401, "what is not signed is refused")
    rig.check(lamp.count("lamp: was told") == len(events), "neither was news")

    # A server that starts anew has forgotten the lamp, and the lamp comes back by itself.
    server.kill()
    server = serve("--simulate-errors", "1")
    lamp.wait_for("lamp: registered as ep_", 2)
    job = translate()
    lamp.wait_for("lamp: off, pin 0")
    lamp.wait_for(f"lamp: was told {job['id']}")
    lamp.wait_for("lamp: blinks")
    rig.check(lamp.count(f"{job['id']}") >= 2, "the lamp blinks: the job has failed")


rig.main(main)
