"""What a call costs beside its film: round trip of a small JPEG at one connection, less the phases the answer reports.

    python -m bench.overhead [--calls 200] [--out docs/benchmarks]

A bare socket sends it, so that no client's own time is counted. Writes `overhead-<cpu>.csv`: milliseconds.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from bench import machine
from bench.rivals.servers import ours
from bench.server import service
from hilum.settings import REPOSITORY
from tests.servers import read_answer

FILM = REPOSITORY / "samples" / "nih_00001350_000.jpg"
ROUNDS = 3


def calls(port: int, raw: bytes, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of `count` round trips, and of each what its phases leave over."""
    whole, over = [], []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            began = time.perf_counter()
            connection.sendall(raw)
            status, body = read_answer(connection)
            took = 1000 * (time.perf_counter() - began)
            if status != 200:
                raise SystemExit(f"answered with {status}: {body[:200]!r}")
            whole.append(took)
            over.append(took - 1000 * sum(json.loads(body)["timings"].values()))
    return whole, over


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200, help="calls a round")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks", help="folder for the CSV file")
    arguments = parser.parse_args()
    with service() as running:
        port = int(running.url.rpartition(":")[2])
        raw = ours("unused").film(FILM.read_bytes(), "image/jpeg").raw(port)
        calls(port, raw, 50)
        rounds = [calls(port, raw, arguments.calls) for _ in range(ROUNDS)]
    path = arguments.out / f"overhead-{machine.slug()}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["figure", "round", "median_ms", "p95_ms", "n", "cpu", "cores", "load_average", "date"])
        on = [machine.cpu(), machine.cores(), f"{os.getloadavg()[0]:.1f}", datetime.now(UTC).date().isoformat()]
        for number, (whole, over) in enumerate(rounds, 1):
            for name, values in (("round trip", whole), ("round trip less its phases", over)):
                points = [f"{np.percentile(values, p):.2f}" for p in (50, 95)]
                writer.writerow([name, number, *points, len(values), *on])
                Console().print(f"{name}: {points[0]} ms in the median, 95 %: {points[1]} ms")
    Console().print(f"Written to {path}")


if __name__ == "__main__":
    main()
