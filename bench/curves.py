"""Deletion and insertion curves: does what a map names carry the score? (Petsiuk et al., "RISE", BMVC 2018.)

Deleted patches are replaced by a blurred film and not by grey, which would itself be a sight the model never learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from services.inference.scorer import Scorer

Array = npt.NDArray[np.float32]
Order = npt.NDArray[np.intp]
# Patches a side that are deleted one after the other, and cells a side that the blurred film keeps.
GRID, BLUR = 8, 6
STEPS = 8


@dataclass(frozen=True)
class Curves:
    """Mean logits along the curves of one film and finding; lower is better for deletion, higher for insertion."""

    deletion: float
    insertion: float


def blurred(film: Array) -> Array:
    """`film` (1, H, W) without anything smaller than a sixth of its side."""
    coarse = Image.fromarray(film[0]).resize((BLUR, BLUR), Image.Resampling.BOX)
    return np.asarray(coarse.resize((film.shape[2], film.shape[1]), Image.Resampling.BICUBIC), dtype=np.float32)[None]


def order_of(heat: npt.NDArray[np.floating]) -> Order:
    """The patches (GRID * GRID,) from the strongest influence in `heat` (h, w) to the weakest."""
    stretched = Image.fromarray(heat.astype(np.float32)).resize((GRID, GRID), Image.Resampling.BILINEAR)
    return np.argsort(-np.asarray(stretched).ravel(), kind="stable")


def shuffled(heat: npt.NDArray[np.floating], rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """A random map: the same cells in other places."""
    return np.asarray(rng.permutation(heat.ravel()).reshape(heat.shape))


def _mixed(film: Array, fill: Array, order: Order) -> Array:
    """Films (STEPS + 1, 1, H, W): none of `film`'s patches replaced by `fill`'s, then ever more, then all."""
    rows, columns = np.array_split(np.arange(film.shape[1]), GRID), np.array_split(np.arange(film.shape[2]), GRID)
    films = np.repeat(film[np.newaxis], STEPS + 1, axis=0)
    for step in range(1, STEPS + 1):
        for patch in order[: round(step * GRID * GRID / STEPS)]:
            place = np.ix_([0], rows[patch // GRID], columns[patch % GRID])
            films[step][place] = fill[place]
    return films


def curves(scorer: Scorer, film: Array, index: int, maps: Sequence[npt.NDArray[np.floating]]) -> list[Curves]:
    """The curves of finding `index` for a preprocessed `film` (1, H, W), one per map."""
    fill = blurred(film)
    out = []
    for heat in maps:
        order = order_of(heat)
        deleted = scorer.run(_mixed(film, fill, order)).logits[:, index]
        inserted = scorer.run(_mixed(fill, film, order)).logits[:, index]
        out.append(Curves(float(deleted.mean()), float(inserted.mean())))
    return out
