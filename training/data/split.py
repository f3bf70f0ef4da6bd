"""Split by patient with a salted hash, so that a patient stays in one split as data grows (DESIGN, rule 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from training.data.manifest import BadData, Film

# Upper edges of the hash's unit interval. Calibration is larger than usual: every established finding needs 15
# positive patients there.
EDGES = (("train", 0.68), ("calibration", 0.84), ("validation", 0.88), ("locked", 1.0))
SPLITS = tuple(name for name, _ in EDGES)


def patient_hash(patient: str, salt: str) -> str:
    """Salted SHA-256 of a patient, in hex."""
    return hashlib.sha256(f"{salt}|{patient}".encode()).hexdigest()


def split_of(patient: str, salt: str) -> str:
    """The split of `patient`."""
    place = int(patient_hash(patient, salt)[:16], 16) / 2**64
    return next(name for name, edge in EDGES if place < edge)


def split_films(films: Sequence[Film], salt: str) -> dict[str, list[Film]]:
    """`films` by split; raises BadData where a patient crosses, or the same bytes stand on both sides of a border."""
    parts: dict[str, list[Film]] = {name: [] for name in SPLITS}
    for film in films:
        parts[split_of(film.patient, salt)].append(film)
    check_apart(parts)
    return parts


def check_apart(parts: dict[str, list[Film]]) -> None:
    """Raise BadData where a patient stands in two splits."""
    seen: dict[str, str] = {}
    for name, members in parts.items():
        for film in members:
            if seen.setdefault(film.patient, name) != name:
                raise BadData(f"patient of {film.name} stands in {seen[film.patient]} and in {name}")
