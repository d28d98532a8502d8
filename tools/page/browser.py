"""Chromium, without a window, driven over its debugging pipe."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

# How long anything may take, in seconds: far longer than it ever does.
PATIENCE = 300


class Failed(Exception):
    """Something is not as it must be."""


class Browser:
    """A browser with one page. What goes wrong in the page is in `faults`, and what it asks for in `asked`."""

    def __init__(self) -> None:
        self.home = tempfile.mkdtemp(prefix="dubhook-page-")
        self.faults: list[str] = []
        self.asked: list[str] = []
        self._number = 0
        self._text = b""
        self._events: list[dict] = []
        # The browser reads commands from its descriptor 3 and writes to 4.
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()

        def arrange() -> None:
            # Neither may lie where the other one goes.
            high = os.dup(commands), os.dup(answers)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._child = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--mute-audio",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={self.home}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(3, 4), preexec_fn=arrange,
        )
        os.close(commands)
        os.close(answers)
        self._session: str | None = None
        target = next(t for t in self.do("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.do("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM", "Accessibility"):
            self.do(f"{domain}.enable")

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def _read(self, until: float) -> dict:
        while b"\0" not in self._text:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise Failed("the browser does not answer")
            piece = os.read(self._answers, 1 << 20)
            if not piece:
                raise Failed("the browser has ended")
            self._text += piece
        one, self._text = self._text.split(b"\0", 1)
        return json.loads(one)

    def answer(self, pattern: str, body: str) -> None:
        """From now on the browser is answered this where it asks for a URL of this pattern."""
        self._body = base64.b64encode(body.encode()).decode()
        self.do("Fetch.enable", patterns=[{"urlPattern": pattern}])

    def _note(self, event: dict) -> None:
        said = event.get("params", {})
        match event.get("method"):
            case "Fetch.requestPaused":
                self._send("Fetch.fulfillRequest", requestId=said["requestId"], responseCode=200, body=self._body)
            case "Runtime.exceptionThrown":
                details = said["exceptionDetails"]
                self.faults.append(details.get("exception", {}).get("description") or details["text"])
            # What the server answers is seen by what the page makes of it.
            case "Log.entryAdded" if said["entry"]["level"] == "error" and said["entry"]["source"] != "network":
                self.faults.append(f'{said["entry"]["text"]} {said["entry"].get("url", "")}')
            case "Network.requestWillBeSent":
                self.asked.append(said["request"]["url"])

    def _send(self, method: str, **parameters: object) -> int:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        return self._number

    def do(self, method: str, **parameters: object) -> dict:
        """Has the browser do something, and returns what it says."""
        number = self._send(method, **parameters)
        until = time.monotonic() + PATIENCE
        while True:
            said = self._read(until)
            if said.get("id") == number:
                if "error" in said:
                    raise Failed(f"{method}: {said['error']}")
                return said["result"]
            self._note(said)

    def eval(self, script: str) -> object:
        """The value of an expression in the page, awaited."""
        said = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in said:
            raise Failed(f"{script}: {said['exceptionDetails'].get('exception', {}).get('description')}")
        return said["result"].get("value")

    def until(self, script: str, what: str, seconds: float = PATIENCE) -> object:
        """Waits until an expression is true; `what` says what would be."""
        end = time.monotonic() + seconds
        while True:
            value = self.eval(script)
            if value:
                return value
            if time.monotonic() > end:
                raise Failed(f"{what}: it never came\n{self.eval('document.body.innerText')}")
            time.sleep(0.05)

    def open(self, url: str) -> None:
        """Goes to a page, and waits until it is there."""
        self.do("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", url)

    def resize(self, width: int, height: int) -> None:
        """How large the window is."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def press(self, key: str, text: str = "") -> None:
        """Presses a key and lets it go."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "Escape": 27}
        event = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": codes[key]}
        if text:
            event["text"] = text
        self.do("Input.dispatchKeyEvent", type="keyDown", **event)
        self.do("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        """Writes text where the focus is."""
        self.do("Input.insertText", text=text)

    def choose(self, selector: str, file: Path) -> None:
        """Chooses a file, as in the dialog."""
        document = self.do("DOM.getDocument")
        node = self.do("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        self.do("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file)])

    def drop(self, selector: str, *files: Path) -> None:
        """Drags files from elsewhere over an element, and lets them go there."""
        at = self.eval(
            f"(() => {{ const it = document.querySelector({selector!r}); it.scrollIntoView({{ block: 'center' }});"
            " const place = it.getBoundingClientRect(); return [place.x + place.width / 2, place.y + place.height / 2]; })()"
        )
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.do("Input.dispatchDragEvent", type=kind, x=at[0], y=at[1], data=data)

    def picture(self, path: Path) -> None:
        """A picture of the whole page."""
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 4000), "scale": 1}
        shot = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def unnamed(self) -> list[str]:
        """What can be used and has no name for whoever listens to the page."""
        wanted = {"button", "link", "checkbox", "textbox", "combobox", "searchbox", "progressbar", "Video"}
        nodes = self.do("Accessibility.getFullAXTree")["nodes"]
        return [
            f'{node["role"]["value"]} {node.get("backendDOMNodeId")}'
            for node in nodes
            if not node.get("ignored") and node["role"].get("value") in wanted and not node.get("name", {}).get("value")
        ]


@contextlib.contextmanager
def browser():
    """A browser that is closed in the end."""
    it = Browser()
    try:
        yield it
    finally:
        it.close()
