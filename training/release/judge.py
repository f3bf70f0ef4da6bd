"""Is a precision good enough to stand in a release beside fp32? Both are scored on the same held-out films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.findings import finding
from hilum.release import Fidelity, FindingSpec, Parity
from training.data.manifest import UNKNOWN, Film, label_matrix
from training.evaluate.metrics import auroc
from training.release.calibrate import criticality, probabilities_of

Array = npt.NDArray[np.float64]

# Issue 5: what a variant may lose against fp32 before it is refused.
MEAN_AUROC_LOSS = 0.005
CRITICAL_AUROC_LOSS = 0.01
STUDIES_MOVED = 0.01
ROUTINE, URGENT, CRITICAL = 0, 1, 2


class RefusedVariant(ValueError):
    """A precision that is not written into the release; the text says why."""


@dataclass(frozen=True)
class Reading:
    """One precision's logits (N, K) on the held-out films, and how they are read."""

    specs: tuple[FindingSpec, ...]
    margin: float
    logits: Array

    @property
    def probabilities(self) -> Array:
        """Calibrated probabilities (N, K)."""
        return probabilities_of(self.specs, self.logits)


def bands(reading: Reading) -> npt.NDArray[np.int8]:
    """The band that the scores alone give each film (N,), as `hilum.triage.from_prediction` does."""
    chances = reading.probabilities
    alerts = np.array([spec.alert.threshold if spec.established else np.inf for spec in reading.specs])
    urgent = (chances >= alerts).any(axis=1)
    critical = criticality(reading.specs, chances) >= reading.margin
    return np.where(critical, CRITICAL, np.where(urgent, URGENT, ROUTINE)).astype(np.int8)


def studies_of(films: Sequence[Film]) -> npt.NDArray[np.int64]:
    """An integer per film, (N,), equal for films of one study; a film without a study is one by itself."""
    names = [f"{film.source} {film.study or film.name}" for film in films]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def study_bands(reading: Reading, studies: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """The most urgent band of each study's films."""
    worst = np.zeros(int(studies.max()) + 1, dtype=np.int8)
    np.maximum.at(worst, studies, bands(reading))
    return worst


def _aurocs(films: Sequence[Film], logits: Array, k: int) -> list[float]:
    """AUROC of finding `k` in each source that has both present and absent films; sources are never pooled."""
    labels = label_matrix(films)[:, k]
    sources = np.array([film.source for film in films])
    values = []
    for source in sorted(set(sources)):
        chosen = (sources == source) & (labels != UNKNOWN)
        present = labels[chosen] == 1
        if 0 < present.sum() < len(present):
            values.append(float(auroc(logits[chosen, k], present, np.ones((1, len(present))))[0]))
    return values


def fidelity(films: Sequence[Film], fp32: Reading, other: Reading) -> Fidelity:
    """What `other` loses against `fp32` on the same `films` (N)."""
    losses = {}
    for k, spec in enumerate(fp32.specs):
        pairs = list(zip(_aurocs(films, fp32.logits, k), _aurocs(films, other.logits, k), strict=True))
        if pairs and spec.established:
            losses[spec.name] = max(a - b for a, b in pairs)
    studies = studies_of(films)
    moved = study_bands(fp32, studies) != study_bands(other, studies)
    return Fidelity(
        films=len(films),
        studies=len(moved),
        mean_auroc_loss=float(np.mean(list(losses.values()))) if losses else 0.0,
        critical_auroc_loss={name: loss for name, loss in losses.items() if finding(name).acute},
        studies_moved=float(moved.mean()),
    )


def judge(precision: str, found: Fidelity) -> None:
    """Raise RefusedVariant, naming every limit that `found` breaks, where it breaks one."""
    reasons = []
    if found.mean_auroc_loss > MEAN_AUROC_LOSS:
        reasons.append(f"loses {found.mean_auroc_loss:.4f} mean AUROC against fp32 (at most {MEAN_AUROC_LOSS})")
    for name, loss in found.critical_auroc_loss.items():
        if loss > CRITICAL_AUROC_LOSS:
            reasons.append(f"loses {loss:.4f} AUROC on {name} (at most {CRITICAL_AUROC_LOSS})")
    if found.studies_moved > STUDIES_MOVED:
        reasons.append(f"moves {found.studies_moved:.2%} of {found.studies:,} studies across bands (at most 1 %)")
    if reasons:
        raise RefusedVariant(f"{precision} is not written: it {'; '.join(reasons)}")


def parity(specs: tuple[FindingSpec, ...], network: Array, exported: Array) -> Parity:
    """Largest and mean difference in probability between the network's logits (N, K) and the exported file's."""
    gap = np.abs(probabilities_of(specs, network) - probabilities_of(specs, exported))
    return Parity(
        films=len(gap),
        max_probability_difference=float(gap.max()),
        mean_probability_difference=float(gap.mean()),
    )
