"""Measure Hilum's inference service beside the bare ONNX Runtime loop, BentoML, Ray Serve and KServe's server.

    python -m bench.rivals [--seconds 3] [--rounds 2] [--concurrency 1 4 16 32 64]

All servers run at once and are loaded in turn, row by row, the order turning with each row: same ONNX file, provider,
precision and threads. Films per second, latencies and processor time per film go to
`docs/benchmarks/rivals-<processor>.csv` and a plot beside it. Ratios hold; the absolute figures are this machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from bench import machine
from bench.rivals import payloads
from bench.rivals.common import WORKERS, Model
from bench.rivals.load import Call, load, once
from bench.rivals.servers import RIVALS, Running, ours, started
from hilum.settings import REPOSITORY
from services.inference.heap import reuse_memory_of_films

BARE = "bare ONNX Runtime"


@dataclass(frozen=True)
class Row:
    """One server under one load; milliseconds, and films a second over `seconds`."""

    model: str
    payload: str
    concurrency: int
    server: str
    films: int
    seconds: float
    films_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms_per_film: float
    refused: int


def bare(model: Model, payload: str, data: bytes, threads: int, seconds: float) -> tuple[list[float], float, float]:
    """The bare loop on `threads` threads: latencies, seconds, processor seconds."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    def work() -> None:
        while (began := time.perf_counter()) < until:
            films = model.tensors(data) if payload == "tensor" else model.film(data)[np.newaxis]
            model.run(films)
            latencies.append(time.perf_counter() - began)

    began, cpu = time.perf_counter(), time.process_time()
    team = [threading.Thread(target=work) for _ in range(threads)]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    return latencies, time.perf_counter() - began, time.process_time() - cpu


def row(name: tuple[str, str, int, str], latencies: list[float], seconds: float, cpu: float, refused: int) -> Row:
    """Summarise one load."""
    values = np.array(latencies or [float("nan")]) * 1000
    points = [float(np.percentile(values, p)) for p in (50, 95, 99)]
    films = len(latencies)
    return Row(*name, films, seconds, films / seconds, *points, 1000 * cpu / max(films, 1), refused)


def merged(rows: list[Row]) -> Row:
    """Rounds of one cell as one row: counts summed, the median of the rest."""
    first = rows[0]

    def middle(field: str) -> float:
        return float(np.median([getattr(each, field) for each in rows]))

    return Row(
        first.model,
        first.payload,
        first.concurrency,
        first.server,
        sum(each.films for each in rows),
        round(sum(each.seconds for each in rows), 2),
        *(round(middle(f), 3) for f in ("films_per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_ms_per_film")),
        sum(each.refused for each in rows),
    )


def calls(running: Running, loads: dict[str, tuple[bytes, str]], shape: list[int]) -> dict[str, Call]:
    """The server's requests by payload."""
    made = {}
    for payload, (data, kind) in loads.items():
        server = running.server
        made[payload] = server.tensor(data, shape) if payload == "tensor" else server.film(data, kind)
    return made


def measure(
    title: str,
    release: Path,
    keys: Path,
    loads: dict[str, tuple[bytes, str]],
    chosen: argparse.Namespace,
    console: Console,
    logs: Path,
) -> list[Row]:
    """All rows of one release."""
    model = Model(release)
    shape = [1, *model.shape]
    rows: dict[tuple[str, int, str], list[Row]] = {}
    with contextlib.ExitStack() as stack:
        teams: list[Running] = []
        for server in (ours(model.manifest.name), *RIVALS):
            if not server.there():
                console.print(f"{server.name}: not installed (make rivals), left out")
                continue
            began = time.perf_counter()
            teams.append(stack.enter_context(started(server, release, keys, logs / f"{title}-{server.name}.log")))
            console.print(f"{server.name} answers after {time.perf_counter() - began:.1f} s")
        requests = {running.server.name: calls(running, loads, shape) for running in teams}
        for running in teams:
            for payload, call in requests[running.server.name].items():
                status, body = once(running.port, call)
                if status != 200:
                    raise SystemExit(f"{running.server.name} answered {payload} with {status}: {body[:300]!r}")
                load(running.port, call, 4, 1.0)
        turn = 0
        for _ in range(chosen.rounds):
            for payload in loads:
                for concurrency in chosen.concurrency:
                    turn += 1
                    order: list[Running | None] = [None, *teams]
                    order = order[turn % len(order) :] + order[: turn % len(order)]
                    for running in order:
                        cell = _one(title, payload, concurrency, running, model, loads, requests, chosen.seconds)
                        rows.setdefault((payload, concurrency, cell.server), []).append(cell)
                        console.print(
                            f"{payload:<7} x{concurrency:<3} {cell.server:<18} {cell.films_per_second:8.1f} films/s  "
                            f"p50 {cell.p50_ms:7.2f}  p99 {cell.p99_ms:8.2f} ms  {cell.cpu_ms_per_film:6.2f} ms CPU"
                            + (f"  {cell.refused} refused" if cell.refused else ""),
                            highlight=False,
                        )
        for running in teams:
            console.print(f"{running.server.name}: {running.memory_mib():.0f} MiB", highlight=False)
    return [merged(each) for each in rows.values()]


def _one(
    title: str,
    payload: str,
    concurrency: int,
    running: Running | None,
    model: Model,
    loads: dict[str, tuple[bytes, str]],
    requests: dict[str, dict[str, Call]],
    seconds: float,
) -> Row:
    if running is None:
        threads = min(concurrency, WORKERS)
        latencies, took, cpu = bare(model, payload, loads[payload][0], threads, seconds)
        return row((title, payload, concurrency, BARE), latencies, took, cpu, 0)
    before = running.cpu_seconds()
    seen, took = load(running.port, requests[running.server.name][payload], concurrency, seconds)
    cpu = running.cpu_seconds() - before
    return row((title, payload, concurrency, running.server.name), seen.seconds, took, cpu, seen.refused)


def main() -> None:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 4, 16, 32, 64])
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    parser.add_argument("--only", choices=["default", "tiny"])
    chosen = parser.parse_args()
    console = Console()
    # The bare loop is the limit: it has the same memory settings as our service, without which it is slower.
    reuse_memory_of_films()
    rng = np.random.default_rng(0)
    tensor = (rng.random((1, 1, 128, 128), dtype=np.float32).tobytes(), "application/octet-stream")
    films = {
        "jpeg": (payloads.jpeg(), "image/jpeg"),
        "png": (payloads.png(), "image/png"),
        "dicom": (payloads.dicom(), "application/dicom"),
    }
    for name, (data, _) in films.items():
        console.print(f"{name}: {len(data) / 1000:.0f} kB", highlight=False)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        logs = Path(scratch)
        if chosen.only != "tiny":
            default = REPOSITORY / "models" / "default"
            keys = REPOSITORY / "models" / "trusted-keys.txt"
            rows += measure("default", default, keys, {**films, "tensor": tensor}, chosen, console, logs)
        if chosen.only != "default":
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

            from tests.releases import make_tiny_release, trust  # noqa: PLC0415

            key = Ed25519PrivateKey.generate()
            release = make_tiny_release(logs / "tiny", key=key)
            keys = trust(logs / "tiny-keys.txt", key)
            rows += measure("tiny", release.folder, keys, {"tensor": tensor}, chosen, console, logs)
    chosen.out.mkdir(parents=True, exist_ok=True)
    target = chosen.out / f"rivals-{machine.slug()}.csv"
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(each) for each in rows)
    from bench.rivals.plot import plot  # noqa: PLC0415

    plot(target)
    console.print(f"written to {target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target}")


if __name__ == "__main__":
    main()
