"""A headless Chromium for tests that look at pages: opens them, lets axe-core judge them, takes pictures.

It speaks the DevTools protocol over one web socket, in the test's own thread, one command at a time. Scripts reach the
page through that protocol, so the page's own Content-Security-Policy stays in force.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import aiohttp
import pytest

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP = (1200, 900)
PHONE = (360, 740)
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_PATIENCE = 60.0
"""Seconds for one answer of the browser on a busy machine; nothing is measured by it."""

Scheme = Literal["light", "dark"]


@dataclass(frozen=True)
class Violation:
    """One rule of axe-core that a page breaks, and the first places where it does."""

    rule: str
    impact: str
    help: str
    places: tuple[str, ...]


@dataclass
class Tab:
    """A page as a visitor sees it. `requested` are the addresses it asked for, itself first."""

    _browser: Browser
    _session: str
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What the browser's console says: blocked resources, errors."""

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression in the page; promises are awaited."""
        answer = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, timeout=30_000
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    @property
    def text(self) -> str:
        """What is to be read on the page, without what is hidden."""
        return str(self.evaluate("document.body.innerText"))

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(self.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def violations(self) -> list[Violation]:
        """Accessibility, by every rule of axe-core with its best practices. Skips where it is not installed."""
        if not AXE.exists():
            pytest.skip("axe-core is not installed; `make test` does it, with npm")
        self.evaluate(AXE.read_text(encoding="utf-8") + "\n;true")
        found = self.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
        return [
            Violation(
                one["id"],
                one["impact"],
                one["help"],
                tuple(str(node["target"][0]) for node in one["nodes"][:5]),
            )
            for one in found
        ]

    def accessible_names(self, role: str) -> list[str]:
        """What a screen reader calls the things of this role, in the order of the page."""
        self._call("Accessibility.enable")
        nodes = self._call("Accessibility.getFullAXTree")["nodes"]
        by_id = {node["nodeId"]: node for node in nodes}
        names: list[str] = []
        ahead = [nodes[0]["nodeId"]]
        while ahead:
            node = by_id[ahead.pop()]
            if not node["ignored"] and node["role"]["value"] == role:
                names.append(str(node.get("name", {}).get("value", "")))
            ahead += reversed([child for child in node.get("childIds", ()) if child in by_id])
        return names

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the whole page, or of the window."""
        shot = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self, path: Path) -> None:
        """The page as it is printed on A4."""
        printed = self._call("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        path.write_bytes(base64.b64decode(printed["data"]))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, params, self._session)


class Browser:
    def __init__(self, runner: asyncio.Runner, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._runner = runner
        self._socket = socket
        self._number = 0
        self._tabs: dict[str, Tab] = {}
        self._loaded: set[str] = set()

    def open(self, url: str, *, size: tuple[int, int] = DESKTOP, scheme: Scheme = "light") -> Tab:
        """Loads a page in a tab of its own and waits until it is there."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        tab = Tab(self, session)
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable", {}, session)
        width, height = size
        self.call(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
            session,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
            session,
        )
        self._tabs[session] = tab
        answer = self.call("Page.navigate", {"url": url}, session)
        assert "errorText" not in answer, answer["errorText"]
        while session not in self._loaded:
            self._note(self._receive())
        return tab

    def call(self, method: str, params: Mapping[str, Any], session: str | None = None) -> dict[str, Any]:
        """One command; what happens meanwhile is noted."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        self._runner.run(
            self._socket.send_json(command if session is None else {**command, "sessionId": session})
        )
        while True:
            message = self._receive()
            if message.get("id") == self._number:
                assert "error" not in message, f"{method}: {message['error']}"
                found: dict[str, Any] = message["result"]
                return found
            self._note(message)

    def _receive(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._runner.run(self._socket.receive_str(timeout=_PATIENCE)))
        return found

    def _note(self, message: Mapping[str, Any]) -> None:
        session, event = message.get("sessionId", ""), message.get("method")
        tab = self._tabs.get(session)
        if tab is None:
            return
        if event == "Page.loadEventFired":
            self._loaded.add(session)
        elif event == "Network.requestWillBeSent":
            tab.requested.append(message["params"]["request"]["url"])
        elif event == "Log.entryAdded":
            tab.complaints.append(message["params"]["entry"]["text"])


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with nothing remembered. Skips the test where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    with TemporaryDirectory(prefix="syncd-chromium-", ignore_cleanup_errors=True) as profile:
        command = [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield from _connected(_endpoint(process))
            finally:
                process.terminate()
                process.communicate()


def _endpoint(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("DevTools listening on "):
            return line.removeprefix("DevTools listening on ").strip()
    raise AssertionError("Chromium ended before it listened")


def _connected(endpoint: str) -> Iterator[Browser]:
    async def connect() -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
        session = aiohttp.ClientSession(trust_env=False)
        return session, await session.ws_connect(endpoint, max_msg_size=0)

    with asyncio.Runner() as runner:
        session, socket = runner.run(connect())
        try:
            yield Browser(runner, socket)
        finally:
            runner.run(socket.close())
            runner.run(session.close())
