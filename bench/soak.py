"""Send 20,000 mixed films through the inference service and watch its memory.

    python -m bench.soak [--films 20000] [--warm 4000] [--out docs/benchmarks]

A seeded mixture of JPEG, PNG and DICOM of several sizes, heat maps, tensors (Open Inference Protocol), and bad input:
cut, damaged, empty, no image. Resident memory is taken every 200 films under load, and every 1,000 at rest, after the
service gave back what is free. At rest it may grow by under 2 % after the warm-up films: that is what is still held.
Under load it also depends on how chance laid large films side by side; that growth is printed and written too. Writes
`soak-<cpu>.csv`, and ends with status 1 where it grew more at rest or anything but the expected statuses came.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from rich.console import Console

from bench import machine
from bench.server import Service, service
from hilum.settings import REPOSITORY

SEED = 20261121
REST_SECONDS = 2.0
LIMIT = 0.02
SAMPLES = REPOSITORY / "samples"
# A bad film is refused with one of these; anything else is an error of the service.
EXPECTED = frozenset({200, 400, 413, 415, 422})
console = Console()


def _made(rng: np.random.Generator, kind: str, height: int, width: int, mode: str) -> bytes:
    """A film-like file: soft blotches under grain."""
    coarse = Image.fromarray(rng.integers(20, 235, (12, 12), dtype=np.uint8)).resize((width, height))
    pixels = np.clip(np.asarray(coarse) + rng.normal(0, 6, (height, width)), 0, 255)
    image = Image.fromarray((pixels * 257).astype(np.uint16) if mode == "I;16" else pixels.astype(np.uint8))
    stream = BytesIO()
    (image.convert("RGB") if mode == "RGB" else image).save(stream, kind)
    return stream.getvalue()


def films(rng: np.random.Generator) -> list[bytes]:
    """About forty files: the samples, and made ones of 200 to 2,000 pixels a side."""
    found = [path.read_bytes() for path in sorted(SAMPLES.iterdir()) if path.suffix in {".jpg", ".jpeg", ".dcm"}]
    for k in range(20):
        height, width = (int(side) for side in rng.integers(200, 2000, 2))
        kind, mode = (("JPEG", "L"), ("PNG", "L"), ("PNG", "I;16"), ("JPEG", "RGB"))[k % 4]
        found.append(_made(rng, kind, height, width, mode))
    return found


def damaged(rng: np.random.Generator, data: bytes) -> bytes:
    """`data` cut short, with flipped bytes, or nothing of it at all."""
    how = int(rng.integers(4))
    if how == 0:
        return data[: int(rng.integers(len(data)))]
    if how == 1:
        changed = bytearray(data)
        for at in rng.integers(len(changed), size=20):
            changed[int(at)] ^= 0xFF
        return bytes(changed)
    return b"" if how == 2 else rng.bytes(int(rng.integers(1, 100_000)))


@dataclass(frozen=True)
class Sample:
    """Resident bytes after so many films."""

    films: int
    resident: int
    at_rest: bool

    @property
    def where(self) -> str:
        """Under load or at rest."""
        return "at rest" if self.at_rest else "under load"


class Mixture:
    """Requests by number: the same number always gives the same request."""

    def __init__(self, client: httpx.Client) -> None:
        self._films = films(np.random.default_rng(SEED))
        model = client.get("/v1/model").json()
        self._digest = model["release"]["digest"]
        self._findings = [finding["name"] for finding in model["findings"]]
        self._infer = f"/v2/models/{model['release']['name']}/infer"
        self._shape = (1, model["input_height"], model["input_width"])

    def __call__(self, client: httpx.Client, k: int) -> int:
        """Send request number `k`; its status."""
        rng = np.random.default_rng((SEED, k))
        data = self._films[int(rng.integers(len(self._films)))]
        kind = rng.random()
        if kind < 0.65:
            return self._post(client, "/v1/predict", data)
        if kind < 0.80:
            return self._post(client, "/v1/predict", damaged(rng, data))
        if kind < 0.85:
            finding = self._findings[int(rng.integers(len(self._findings)))]
            return self._post(client, f"/v1/explain?finding={finding}&release={self._digest}", data)
        batch = rng.normal(size=(int(rng.integers(1, 9)), *self._shape)).astype(np.float32)
        if kind < 0.87:
            batch[0, 0, 0, 0] = np.nan
        tensor = {"name": "film", "shape": batch.shape, "datatype": "FP32", "data": batch.ravel().tolist()}
        return client.post(
            self._infer, content=json.dumps({"inputs": [tensor]}), headers={"Content-Type": "application/json"}
        ).status_code

    @staticmethod
    def _post(client: httpx.Client, url: str, data: bytes) -> int:
        answer = client.post(url, files={"file": data})
        while answer.status_code == 503:
            time.sleep(float(answer.headers["retry-after"]))
            answer = client.post(url, files={"file": data})
        return answer.status_code


def rested(running: Service) -> int:
    """Resident memory once the service is at rest and gave back what it does not need."""
    time.sleep(2 * REST_SECONDS + 2.0)
    return running.resident_bytes()


def soak(running: Service, count: int, every: int) -> tuple[list[Sample], Counter[int]]:
    """Send `count` requests with four callers; memory after each `every`, at rest after each fifth of those."""
    memory, statuses = list[Sample](), Counter[int]()
    limits = httpx.Limits(max_connections=4, max_keepalive_connections=4)
    with (
        httpx.Client(base_url=running.url, timeout=120, trust_env=False, limits=limits) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        mixture = Mixture(client)
        for first in range(0, count, every):
            numbers = range(first, min(first + every, count))
            statuses.update(pool.map(lambda k: mixture(client, k), numbers))
            memory.append(Sample(numbers[-1] + 1, running.resident_bytes(), at_rest=False))
            if len(memory) % 6 == 5:
                memory.append(Sample(numbers[-1] + 1, rested(running), at_rest=True))
            console.print(f"{memory[-1].films} films, {memory[-1].resident / 1e6:.1f} MB", memory[-1].where)
    return memory, statuses


def growth(memory: list[Sample], warm: int, *, at_rest: bool) -> float:
    """By which share the median of the last fifth of the samples lies above that of the first fifth after `warm`."""
    after = [each.resident for each in memory if each.films >= warm and each.at_rest == at_rest]
    fifth = max(1, len(after) // 5)
    return statistics.median(after[-fifth:]) / statistics.median(after[:fifth]) - 1


def main() -> None:
    """Soak, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=20_000, help="requests in all")
    parser.add_argument("--warm", type=int, default=4_000, help="requests before memory is compared")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks", help="folder for the CSV file")
    arguments = parser.parse_args()
    began = time.perf_counter()
    with service(HILUM_REST_SECONDS=str(REST_SECONDS)) as running:
        memory, statuses = soak(running, arguments.films, every=max(1, arguments.films // 100))
        grown, loaded = (growth(memory, arguments.warm, at_rest=rest) for rest in (True, False))
        processor = running.cpu_seconds()
    path = arguments.out / f"soak-{machine.slug()}.csv"
    counts = " ".join(f"{status}:{n}" for status, n in sorted(statuses.items()))
    on = [
        f"{grown:.4f}",
        f"{loaded:.4f}",
        counts,
        machine.cpu(),
        str(machine.cores()),
        datetime.now(UTC).date().isoformat(),
    ]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["films", "where", "resident_mb", "growth_at_rest", "growth_under_load", "statuses", "cpu", "cores", "date"]
        )
        for each in memory:
            writer.writerow([each.films, each.where, f"{each.resident / 1e6:.1f}", *on])
    minutes = (time.perf_counter() - began) / 60
    console.print(
        f"{arguments.films} films in {minutes:.0f} min ({processor:.0f} s of processor time, load average "
        f"{os.getloadavg()[0]:.1f}); memory grew by {grown:.2%} at rest, {loaded:.2%} under load; {counts}. "
        f"Written to {path}"
    )
    if grown >= LIMIT or set(statuses) - EXPECTED:
        sys.exit(1)


if __name__ == "__main__":
    main()
