"""What a release is made of: the splits' films, where it comes from, and which of the films set its thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import Recipe
from training.data import BadData
from training.data.manifest import Film
from training.data.split import SPLITS

Mask = npt.NDArray[np.bool_]
TITLES = {"nih": "NIH", "kermany": "Kermany"}
# Whose films may be shown and passed on, and under which terms; a source that is not here gives no golden film away.
LICENCES = {"kermany": "CC BY 4.0", "nih": "NIH Clinical Center, no restriction"}


@dataclass(frozen=True)
class Part:
    """One split: its films and their stored frames, uint16 (N, H, W), indexable by integers and slices."""

    films: Sequence[Film]
    frames: Any


@dataclass(frozen=True)
class Origin:
    """Where a release comes from; no path of any machine. `remark` is printed on its card."""

    run: str
    commit: str
    created: str
    data_digest: str
    remark: str = ""


def title(source: str) -> str:
    """The source's name for readers."""
    return TITLES.get(source, source)


def calibration_source(recipe: Recipe) -> str:
    """The population whose films set calibration and operating points: the recipe's choice, else its first source."""
    return recipe.evaluation.calibration_source or recipe.data.sources[0].title


def calibration_mask(recipe: Recipe, films: Sequence[Film]) -> Mask:
    """Which of the calibration `films` set the thresholds; raises BadData where none does."""
    source = calibration_source(recipe)
    mask = np.array([film.source == source for film in films], dtype=bool)
    if not mask.any():
        held = ", ".join(sorted({film.source for film in films})) or "none"
        raise BadData(
            f"no calibration film is of '{source}', whose films set the thresholds (there are films of: {held}); "
            "set evaluation.calibration_source in the recipe"
        )
    return mask


def golden_film(parts: Mapping[str, Part]) -> Film:
    """The built-in film: one that may be passed on, with a finding, of a locked patient where there is one.

    Where no source's films may be passed on it is the site's own, and the card says so. Raises BadData without films.
    """
    films = [film for name in reversed(SPLITS) for film in parts[name].films]
    for source in LICENCES:
        if able := [film for film in films if film.source == source and 1 in film.labels]:
            return able[0]
    if able := [film for film in films if film.source in LICENCES]:
        return able[0]
    if not films:
        raise BadData("there is no film to build into the release")
    return films[0]


def licence_of(film: Film) -> str:
    """Under which terms `film` travels in the release."""
    return LICENCES.get(film.source, "check its terms before the release leaves the site")


def counts(films: Sequence[Film]) -> dict[str, tuple[int, int]]:
    """(films, patients) per source."""
    count = Counter(film.source for film in films)
    return {s: (n, len({f.patient for f in films if f.source == s})) for s, n in sorted(count.items())}


def sample(part: Part, count: int, seed: int = 0) -> tuple[npt.NDArray[np.int64], Any]:
    """At most `count` of a part's films, drawn with a fixed seed: their places (n,) and frames (n, H, W)."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(part.films))[:count])
    return chosen, np.asarray(part.frames[chosen])
