"""Split by patient with a salted hash, so that a patient stays in one split as data grows (DESIGN, rule 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from training.config import Split
from training.data.manifest import BadData, Film

SPLITS = ("train", "calibration", "validation", "locked")
# A film of no known patient might be anybody's: it may be learned from, never judged on.
NOBODY = "nobody:"


def edges(split: Split) -> tuple[tuple[str, float], ...]:
    """Upper edge of each split in the hash's unit interval."""
    train, calibration = split.train, split.train + split.calibration
    uppers = (train, calibration, calibration + split.validation, 1.0)
    # 0.68 + 0.16 is 0.8400000000000001 in binary; an edge is what a person wrote.
    return tuple(zip(SPLITS, (round(upper, 9) for upper in uppers), strict=True))


def patient_hash(patient: str, salt: str) -> str:
    """Salted SHA-256 of a patient, in hex."""
    return hashlib.sha256(f"{salt}|{patient}".encode()).hexdigest()


def split_of(patient: str, split: Split) -> str:
    """The split of `patient`."""
    if patient.startswith(NOBODY):
        return "train"
    place = int(patient_hash(patient, split.salt)[:16], 16) / 2**64
    return next(name for name, edge in edges(split) if place < edge or name == SPLITS[-1])


def split_films(films: Sequence[Film], split: Split) -> dict[str, list[Film]]:
    """`films` by split; raises BadData where a patient crosses, or the same bytes stand on both sides of a border."""
    parts: dict[str, list[Film]] = {name: [] for name in SPLITS}
    homes: dict[str, str] = {}
    for film in films:
        if film.patient not in homes:
            homes[film.patient] = split_of(film.patient, split)
        parts[homes[film.patient]].append(film)
    check_apart(parts)
    return parts


def check_apart(parts: Mapping[str, Sequence[Film]]) -> None:
    """Raise BadData where a patient, or a film byte for byte, stands in two splits."""
    homes: dict[str, str] = {}
    bytes_of: dict[str, tuple[str, Film]] = {}
    for name, members in parts.items():
        for film in members:
            if homes.setdefault(film.patient, name) != name:
                raise BadData(f"patient of {film.name} stands in {homes[film.patient]} and in {name}")
            home, twin = bytes_of.setdefault(film.sha256, (name, film))
            if home != name:
                raise BadData(
                    f"{film.source}'s {film.name} (patient {film.patient}, {name}) is byte for byte {twin.source}'s "
                    f"{twin.name} (patient {twin.patient}, {home}): give both the same patient, or remove one"
                )
