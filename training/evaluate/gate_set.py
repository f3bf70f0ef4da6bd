"""Films held apart, packed as the set that the staging gate replays (hilum.gates.film_set)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hilum.gates.film_set import LabelledFilm, write_set
from hilum.storage.blobs import Blobs
from training.data.manifest import BadData, Film, Manifest


@dataclass(frozen=True)
class Packed:
    """What lies in the store now."""

    films: int
    patients: int
    digest: str


def pack(manifest: Manifest, blobs: Blobs, most: int = 0) -> Packed:
    """Write the films of `manifest` (all of them held apart) with their labels into `blobs`.

    Patients and films lie under hashes, never under the source's names. With `most`, patients are taken in the order
    of their hash until so many films are in. Raises BadData where there is none.
    """
    films = sorted(manifest.films, key=lambda film: (_hash(film.patient), film.sha256))
    if most:
        films = films[:most]
    if not films:
        raise BadData("no film is held apart for this: nothing to pack")
    digest = write_set(blobs, [(labelled(film, manifest.findings), film.path.read_bytes()) for film in films])
    return Packed(len(films), len({film.patient for film in films}), digest)


def labelled(film: Film, findings: tuple[str, ...]) -> LabelledFilm:
    """The film as the set has it; uncertain and unknown labels are left out."""
    labels = {name: label for name, label in zip(findings, film.labels, strict=True) if label in (0, 1)}
    groups = {"site": film.site or film.source, "sex": film.sex or "", "view": film.view or ""}
    return LabelledFilm(
        file=f"films/{film.sha256}",
        patient=_hash(film.patient),
        labels={name: int(label or 0) for name, label in labels.items()},
        groups={name: value for name, value in groups.items() if value},
    )


def _hash(patient: str) -> str:
    return hashlib.sha256(f"gate-set:{patient}".encode()).hexdigest()[:16]
