"""How far readers and releases agree, per finding: sensitivity, specificity and Cohen's kappa, intervals by patient.

The reader's label is the reference and the release's "present" the prediction. A patient's films are alike, so that
intervals count patients: a proportion's is Wilson's with the effective number of judgements (Korn & Graubard 1998),
kappa's a bootstrap over patients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z = 1.959963984540054
RESAMPLES = 1000
SEED = 20261121
# Columns of a patient's counts.
TP, FN, FP, TN, UNCERTAIN, BLANK = range(6)
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; all None where nothing can be said. `n`: judgements that it rests on."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Agreement:
    """Of one finding. `blank_share` is of all labels that could be given; blank and uncertain count nowhere else."""

    sensitivity: Estimate
    specificity: Estimate
    kappa: Estimate
    patients: int
    present: int
    absent: int
    uncertain: int
    blank: int
    blank_share: float | None


def agreement(counts: Counts) -> Agreement:
    """From counts (patients, 6): true and false positives and negatives, uncertain and blank labels of one finding."""
    total = counts.sum(axis=0)
    labels = int(total.sum())
    return Agreement(
        sensitivity=proportion(counts[:, TP], counts[:, TP] + counts[:, FN]),
        specificity=proportion(counts[:, TN], counts[:, TN] + counts[:, FP]),
        kappa=kappa(counts[:, :4]),
        patients=int((counts.sum(axis=1) > 0).sum()),
        present=int(total[TP] + total[FN]),
        absent=int(total[FP] + total[TN]),
        uncertain=int(total[UNCERTAIN]),
        blank=int(total[BLANK]),
        blank_share=int(total[BLANK]) / labels if labels else None,
    )


def proportion(hits: npt.NDArray[np.int64], of: npt.NDArray[np.int64]) -> Estimate:
    """`hits` of `of` per patient, pooled. Where nothing varies the patients count, not their judgements."""
    held = of > 0
    hits, of = hits[held], of[held]
    n, patients = int(of.sum()), len(of)
    if n == 0:
        return Estimate(None, None, None, 0)
    p = float(hits.sum()) / n
    plain = p * (1 - p) / n
    clustered = float(((hits - p * of) ** 2).sum()) / n**2 * (patients / max(patients - 1, 1))
    effective = (
        float(n) if plain > 0 and clustered <= plain else n * plain / clustered if plain > 0 else float(patients)
    )
    low, high = wilson(p, effective)
    return Estimate(p, low, high, n)


def wilson(p: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of proportion `p` of `n` > 0, which need not be whole."""
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _kappa(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cohen's kappa (1960) of tables (..., 4); NaN where chance alone agrees wholly."""
    n = table.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = (table[..., TP] + table[..., TN]) / n
        reader = (table[..., TP] + table[..., FN]) / n
        release = (table[..., TP] + table[..., FP]) / n
        chance = reader * release + (1 - reader) * (1 - release)
        found: npt.NDArray[np.float64] = np.where(chance < 1, (observed - chance) / (1 - chance), np.nan)
    return found


def kappa(counts: Counts) -> Estimate:
    """Of counts (patients, 4), with the interval of 1000 resamples of patients; None where it does not vary."""
    held = counts[counts.sum(axis=1) > 0].astype(np.float64)
    n = int(held.sum())
    value = float(_kappa(held.sum(axis=0))) if n else math.nan
    if not math.isfinite(value):
        return Estimate(None, None, None, n)
    # Patients with the same counts are one row with a multiplicity: millions of reads are few rows.
    rows, multiplicity = np.unique(held, axis=0, return_counts=True)
    random = np.random.default_rng(SEED)
    drawn = random.multinomial(len(held), multiplicity / len(held), size=RESAMPLES)
    resampled = _kappa(drawn @ rows)
    resampled = resampled[np.isfinite(resampled)]
    if len(resampled) < RESAMPLES // 2 or resampled.min() == resampled.max():
        return Estimate(value, None, None, n)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Estimate(value, float(low), float(high), n)
