"""Bootstrap clustered by patient, in numpy, in bounded memory: all figures of a call share the same draws.

What is a ratio of sums over studies (agreement, sensitivity, mean shift) is summed per patient once; a draw is then one
product. An AUROC needs the films' order: it is counted anew in each draw, over the studies that were read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
# Draws held at once: 32 x 100,000 patients of float32 are 13 MB.
BLOCK = 32


@dataclass(frozen=True)
class Figure:
    """A value with its interval; `n` counts the studies behind it. None where the data can't give one."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, eq=False)
class Ratio:
    """Sum of `part` over sum of `whole`, both (N,) per study; minus another such ratio where `minus` is given."""

    part: npt.NDArray[np.float32]
    whole: npt.NDArray[np.float32]
    minus: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Area:
    """AUROC of `shadow` minus that of `live` over the studies `rows`, of which `present` have the finding."""

    rows: Places
    present: Mask
    live: npt.NDArray[np.float32]
    shadow: npt.NDArray[np.float32]


def draws(patients: int, count: int, seed: int) -> Iterator[npt.NDArray[np.float32]]:
    """How often each patient is taken, (patients, d) float32 in blocks, `count` draws in all."""
    rng = np.random.default_rng(seed)
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        taken = [np.bincount(rng.integers(0, patients, patients), minlength=patients) for _ in range(size)]
        yield np.ascontiguousarray(np.stack(taken, axis=1), dtype=np.float32)


class _Curve:
    """The AUROC of one release in any weighting of the studies."""

    def __init__(self, scores: npt.NDArray[np.float32], present: Mask, places: Places) -> None:
        order = np.argsort(scores, kind="stable")
        ordered = scores[order]
        self.places, self.present = places[order], present[order]
        starts = np.r_[True, ordered[1:] != ordered[:-1]]
        group = np.cumsum(starts) - 1
        # Absent films between two groups that hold a present one can be counted together.
        has = np.bincount(group, weights=self.present) > 0
        opens = np.r_[True, has[1:] | has[:-1]]
        rows = (np.cumsum(opens) - 1)[group]
        self.starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])

    def area(self, weights: npt.NDArray[np.float32]) -> Array:
        """(d,) for `weights` (patients, d); NaN where a draw has only one side."""
        drawn = weights[self.places]
        up = np.add.reduceat(drawn * self.present[:, None], self.starts, axis=0).astype(np.float64)
        down = np.add.reduceat(drawn * ~self.present[:, None], self.starts, axis=0).astype(np.float64)
        below = np.cumsum(down, axis=0) - down
        return _share((up * (below + 0.5 * down)).sum(axis=0), up.sum(axis=0) * down.sum(axis=0))


def _share(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0))


class Sample:
    """Questions over the same studies; `place` (N,) is each study's patient, 0..patients-1."""

    def __init__(self, place: Places, patients: int) -> None:
        self.place, self.patients = place, patients
        self.ratios: dict[str, Ratio] = {}
        self.areas: dict[str, Area] = {}

    def values(self, name: str) -> Array:
        """The plain values of a question: (1,) of a ratio, (3,) of an area (live, shadow, difference)."""
        if name in self.ratios:
            ratio = self.ratios[name]
            whole = np.array([ratio.whole.sum(dtype=np.float64)])
            part = np.array([ratio.part.sum(dtype=np.float64)])
            minus = 0.0 if ratio.minus is None else ratio.minus.sum(dtype=np.float64)
            return _share(part - minus, whole)
        area = self.areas[name]
        ones = np.ones((self.patients, 1), dtype=np.float32)
        live, shadow = (
            float(_Curve(scores, area.present, self.place[area.rows]).area(ones)[0])
            for scores in (area.live, area.shadow)
        )
        return np.array([live, shadow, shadow - live])

    def drawn(self, count: int, seed: int) -> dict[str, Array]:
        """Every question in `count` draws: (count,) of a ratio, (count, 3) of an area."""
        names = list(self.ratios)
        sums = [self._sums(self.ratios[name]) for name in names]
        parts = np.stack([part for part, _ in sums]) if sums else np.zeros((0, self.patients), np.float32)
        wholes = np.stack([whole for _, whole in sums]) if sums else parts
        curves = {
            name: [_Curve(scores, a.present, self.place[a.rows]) for scores in (a.live, a.shadow)]
            for name, a in self.areas.items()
        }
        blocks: list[Array] = []
        areas: dict[str, list[Array]] = {name: [] for name in curves}
        for weights in draws(self.patients, count, seed) if self.patients else ():
            blocks.append(_share((parts @ weights).astype(np.float64), (wholes @ weights).astype(np.float64)))
            for name, (live, shadow) in curves.items():
                a, b = live.area(weights), shadow.area(weights)
                areas[name].append(np.stack([a, b, b - a], axis=1))
        if not blocks:
            return {}
        whole = np.concatenate(blocks, axis=1)
        return {
            **{name: whole[k] for k, name in enumerate(names)},
            **{name: np.concatenate(found) for name, found in areas.items()},
        }

    def _sums(self, ratio: Ratio) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        part = ratio.part if ratio.minus is None else ratio.part - ratio.minus
        return tuple(
            np.bincount(self.place, weights=column, minlength=self.patients).astype(np.float32)
            for column in (part, ratio.whole)
        )  # type: ignore[return-value]


def figure(value: float, drawn: Array, n: int, patients: int, alpha: float = 0.05) -> Figure:
    """`value` with its percentile interval at 1 - `alpha`.

    Draws that never vary say that nothing was seen, not that nothing is there: then the interval reaches as far as an
    event may hide that none of `patients` patients had (exact binomial bound; 3/n at 95 %, one-sided).
    """
    finite = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(finite) < max(20, len(drawn) // 2) or n == 0:
        return Figure(None, None, None, n)
    low, high = (float(x) for x in np.percentile(finite, (50 * alpha, 100 - 50 * alpha)))
    if high - low < 1e-9:
        reach = 1 - (alpha / 2) ** (1 / max(patients, 1))
        low, high = low - reach, high + reach
    return Figure(round(value, 6), round(low, 6), round(high, 6), n)
