"""From the bytes of a file to a score: decode, refuse what can't be scored, score. Runs in a worker's thread."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hilum.imaging import Film, FilmWarning, Limits, decode
from hilum.imaging.preprocess import preprocess
from services.inference.heat import heat_map
from services.inference.scorer import NotScorable, Score, Scorer, is_flat


@dataclass(frozen=True, eq=False)
class Assessment:
    """A film's score, and what its reader should know of the file. Not its pixels: many answers may wait to be sent."""

    warnings: tuple[FilmWarning, ...]
    score: Score
    decode_seconds: float


def _scorable(data: bytes, limits: Limits) -> Film:
    film = decode(data, limits)
    if film.unscorable is not None:
        raise NotScorable(film.unscorable)
    return film


def assess(scorer: Scorer, data: bytes, limits: Limits, *, features: bool = False) -> Assessment:
    """Decode and score one file; raises BadFilm or NotScorable."""
    began = time.perf_counter()
    film = _scorable(data, limits)
    decode_seconds = time.perf_counter() - began
    return Assessment(film.warnings, scorer.score(film.pixels, features=features), decode_seconds)


def explain(scorer: Scorer, data: bytes, limits: Limits, finding: str) -> bytes:
    """The heat map of `finding` for one file, as PNG; raises BadFilm or NotScorable, KeyError for an unknown name."""
    film = preprocess(_scorable(data, limits).pixels, scorer.manifest.input)
    if is_flat(film, scorer.manifest.input):
        raise NotScorable("The film is blank or has almost no contrast.")
    return heat_map(scorer, film, finding)
