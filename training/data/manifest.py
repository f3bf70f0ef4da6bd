"""The data manifest: one row per film with patient, population, labels and sha256; its digest names the data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

UNKNOWN = -1
Labels = npt.NDArray[np.int8]


class BadData(ValueError):
    """The data cannot be trained on; the text names the file and the remedy."""


@dataclass(frozen=True)
class Film:
    """One film. `labels` holds 1 (present), 0 (absent) or UNKNOWN per finding, in the release's order.

    `patient` is unique across sources ("nih:61", "kermany:person:447"). `age` is in years, None where not known.
    """

    name: str
    path: Path
    sha256: str
    source: str
    patient: str
    labels: tuple[int, ...]
    view: str | None = None
    sex: str | None = None
    age: int | None = None
    study: str | None = None
    site: str | None = None
    device: str | None = None


def sha256(path: Path) -> str:
    """sha256 of the file's bytes, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def label_matrix(films: Sequence[Film]) -> Labels:
    """Labels of `films`, (N, K), values 1, 0 and UNKNOWN."""
    return np.array([film.labels for film in films], dtype=np.int8)


def patients_of(films: Sequence[Film]) -> npt.NDArray[np.int64]:
    """An integer per film, (N,), equal for films of the same patient; 0..P-1."""
    return np.unique([film.patient for film in films], return_inverse=True)[1].astype(np.int64)


def digest(films: Sequence[Film], split_of: Callable[[str], str], patient_hash: Callable[[str], str]) -> str:
    """sha256 over (film, sha256, patient hash, labels, split) of every film, in order of name: the data's version."""
    rows = sorted(
        (film.source, film.name, film.sha256, patient_hash(film.patient), list(film.labels), split_of(film.patient))
        for film in films
    )
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()
