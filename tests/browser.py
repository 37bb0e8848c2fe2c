"""A headless Chromium, driven over its pipe with real mouse and key events."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import threading
from importlib.resources import files
from pathlib import Path
from typing import Any

PATIENCE_S = 60
KEYS = {"Tab": 9, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, " ": 32}
QUIET = ["--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync"]


class Browser:
    """One tab. Messages are JSON ended by a zero byte, as --remote-debugging-pipe has them on files 3 and 4."""

    def __init__(self, program: str, profile: Path) -> None:
        into, self._write = os.pipe()
        self._read, out = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (into, out)]  # never 3 or 4 themselves
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *QUIET]
        place = ["bash", "-c", f'exec "$0" "$@" 3<&{high[0]} 4>&{high[1]}']
        self._process = subprocess.Popen(
            [*place, program, *words, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=high,
        )
        for fd in high:
            os.close(fd)
        os.close(into)
        os.close(out)
        self._buffer, self._count, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attach = {"targetId": page["targetId"], "flatten": True}
        self._session = self.call("Target.attachToTarget", **attach)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events that come before it are kept."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        late = threading.Timer(PATIENCE_S, self._process.kill)
        late.start()
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 16)
            assert part, "the browser ended, or did not answer in time"
            self._buffer += part
        late.cancel()
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path, *, width: int = 1280, dark: bool = False) -> None:
        """Load a page anew, and forget what happened before."""
        self.size(width)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._next())

    def size(self, width: int, height: int = 900) -> None:
        """Give the window a size in CSS pixels; below 600 it is a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def run(self, code: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def numbers(self) -> dict[str, float | None]:
        """Every number that the page shows, in full, by the id of its output."""
        told = self.run(
            "Object.fromEntries([...document.querySelectorAll('[data-value]')].map(e => [e.id, e.dataset.value]))"
        )
        return {name: None if text == "null" else float(text) for name, text in told.items() if name[:4] != "name"}

    def text(self, name: str) -> str:
        """What an element says."""
        return self.run(f"document.getElementById({json.dumps(name)}).textContent")

    def press(self, key: str, times: int = 1) -> None:
        """Press a key, whatever has the focus."""
        what = {"key": key, "windowsVirtualKeyCode": KEYS[key], **({"text": " "} if key == " " else {})}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown", **what)
            self.call("Input.dispatchKeyEvent", type="keyUp", **what)

    def focus(self, name: str) -> None:
        """Give an element the focus."""
        self.run(f"document.getElementById({json.dumps(name)}).focus()")

    def slide(self, name: str, steps: int) -> None:
        """Move a slider with the keyboard to so many steps above its least value; if below 0, from its greatest."""
        self.focus(name)
        self.press("End" if steps < 0 else "Home")
        self.press("ArrowLeft" if steps < 0 else "ArrowRight", abs(steps))

    def click(self, name: str, across: float = 0.5) -> None:
        """Click on an element, that share of its width from its left."""
        box = self.run(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            f"return [b.x, b.y, b.width, b.height]; }})(document.getElementById({json.dumps(name)}))"
        )
        where = {"x": box[0] + across * box[2], "y": box[1] + box[3] / 2, "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **where)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **where)

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def violations(self) -> list[Any]:
        """What axe finds on the page as it stands, that shuts people out: each rule, and the elements that break it."""
        self.run((files("axe_core_python") / "axe.min.js").read_text("utf-8") + "; 0")
        told = "axe.run().then(found => JSON.stringify(found.violations.map(v => [v.id, v.nodes.map(n => n.html)])))"
        answer = self.call("Runtime.evaluate", expression=told, awaitPromise=True, returnByValue=True)
        return json.loads(answer["result"]["value"])

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
