"""A headless Chromium, driven by the DevTools protocol. Tests skip where there is none."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_STARTS_S = 20.0


def chromium() -> str:
    """Return the browser: that of CHROMIUM, or the first that is installed; else skip the test."""
    named = os.environ.get("CHROMIUM", "")
    for name in (named, *_NAMES):
        if name and (found := shutil.which(name)):
            return found
    pytest.skip("no Chromium is installed; name one by CHROMIUM")


class Page:
    """A tab. Times are in seconds."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=_STARTS_S))
            if answer.get("id") != self._number:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise AssertionError(f"{method}: {answer['error']}")
            return dict(answer["result"])

    def open(self, url: str, until: str) -> None:
        self.send("Page.enable")
        self.send("Page.navigate", url=url)
        self.wait(until)

    def run(self, script: str) -> Any:
        """Run a script in the page and return what it gives, promises resolved."""
        found = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise AssertionError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait(self, condition: str, within_s: float = 10.0) -> None:
        """Wait until a script gives true; what is not there yet does not."""
        end = time.monotonic() + within_s
        script = f"(() => {{ try {{ return Boolean({condition}); }} catch {{ return false; }} }})()"
        while not self.run(script):
            if time.monotonic() > end:
                raise AssertionError(f"not within {within_s} s: {condition}")
            time.sleep(0.005)

    def key(self, key: str) -> None:
        """Press and release a key."""
        codes = {" ": ("Space", 32), "Tab": ("Tab", 9), "Enter": ("Enter", 13)}
        code, number = codes.get(key, (f"Key{key.upper()}", ord(key.upper()[0])))
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        about = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.send("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def picture(self, path: Path) -> None:
        """Save what the window shows, as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))


@contextmanager
def browser(*options: str) -> Iterator[Page]:
    """Start a browser with an empty page of its own profile; it ends with the block."""
    program = chromium()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio",
            "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--autoplay-policy=no-user-gesture-required",
            f"--user-data-dir={profile}", "--remote-debugging-port=0", *options, "about:blank",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_address(Path(profile), process), max_size=None) as socket:
                yield Page(socket)
        finally:
            process.kill()
            process.wait(timeout=10)


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Wait for the file in which the browser says where it listens, and for its page."""
    said, end = profile / "DevToolsActivePort", time.monotonic() + _STARTS_S
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
        if said.exists() and "\n" in (text := said.read_text(encoding="utf-8")):
            with urlopen(f"http://127.0.0.1:{text.split()[0]}/json/list", timeout=10) as answer:
                for tab in json.load(answer):
                    if tab["type"] == "page":
                        return str(tab["webSocketDebuggerUrl"])
    pytest.skip("the Chromium that is installed does not start here")
