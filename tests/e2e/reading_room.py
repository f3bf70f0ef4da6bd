"""A real `hilum run` and a real Chromium for browser tests."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright

from tests.releases import make_tiny_release

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_RELEASE = ROOT / "models" / "default"
# Fourteen findings with Pneumonia among them; Hernia is "not established" in a tiny release.
FINDINGS = (
    "Effusion", "Atelectasis", "Pneumothorax", "Hernia", "Cardiomegaly", "Pneumonia", "Edema", "Mass", "Nodule",
    "Infiltration", "Consolidation", "Fibrosis", "Emphysema", "Pleural Thickening",
)  # fmt: skip
# Chromium in a container: no sandbox as root, no GPU, and none of its own calls home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium_path() -> Path | None:
    """The system's Chromium, or the one that HILUM_CHROMIUM names; None where there is none."""
    named = os.environ.get("HILUM_CHROMIUM")
    places = [named] if named else ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
    return next((Path(place) for place in places if Path(place).exists()), None)


def launch(playwright: Playwright, path: Path) -> Browser:
    """A headless browser that talks to nobody by itself."""
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


@dataclass(frozen=True)
class Room:
    """A running reading room."""

    url: str

    def upload(self, *files: Path, **fields: str) -> list[str]:
        """Send films as a program does; returns their studies' UIDs."""
        parts = [("file", (path.name, path.read_bytes())) for path in files]
        answer = httpx.post(f"{self.url}/v1/studies", files=parts, data=fields, timeout=60)
        assert answer.status_code in {200, 201}, answer.text
        return [study["uid"] for study in answer.json()["studies"]]

    def study(self, uid: str) -> dict[str, object]:
        """The study as the JSON API gives it."""
        found: dict[str, object] = httpx.get(f"{self.url}/v1/studies/{uid}", timeout=30).raise_for_status().json()
        return found

    def studies(self) -> list[dict[str, object]]:
        """The unread studies, earliest due first."""
        answer = httpx.get(f"{self.url}/v1/studies", params={"limit": 200}, timeout=30).raise_for_status().json()
        studies: list[dict[str, object]] = answer["studies"]
        return studies

    def export(self) -> str:
        """Feedback's training export."""
        return httpx.get(f"{self.url}/feedback/v1/export.csv", timeout=30).raise_for_status().text


@contextlib.contextmanager
def running(folder: Path, *, samples: bool = False, **settings: str) -> Iterator[Room]:
    """`hilum run` on a free port with its data in `folder`; `settings` are environment variables."""
    release = {}
    if not (DEFAULT_RELEASE / "manifest.json").exists():
        make_tiny_release(folder / "release", FINDINGS)
        release = {"HILUM_RELEASE": str(folder / "release"), "HILUM_TRUSTED_KEYS": ""}
    environment = {**os.environ, "HILUM_LOG_LEVEL": "warning", **release, **settings}
    command = [sys.executable, "-c", "from services.cli import main; main()", "run", "--port", "0"]
    command += ["--data", str(folder / "data"), "--samples" if samples else "--no-samples"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"http://[\d.]+:\d+", line):
                # Somebody must go on reading, or the pipe fills and the service stops in the middle of a line.
                threading.Thread(target=process.stdout.read, daemon=True).start()
                yield Room(found.group())
                break
        else:
            raise AssertionError("hilum run did not start:\n" + "".join(said))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Watch:
    """What a page must not do: complain in the console, break its own policy, or ask another origin."""

    url: str
    complaints: list[str] = field(default_factory=list)
    # Chromium reports each 4xx and each cut connection in the console: a test that provokes them says so.
    expected: str = r"$^"

    def attach(self, page: Page) -> None:
        """Watch `page` from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        # Playwright's own words where a test has no service worker.
        if "blocked by Playwright" in message.text:
            return
        if message.type in {"error", "warning"} and not re.search(self.expected, message.text):
            self.complaints.append(f"console: {message.text}")

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"blob", "data"} and f"{parts.scheme}://{parts.netloc}" != self.url:
            self.complaints.append(f"request to another origin: {url}")
