"""Measure the inference service: start, memory, one prediction by phase and as a whole call, against the bare model.

    python -m bench.inference [--repeats 200] [--out docs/benchmarks]

Writes `inference-<cpu>.csv`: one row a figure, with what it was measured on and how busy that was.
Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.table import Table

from bench import machine
from hilum.imaging import Limits, decode
from hilum.imaging.preprocess import preprocess
from hilum.settings import REPOSITORY
from services.inference.assess import assess, explain
from services.inference.loading import load
from services.inference.scorer import Scorer
from services.inference.settings import InferenceSettings

FILMS = ("nih_test1.dcm", "nema_rg1.dcm", "nih_00001350_000.jpg")


@dataclass(frozen=True)
class Figure:
    """One measured figure: median and 95th percentile of `n` values."""

    what: str
    film: str
    unit: str
    median: float
    p95: float
    n: int


def figure(what: str, film: str, unit: str, values: list[float]) -> Figure:
    """Summarise `values`."""
    p95 = float(np.percentile(values, 95))
    return Figure(what, film, unit, statistics.median(values), p95, len(values))


def milliseconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Time `work`, after five calls that do not count."""
    for _ in range(5):
        work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e3)
    return times


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def service() -> Iterator[tuple[int, str, float]]:
    """The service as its own process: pid, base URL, seconds from start to ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {**os.environ, "HILUM_PORT": str(port), "HILUM_HOST": "127.0.0.1", "HILUM_LOG_LEVEL": "warning"}
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "services.inference"], env=env, cwd=REPOSITORY)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            if process.poll() is not None:
                raise SystemExit("the service did not start")
            try:
                if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.005)
        yield process.pid, url, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)


def bare_model(scorer: Scorer, film: bytes, repeats: int) -> list[float]:
    """The same file in a plain ONNX Runtime loop: the least that a prediction can cost here."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    model = scorer.release.read(scorer.variant.file)
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    batch = preprocess(decode(film).pixels, scorer.manifest.input)[np.newaxis]
    return milliseconds(lambda: session.run(["logits"], {"film": batch}), repeats)


def in_process(scorer: Scorer, name: str, repeats: int) -> list[Figure]:
    """The phases of one prediction, without HTTP."""
    data = (REPOSITORY / "samples" / name).read_bytes()
    done = [assess(scorer, data, Limits()) for _ in range(repeats + 5)][5:]
    phases = {
        "decode": [d.decode_seconds * 1e3 for d in done],
        "preprocess": [d.score.preprocess_seconds * 1e3 for d in done],
        "infer, calibrate, domain": [d.score.infer_seconds * 1e3 for d in done],
        "bare ONNX Runtime": bare_model(scorer, data, repeats),
        "explain": milliseconds(lambda: explain(scorer, data, Limits(), scorer.manifest.findings[0]), repeats // 4),
    }
    return [figure(what, name, "ms", values) for what, values in phases.items()]


def measure(repeats: int) -> tuple[Scorer, list[Figure]]:
    """All figures."""
    scorer = load(InferenceSettings())
    figures = [f for name in FILMS for f in in_process(scorer, name, repeats)]
    starts = []
    for _ in range(3):
        with service() as (_, _, seconds):
            starts.append(seconds)
    figures.append(figure("start to ready", "", "s", starts))
    with service() as (pid, url, _), httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        figures.append(figure("resident memory when ready", "", "MB", [resident_megabytes(pid)]))
        for name in FILMS:
            data = (REPOSITORY / "samples" / name).read_bytes()

            def call(data: bytes = data) -> None:
                client.post("/v1/predict", files={"file": data}).raise_for_status()

            calls = milliseconds(call, repeats)
            figures.append(figure("whole call over loopback", name, "ms", calls))
            bare = next(f for f in figures if f.what == "bare ONNX Runtime" and f.film == name)
            ratio = statistics.median(calls) / bare.median
            figures.append(Figure("whole call / bare ONNX Runtime", name, "ratio", ratio, ratio, repeats))
        figures.append(figure("resident memory after all calls", "", "MB", [resident_megabytes(pid)]))
    return scorer, figures


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, help="predictions per figure (default 200)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks", help="folder for the CSV file")
    arguments = parser.parse_args()
    scorer, figures = measure(arguments.repeats)
    on = {
        "cpu": machine.cpu(),
        "cores": str(machine.cores()),
        "load_average": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "onnxruntime": ort.__version__,
        "release": scorer.release.digest,
        "date": datetime.now(UTC).date().isoformat(),
    }
    table = Table("figure", "film", "median", "95 %", "unit", "n", title=machine.describe())
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"inference-{machine.slug()}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["figure", "film", "median", "p95", "unit", "n", *on])
        for f in figures:
            row = [f.what, f.film, f"{f.median:.3f}", f"{f.p95:.3f}", f.unit, str(f.n)]
            writer.writerow([*row, *on.values()])
            table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(f"Written to {path}")


if __name__ == "__main__":
    main()
