"""Every figure of a finding in every bootstrap draw of patients, fast enough for 100,000 films and 1,000 draws.

Films are sorted once per finding. The ROC and PR curves turn only at present films, so a run of absent films between
two of them is one row. How many present and absent films each patient has in each row is a sparse (rows, patients)
matrix; its product with how often each draw took each patient gives the rows' counts in all draws at once. What is
linear in films (sensitivity, Brier, the bins of the calibration error) is summed per patient and is one product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.evaluate import line

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
# Draws held at once: a row of 128 float32 is eight cache lines, and 30,000 patients take 15 MB.
BLOCK = 128
# Rows of a curve worked on at once: with BLOCK draws a chunk stays in the cache of one core.
CHUNK = 256
ECE_BINS = 10


@dataclass(frozen=True, eq=False)
class Question:
    """One finding over N films. `scores` (N,) in any unit, `present` (N,), `patients` (N,) places from 0.

    `called` names thresholds and says which films reach them. With `probabilities` (N,) the figures of calibration
    are given too.
    """

    scores: Array
    present: Mask
    patients: Places
    called: Mapping[str, Mask] = field(default_factory=dict)
    probabilities: Array | None = None


@dataclass(frozen=True, eq=False)
class _Prepared:
    names: tuple[str, ...]
    rows: tuple[tuple[sparse.csr_array, sparse.csr_array], ...]
    sums: npt.NDArray[np.float32]
    bins: line.Bins | None


def patient_draws(patients: int, count: int, seed: int) -> Iterator[Counts]:
    """How often each of `patients` patients is taken, (patients, d) in blocks, `count` draws in all."""
    rng = np.random.default_rng(seed)
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        taken = [np.bincount(rng.integers(0, patients, patients), minlength=patients) for _ in range(size)]
        yield np.ascontiguousarray(np.stack(taken, axis=1), dtype=np.float32)


def ask(questions: Sequence[Question], patients: int, count: int, seed: int) -> list[dict[str, Array]]:
    """The figures of each question in `count` draws, (count,) each; NaN where a draw cannot give one.

    All questions share the draws, so that their differences and means are paired.
    """
    prepared = [_prepare(question, patients) for question in questions]
    blocks: list[list[dict[str, Array]]] = [[] for _ in questions]
    for weights in patient_draws(patients, count, seed) if patients else ():
        for answers, plan in zip(blocks, prepared, strict=True):
            answers.append(_answer(plan, weights))
    return [
        {name: np.concatenate([a[name] for a in answers]) for name in answers[0]} if answers else {}
        for answers in blocks
    ]


def curve_rows(scores: Array, present: Mask) -> npt.NDArray[np.int64]:
    """The row of each film, (N,), highest score first: equal scores share one, and so do runs of absent films."""
    if len(scores) == 0:
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]]
    group = np.cumsum(starts) - 1
    has = np.bincount(group, weights=present[order]) > 0
    opens = np.r_[True, has[1:] | has[:-1]]
    rows = np.empty(len(scores), dtype=np.int64)
    rows[order] = (np.cumsum(opens) - 1)[group]
    return rows


def _matrix(rows: npt.NDArray[np.int64], places: Places, keep: Mask, shape: tuple[int, int]) -> sparse.csr_array:
    values = np.ones(int(keep.sum()), dtype=np.float32)
    return sparse.csr_array(sparse.coo_array((values, (rows[keep], places[keep])), shape=shape))


def _prepare(question: Question, patients: int) -> _Prepared:
    present, places = question.present, question.patients
    rows = curve_rows(question.scores, present)
    shape = (int(rows.max()) + 1 if len(rows) else 0, patients)
    columns: dict[str, Array] = {"up": present.astype(np.float64), "down": (~present).astype(np.float64)}
    for name, called in question.called.items():
        columns[f"sensitivity@{name}"] = (called & present).astype(np.float64)
        columns[f"specificity@{name}"] = (~called & ~present).astype(np.float64)
    bins = None
    if question.probabilities is not None:
        chances = question.probabilities
        columns["brier"] = (chances - present) ** 2
        for number, part in enumerate(np.array_split(np.argsort(chances, kind="stable"), ECE_BINS)):
            column = np.zeros(len(chances))
            column[part] = chances[part] - present[part]
            columns[f"ece{number}"] = column
        bins = line.bins(line.logit(chances), present, places, patients)
    sums = np.stack([np.bincount(places, weights=c, minlength=patients) for c in columns.values()])
    ups, downs = _matrix(rows, places, present, shape), _matrix(rows, places, ~present, shape)
    chunks = tuple((ups[r : r + CHUNK], downs[r : r + CHUNK]) for r in range(0, shape[0], CHUNK))
    return _Prepared(tuple(columns), chunks, sums.astype(np.float32), bins)


def _share(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def _answer(plan: _Prepared, weights: Counts) -> dict[str, Array]:
    total = dict(zip(plan.names, (plan.sums @ weights).astype(np.float64), strict=True))
    up, down = total.pop("up"), total.pop("down")
    figures: dict[str, Array] = _curves(plan.rows, weights, up, down)
    for name in [n for n in total if "@" in n]:
        figures[name] = _share(total[name], up if name.startswith("sensitivity") else down)
    if plan.bins is not None:
        figures["brier"] = _share(total["brier"], up + down)
        gaps = np.abs([total[f"ece{number}"] for number in range(ECE_BINS)]).sum(axis=0)
        figures["ece"] = _share(gaps, up + down)
        figures |= line.in_draws(plan.bins, weights, (up > 0) & (down > 0))
    return figures


def _curves(
    rows: tuple[tuple[sparse.csr_array, sparse.csr_array], ...], weights: Counts, up: Array, down: Array
) -> dict[str, Array]:
    # Counts stay whole numbers below 2**24, so float32 holds them exactly; products are summed in float64.
    seen_up = np.zeros((1, weights.shape[1]), dtype=np.float32)
    seen_down = seen_up.copy()
    lost, gained = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    half, one = np.float32(0.5), np.float32(1)
    for rows_up, rows_down in rows:
        ups, downs = rows_up @ weights, rows_down @ weights
        ups_so_far = np.cumsum(np.concatenate([seen_up, ups]), axis=0)[1:]
        downs_so_far = np.cumsum(np.concatenate([seen_down, downs]), axis=0)[1:]
        seen_up, seen_down = ups_so_far[-1:].copy(), downs_so_far[-1:].copy()
        downs *= half
        np.subtract(downs_so_far, downs, out=downs)
        downs *= ups
        lost += downs.sum(axis=0, dtype=np.float64)
        downs_so_far += ups_so_far
        np.maximum(downs_so_far, one, out=downs_so_far)
        ups *= ups_so_far
        ups /= downs_so_far
        gained += ups.sum(axis=0, dtype=np.float64)
    return {"auroc": 1 - _share(lost, up * down), "auprc": _share(gained, up)}
