"""Measure the input pipeline: reading the store of frames against decoding the original films.

    python -m bench.training_data [--films 2000] [--out docs/benchmarks]

The same films in the same order, drawn at random in batches of 32, by one thread, in alternating rounds: decoded and
squashed from their files, and read from the store. Files and store are both in the page cache after the first round,
which does not count. Kinds: the shared 128 px and 224 px JPEGs, and NIH's 1024 px DICOM films.
Writes `training-data-<cpu>.csv`.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import machine
from hilum.settings import REPOSITORY
from training.config import CONFIGS, read_recipe
from training.data import Film, read_sources
from training.data.manifest import sha256
from training.data.shards import FrameStore
from training.data.store import frame

BATCH = 32
ROUNDS = 5
SIZE = 128


@dataclass(frozen=True)
class Result:
    """Films per second of both ways, medians of the rounds, and their ratio (the median of the rounds' ratios)."""

    films: str
    n: int
    frame_px: int
    decode_films_per_second: float
    store_films_per_second: float
    ratio: float
    lowest_ratio: float
    machine: str
    load: float
    when: str


def seconds(work: Callable[[Sequence[int]], object], order: Sequence[int]) -> float:
    """Wall time of `work` over `order` in batches."""
    began = time.perf_counter()
    for start in range(0, len(order), BATCH):
        work(order[start : start + BATCH])
    return time.perf_counter() - began


def measure(title: str, films: Sequence[Film], folder: Path) -> Result:
    """Both ways over `films`, each chosen `ROUNDS` times."""
    store = FrameStore(folder, SIZE)
    store.build(films)
    frames = store.frames(films)
    rng = np.random.default_rng(0)
    decoded, stored = [], []
    for number in range(ROUNDS + 1):
        order = [int(n) for n in rng.permutation(len(films))]
        spent = (
            seconds(lambda batch: np.stack([frame(films[n].path, SIZE) for n in batch]), order),
            seconds(lambda batch: frames[np.array(batch)], order),
        )
        if number:
            decoded.append(spent[0])
            stored.append(spent[1])
    ratios = [slow / fast for slow, fast in zip(decoded, stored, strict=True)]
    return Result(
        title,
        len(films),
        SIZE,
        round(len(films) / statistics.median(decoded), 1),
        round(len(films) / statistics.median(stored), 1),
        round(statistics.median(ratios), 1),
        round(min(ratios), 1),
        machine.describe(),
        round(os.getloadavg()[0], 1),
        f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
    )


def chosen(data: Path, count: int) -> dict[str, list[Film]]:
    """The films of each kind, at most `count`, evenly from the whole."""
    films = read_sources(read_recipe(CONFIGS / "default.yaml").data, data).films
    kinds = {
        "NIH, 128 px JPEG": [film for film in films if film.source == "nih"],
        "Kermany, 224 px JPEG": [film for film in films if film.source == "kermany"],
    }
    paths = sorted((data / "dicom").glob("*.dcm"))
    kinds["NIH, 1024 px DICOM"] = [replace(films[0], name=p.stem, path=p, sha256=sha256(p)) for p in paths]
    return {title: of[:: max(1, len(of) // count)][:count] for title, of in kinds.items() if of}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    arguments = parser.parse_args()
    beside = REPOSITORY.parent / "shared" / "data"
    data = Path(os.environ.get("HILUM_TRAINING_DATA", beside))
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(title, films, Path(folder)) for title, films in chosen(data, arguments.films).items()]
    names = [field.name for field in fields(Result)]
    path = arguments.out / f"training-data-{machine.slug()}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([names, *map(astuple, results)])
    table = Table("films", "n", "decoded, films/s", "from the store, films/s", "ratio")
    for each in results:
        cells = (each.n, each.decode_films_per_second, each.store_films_per_second, each.ratio)
        table.add_row(each.films, *map(str, cells))
    Console().print(table, f"written: {path.name}")


if __name__ == "__main__":
    main()
