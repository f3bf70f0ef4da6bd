"""Groups of chest films whose refusals by the out-of-domain check are counted apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from training.evaluate.film_set import Scored, critical_labels
from training.release.domain import Domain
from training.release.parts import title

Mask = npt.NDArray[np.bool_]
ADULT = 18


def chest_groups(scored: Scored, margin: float) -> dict[str, Mask]:
    """Masks (N,): each source, its AP films and its under-18s, the critical films by rule and by label."""
    films = scored.films
    rows: dict[str, list[bool] | Mask] = {}
    for source in sorted({film.source for film in films}):
        name = title(source)
        rows[name] = [f.source == source for f in films]
        rows[f"{name}, AP"] = [f.source == source and f.view == "AP" for f in films]
        rows[f"{name}, under 18"] = [f.source == source and f.age is not None and f.age < ADULT for f in films]
    rows["critical by rule"] = scored.criticality >= margin
    rows["critical finding present"] = critical_labels(scored.specs, scored.labels) == 1
    masks = {name: np.asarray(row, dtype=bool) for name, row in rows.items()}
    return {name: mask for name, mask in masks.items() if mask.any()}


def refusals(refused: Mask, groups: Mapping[str, Mask]) -> dict[str, dict[str, int]]:
    """Chest films per group, and how many of them are wrongly refused."""
    return {name: {"films": int(m.sum()), "refused": int((refused & m).sum())} for name, m in groups.items()}


def refused_of(domain: Domain, embeddings: npt.NDArray[np.float32], small: npt.NDArray[np.float32]) -> Mask:
    """Which films are refused: `embeddings` (N, E), `small` (N, side, side) frames as the pose head takes them."""
    return domain.refused(embeddings, small[:, np.newaxis])
