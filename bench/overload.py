"""Overload the inference service: goodput and latency at a half to twice its capacity, with an open loop of arrivals.

    python -m bench.overload [--seconds 15] [--deadline 1.0] [--queue-alone] [--out docs/benchmarks]

First the queue alone, before work that only sleeps (40 ms on average, two workers): its judgement without HTTP,
model or a busy processor. Then, unless `--queue-alone`, the service, whose capacity is measured before with a closed
loop. Films arrive at fixed moments, whether or not earlier ones were answered, from several clients. Goodput counts
answers within the deadline. The figures that matter are ratios: goodput at twice the capacity over the best goodput,
and p99 of the answered over the deadline. Service and load share the processor, so that absolute figures say little.
Writes `overload-<cpu>.csv`.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import time
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from bench import machine
from bench.rivals.load import Call
from bench.server import Service, service
from hilum.settings import REPOSITORY
from services.inference.work import Busy, Waited, WorkQueue

FILM = "nih_00001350_000.jpg"
LOADS = (0.5, 0.8, 1.0, 1.5, 2.0)
CLIENTS = 4
SLEEPERS = 2
SLEEP_SECONDS = 0.04


@dataclass(frozen=True)
class Outcome:
    """What one load came to. Times in seconds, rates a second."""

    what: str
    load: float
    offered: float
    goodput: float
    shed: float
    late: int
    failed: int
    p50: float
    p99: float


class Sender:
    """Kept connections to the service, written to by hand: httpx would take a core to send 200 films a second."""

    def __init__(self, url: str, film: bytes) -> None:
        self._port = int(url.rpartition(":")[2])
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + film + b"\r\n--b--\r\n"
        self._requests = [
            Call("/v1/predict", body, "multipart/form-data; boundary=b", (("X-Client", str(k)),)).raw(self._port)
            for k in range(CLIENTS)
        ]
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, client: int) -> int:
        """The status of one film's answer; raises OSError or EOFError where none came."""
        if self._free:
            reader, writer = self._free.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)
        writer.write(self._requests[client])
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
        except (OSError, EOFError):
            writer.close()
            raise
        if b"connection: close" in head.lower():
            writer.close()
        else:
            self._free.append((reader, writer))
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """Close what is open."""
        for _, writer in self._free:
            writer.close()


async def capacity(url: str, film: bytes, seconds: float) -> float:
    """Films a second with four callers who each send the next one when the last is answered."""
    done = 0
    end = time.perf_counter() + seconds
    sender = Sender(url, film)

    async def caller(client: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            status = await sender.send(client)
            done += status == 200

    began = time.perf_counter()
    await asyncio.gather(*(caller(k) for k in range(CLIENTS)))
    sender.close()
    return done / (time.perf_counter() - began)


def queue_alone(load: float, seconds: float, deadline: float) -> Outcome:
    """The same without a service: arrivals before a queue whose work sleeps."""
    rng = np.random.default_rng(0)
    rate = load * SLEEPERS / SLEEP_SECONDS
    moments = np.cumsum(rng.exponential(1 / rate, size=round(rate * seconds)))
    naps = rng.uniform(0.5, 1.5, size=len(moments)) * SLEEP_SECONDS
    answered: list[float] = []
    refused = 0
    queue = WorkQueue(SLEEPERS, 1000, deadline)
    began = time.perf_counter()

    def answer(at: float, future: Future[Waited[None]]) -> None:
        nonlocal refused
        if future.exception() is None:
            answered.append(time.perf_counter() - began - at)
        else:
            refused += 1

    for k, at in enumerate(moments):
        time.sleep(max(0.0, began + at - time.perf_counter()))
        try:
            future = queue.submit(partial(time.sleep, naps[k]), client=str(k % CLIENTS))
        except Busy:
            refused += 1
        else:
            future.add_done_callback(partial(answer, at))
    while queue.waiting or queue.running:
        time.sleep(0.01)
    queue.close()
    good = sum(1 for latency in answered if latency <= deadline)
    p50, p99 = (float(value) for value in np.percentile(answered, [50, 99]))
    return Outcome("queue", load, rate, good / seconds, refused / seconds, len(answered) - good, 0, p50, p99)


async def offer(url: str, film: bytes, load: float, rate: float, seconds: float, deadline: float) -> Outcome:
    """Send films at `rate` a second, at moments of a Poisson process, for `seconds`."""
    rng = np.random.default_rng(0)
    moments = np.cumsum(rng.exponential(1 / rate, size=round(rate * seconds)))
    answered: list[float] = []
    refused = failed = 0

    sender = Sender(url, film)

    async def send(at: float, k: int) -> None:
        nonlocal refused, failed
        await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
        try:
            status = await sender.send(k % CLIENTS)
        except (OSError, EOFError):
            failed += 1
            return
        if status == 200:
            # From the planned moment: a sender who comes late because of the load is part of the load.
            answered.append(time.perf_counter() - began - at)
        elif status == 503:
            refused += 1
        else:
            failed += 1

    began = time.perf_counter()
    await asyncio.gather(*(send(at, k) for k, at in enumerate(moments)))
    sender.close()
    good = sum(1 for latency in answered if latency <= deadline)
    p50, p99 = np.percentile(answered, [50, 99]) if answered else (float("nan"), float("nan"))
    late = len(answered) - good
    return Outcome("service", load, rate, good / seconds, refused / seconds, late, failed, float(p50), float(p99))


async def measure(running: Service, seconds: float, deadline: float) -> list[Outcome]:
    """All loads, lowest first."""
    film = (REPOSITORY / "samples" / FILM).read_bytes()
    await capacity(running.url, film, 3.0)
    best = await capacity(running.url, film, seconds)
    return [await offer(running.url, film, load, load * best, seconds, deadline) for load in LOADS]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0, help="duration of each load")
    parser.add_argument("--deadline", type=float, default=1.0, help="HILUM_DEADLINE_SECONDS of the service")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks", help="folder for the CSV file")
    parser.add_argument("--queue-alone", action="store_true", help="no service: what a busy machine can still measure")
    arguments = parser.parse_args()
    environment = {
        "HILUM_DEADLINE_SECONDS": str(arguments.deadline),
        "HILUM_CLIENT_HEADER": "X-Client",
        "HILUM_QUEUE": "1000",
        "HILUM_WORKERS": "1",
    }
    outcomes = [queue_alone(load, arguments.seconds, arguments.deadline) for load in LOADS]
    if not arguments.queue_alone:
        with service(**environment) as running:
            outcomes += asyncio.run(measure(running, arguments.seconds, arguments.deadline))
    peak = {o.what: max(p.goodput for p in outcomes if p.what == o.what) for o in outcomes}
    on = {
        "cpu": machine.cpu(),
        "cores": str(machine.cores()),
        "load_average": f"{os.getloadavg()[0]:.1f}",
        "date": datetime.now(UTC).date().isoformat(),
    }
    console = Console()
    path = arguments.out / f"overload-{machine.slug()}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        head = ["what", "load", "offered_per_s", "goodput_per_s", "goodput_of_peak", "shed_per_s", "late", "failed"]
        writer.writerow([*head, "p50_s", "p99_s", "p99_of_deadline", "deadline_s", *on])
        for o in outcomes:
            rates = [f"{o.offered:.1f}", f"{o.goodput:.1f}", f"{o.goodput / peak[o.what]:.3f}", f"{o.shed:.1f}"]
            times = [f"{o.p50:.3f}", f"{o.p99:.3f}", f"{o.p99 / arguments.deadline:.3f}", f"{arguments.deadline:g}"]
            row = [o.what, f"{o.load:g}", *rates, str(o.late), str(o.failed), *times]
            console.print("  ".join(row))
            writer.writerow([*row, *on.values()])
    console.print(f"Written to {path}")


if __name__ == "__main__":
    main()
