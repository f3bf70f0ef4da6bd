"""Measure the reading room as a person meets it: start, memory, and how soon an acknowledged film is ranked.

Runs the real `hilum run` in a folder of its own, sends it the sample films, and writes
`docs/benchmarks/reading-room-<cpu>.csv`. With `--setup` it first makes a fresh virtual environment and times that too.
The figures are of this machine alone; compare two things only within one run.
"""

from __future__ import annotations

import argparse
import atexit
import csv
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from PIL import Image
from rich.console import Console
from rich.table import Table

from bench.machine import describe, slug

ROOT = Path(__file__).resolve().parent.parent
console = Console(stderr=True)


@dataclass(frozen=True)
class Figure:
    """One measured value; `samples` is how many single measurements it comes from."""

    name: str
    value: float
    unit: str
    samples: int = 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Room:
    """A running `hilum run` on a port of its own."""

    def __init__(self, data: Path, *, samples: bool) -> None:
        self.port = _free_port()
        command = [sys.executable, "-m", "services.cli", "run", "--port", str(self.port), "--data", str(data)]
        started = time.perf_counter()
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [*command, *([] if samples else ["--no-samples"])],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HILUM_BLIND_SHARE": "0"},
        )
        atexit.register(self.process.kill)  # should a measurement fail, nothing is left running
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self._until(lambda: self.client.get("/").status_code == httpx.codes.OK)
        self.first_page_seconds = time.perf_counter() - started
        self._until(lambda: self.client.get("/inference/readyz").status_code == httpx.codes.OK)
        self.ready_seconds = time.perf_counter() - started

    def _until(self, holds: object, limit_seconds: float = 120.0) -> None:
        assert callable(holds)  # noqa: S101
        deadline = time.perf_counter() + limit_seconds
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"hilum run ended with {self.process.returncode}")
            try:
                if holds():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise SystemExit("hilum run did not become ready")

    def unscored(self) -> int:
        """How many unread studies still wait for their score."""
        return sum(s["status"] == "waiting" for s in self.client.get("/v1/studies?limit=200").json()["studies"])

    def rank_seconds(self, film: bytes, name: str) -> tuple[float, float]:
        """Seconds to the acknowledgement, and from there until the study has its band."""
        sent = time.perf_counter()
        answer = self.client.post("/v1/studies", files={"file": (name, film)})
        answer.raise_for_status()
        acknowledged = time.perf_counter()
        uid = answer.json()["uid"]
        self._until(lambda: self.client.get(f"/v1/studies/{uid}").json()["status"] != "waiting")
        return acknowledged - sent, time.perf_counter() - acknowledged

    def memory_mb(self) -> float:
        """Resident memory of the process and its children, megabytes."""
        kilobytes = 0
        for pid in (self.process.pid, *_children(self.process.pid)):
            for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
                if line.startswith("VmRSS:"):
                    kilobytes += int(line.split()[1])
        return kilobytes / 1000

    def stop(self) -> float:
        """Seconds from SIGINT to the end."""
        asked = time.perf_counter()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        self.client.close()
        return time.perf_counter() - asked


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text(encoding="utf-8").split()] if path.exists() else []


def _variant(path: Path, number: int, folder: Path) -> bytes:
    """The film of `path` with one pixel changed, so that it is another film of the same size."""
    with Image.open(path) as image:
        changed = image.convert("L")
    changed.putpixel((0, 0), number % 256)
    changed.putpixel((1, 0), number // 256)
    target = folder / f"{number}.png"
    changed.save(target)
    return target.read_bytes()


def measure(folder: Path, films: int) -> list[Figure]:
    """All figures of one machine; `folder` is empty and stays ours."""
    figures = []
    room = Room(folder / "data", samples=True)
    figures.append(Figure("first start: to the first page", room.first_page_seconds, "s"))
    figures.append(Figure("first start: to a ready model", room.ready_seconds, "s"))
    began = time.perf_counter()
    while room.unscored():
        time.sleep(0.1)
    figures.append(Figure("first start: all sample films ranked after", time.perf_counter() - began, "s"))
    figures.append(Figure("stop by Ctrl-C", room.stop(), "s"))

    room = Room(folder / "data", samples=True)
    figures.append(Figure("second start: to the first page", room.first_page_seconds, "s"))
    figures.append(Figure("memory after start", room.memory_mb(), "MB"))
    jpegs = sorted((ROOT / "samples").glob("*.jp*g"))
    acknowledged, ranked = [], []
    for number in range(films):
        body = _variant(jpegs[number % len(jpegs)], number, folder)
        to_ack, to_rank = room.rank_seconds(body, f"{number}.png")
        acknowledged.append(to_ack)
        ranked.append(to_rank)
    for name, seconds in (("film sent to acknowledged", acknowledged), ("acknowledged to ranked", ranked)):
        figures.append(Figure(f"{name}: p50", 1000 * statistics.median(seconds), "ms", films))
        figures.append(Figure(f"{name}: p95", 1000 * statistics.quantiles(seconds, n=20)[-1], "ms", films))
    figures.append(Figure(f"memory after {films} films", room.memory_mb(), "MB"))
    room.stop()
    return figures


def set_up(folder: Path) -> Figure:
    """Seconds for a fresh virtual environment with what `make run` needs."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)  # noqa: S603
    python = str(folder / "venv/bin/python")
    for arguments in (["-r", "requirements/serve.txt"], ["--no-deps", "-e", "."]):
        subprocess.run([python, "-m", "pip", "install", "-q", *arguments], cwd=ROOT, check=True)  # noqa: S603
    return Figure("set-up of .venv for make run", time.perf_counter() - started, "s")


def main() -> None:
    """Measure, print, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=50, help="films to send (default 50)")
    parser.add_argument("--setup", action="store_true", help="time a fresh virtual environment too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hilum-bench-") as name:
        folder = Path(name)
        figures = [set_up(folder)] if options.setup else []
        figures += measure(folder, options.films)
    target = ROOT / "docs/benchmarks" / f"reading-room-{slug()}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    table = Table("figure", "value", "unit", "n", title=describe())
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["figure", "value", "unit", "n", "machine"])
        for figure in figures:
            writer.writerow([figure.name, f"{figure.value:.3g}", figure.unit, figure.samples, describe()])
            table.add_row(figure.name, f"{figure.value:.3g}", figure.unit, str(figure.samples))
    console.print(table)
    console.print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
