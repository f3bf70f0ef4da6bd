"""A labelled set of films as the staging gate replays it: `films.jsonl` and the films' bytes, in one store.

One line a film: {"file": key, "patient": text, "labels": {finding: 1 or 0}, "groups": {"site": ..., "sex": ...}}.
A finding that is missing from `labels` is not known for this film. Such a set is made from a manifest by
`hilum gate pack`; the locked films are looked at no more often than their ledger says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from hilum.storage import BlobMissing
from hilum.storage.blobs import BadKey, Blobs, valid_key

INDEX = "films.jsonl"


class BadSet(ValueError):
    """The set can't be replayed; the text names the line."""


@dataclass(frozen=True)
class LabelledFilm:
    """One film of the set; `patient` is any pseudonym."""

    file: str
    patient: str
    labels: dict[str, int]
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FilmSet:
    """The films in their order, and the sha256 of the index that names them."""

    films: tuple[LabelledFilm, ...]
    digest: str
    blobs: Blobs

    def bytes_of(self) -> Iterator[tuple[LabelledFilm, bytes]]:
        """Each film with its bytes; raises BadSet where one is missing."""
        for film in self.films:
            try:
                yield film, self.blobs.get(film.file)
            except BlobMissing:
                raise BadSet(f"{INDEX} names {film.file!r}, which is not there") from None


def load_set(blobs: Blobs) -> FilmSet:
    """The set in `blobs`; raises BadSet."""
    try:
        raw = blobs.get(INDEX)
    except BlobMissing:
        raise BadSet(f"there is no {INDEX}: not a labelled set") from None
    films = []
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            film = LabelledFilm(**json.loads(line))
            valid_key(film.file)
        except (TypeError, ValueError, BadKey) as error:
            raise BadSet(f"{INDEX}, line {number}: {error}") from error
        if not film.patient or not isinstance(film.labels, dict) or not set(film.labels.values()) <= {0, 1}:
            raise BadSet(f"{INDEX}, line {number}: a film has a patient, and labels of 0 or 1")
        films.append(film)
    if not films:
        raise BadSet(f"{INDEX} names no film")
    return FilmSet(tuple(films), hashlib.sha256(raw).hexdigest(), blobs)


def write_set(blobs: Blobs, films: Sequence[tuple[LabelledFilm, bytes]]) -> str:
    """Write films and index; the index's sha256. The index comes last: a set that was cut short is none."""
    for film, data in films:
        blobs.put(film.file, data)
    raw = "".join(json.dumps(asdict(film), ensure_ascii=False, sort_keys=True) + "\n" for film, _ in films).encode()
    blobs.put(INDEX, raw)
    return hashlib.sha256(raw).hexdigest()
