"""Tiny sources made for one test: films of noise, and tables with exactly the cells that a test is about."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from tests.training.films import SHARED
from training.config import CONFIGS, Data, Source, read_recipe
from training.data import Manifest, read_sources
from training.data.manifest import Film
from training.data.nih import COLUMNS, TABLE


@cache
def shared_manifest() -> Manifest:
    """The shared films by the bundled recipe, read once for all tests."""
    return read_sources(read_recipe(CONFIGS / "default.yaml").data, SHARED)


def grey(path: Path, size: int = 40) -> Path:
    """A film of noise, another one for each name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(path.name.encode()))
    Image.fromarray(rng.integers(0, 255, (size, size), dtype=np.uint8)).save(path)
    return path


def write_csv(path: Path, header: Sequence[str], *rows: Sequence[object]) -> Path:
    """A CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def nih(folder: Path, *rows: tuple[str, str, int]) -> Path:
    """NIH's folder of films (name, labels, patient): women of 50, PA."""
    for name, _, _ in rows:
        grey(folder / "images" / f"{name}.jpg")
    write_csv(folder / TABLE, COLUMNS, *((f"{name}.png", labels, p, 50, "F", "PA") for name, labels, p in rows))
    return folder


def data(*sources: Source, **fields: object) -> Data:
    """The data section of a recipe."""
    return Data.model_validate({"sources": [source.model_dump() for source in sources], **fields})


def films(count: int, patients: int, findings: int = 1) -> list[Film]:
    """Films without files, `count` of them by turns of `patients` patients, all labels 0."""
    return [
        Film(f"film{n}", Path(f"film{n}.jpg"), f"{n:064x}", "made", f"made:{n % patients}", (0,) * findings)
        for n in range(count)
    ]
