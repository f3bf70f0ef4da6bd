"""From logits on the calibration patients to probabilities, operating points and the critical margin.

Each finding has its own intercept. Slopes are drawn together: one network made all logits, so their slopes resemble
one another, and a finding with few positive patients says little of its own. The common slope and the spread between
findings are estimated from the slopes themselves (empirical Bayes; DerSimonian and Laird 1986), films of one patient
counting as the fewer that they are worth. `bench/calibration.py` shows what this gives on patients held apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from hilum.findings import finding
from hilum.release import Calibration, FindingSpec, Interval, OperatingPoint
from training.data.manifest import UNKNOWN, Labels
from training.evaluate import bootstrap
from training.evaluate.metrics import sensitivity, specificity

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SENSITIVITY = 0.90
SPECIFICITY = 0.95
ESTABLISHED_PATIENTS = 15
# Slopes outside are a sign of too few films, and a slope of nought would lose the order of the scores.
SLOPES = (0.05, 20.0)
EDGE = 1e-6
# A finding helps to say what slopes are like with this many positive patients; the prior needs this many findings.
PRIOR_PATIENTS = 10
FEWEST_SLOPES = 3
# Slopes that agree better than their errors allow still get a little room of their own.
LEAST_SPREAD = 0.02


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-values)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def logit(probabilities: Array) -> Array:
    """The inverse of `sigmoid`, with probabilities held within 1e-6 of nought and one."""
    held = np.clip(probabilities, EDGE, 1 - EDGE)
    return np.asarray(np.log(held / (1 - held)))


@dataclass(frozen=True)
class SlopePrior:
    """What the other findings say of a slope: log(slope) ~ N(`mean`, `spread`^2)."""

    mean: float
    spread: float


@dataclass(frozen=True)
class Curvature:
    """How well the films know log(slope): its standard error, and by how much clustering widens its variance (>= 1)."""

    error: float
    design_effect: float


def platt(logits: Array, present: Mask, prior: SlopePrior | None = None, design_effect: float = 1.0) -> Calibration:
    """Platt scaling with Platt's softened targets (Platt 1999), so that few positives do not give certainty.

    With a `prior` the slope is that of the highest posterior, the likelihood divided by `design_effect`. Without
    positives or without negatives the slope is the prior's (1 without one) and the intercept fits the softened share.
    """
    up, down = int(present.sum()), int((~present).sum())
    targets = np.where(present, (up + 1) / (up + 2), 1 / (down + 2))
    free = up > 0 and down > 0
    start = float(np.clip(np.exp(prior.mean), *SLOPES)) if prior else 1.0

    def loss(parameters: Array) -> tuple[float, Array]:
        z = parameters[0] * logits + parameters[1]
        p = sigmoid(z)
        value = float(np.sum(np.logaddexp(0, z) - targets * z)) / design_effect
        gradient = np.array([np.sum((p - targets) * logits), np.sum(p - targets)]) / design_effect
        if prior is not None:
            off = (np.log(parameters[0]) - prior.mean) / prior.spread**2
            value += 0.5 * off * (np.log(parameters[0]) - prior.mean)
            gradient[0] += off / parameters[0]
        return value, gradient

    bounds = [SLOPES if free else (start, start), (-30.0, 30.0)]
    best = minimize(loss, np.array([start, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return Calibration(slope=float(best.x[0]), intercept=float(best.x[1]))


def curvature(calibration: Calibration, logits: Array, present: Mask, patients: npt.NDArray[np.int64]) -> Curvature:
    """The sandwich variance of the slope, films of a patient summed (Liang and Zeger 1986), against the plain one."""
    p = apply(calibration, logits)
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    plain = np.linalg.pinv((design * (p * (1 - p))[:, None]).T @ design)
    _, place = np.unique(patients, return_inverse=True)
    pulls = np.zeros((int(place.max()) + 1, 2))
    np.add.at(pulls, place, design * (present - p)[:, None])
    clustered = plain @ (pulls.T @ pulls) @ plain
    # Few clusters can make the sandwich too small by chance: never below the plain variance.
    effect = max(1.0, float(clustered[0, 0] / plain[0, 0]))
    return Curvature(float(np.sqrt(plain[0, 0] * effect)) / calibration.slope, effect)


def slope_prior(slopes: Sequence[float], errors: Sequence[float]) -> SlopePrior | None:
    """Common log slope and its spread between findings, from slopes and standard errors of their logs; None for one."""
    if len(slopes) < FEWEST_SLOPES:
        return None
    logs, weights = np.log(slopes), 1 / np.square(errors)
    mean = float(weights @ logs / weights.sum())
    excess = float(weights @ np.square(logs - mean)) - (len(logs) - 1)
    spread = np.sqrt(max(0.0, excess / (weights.sum() - np.square(weights).sum() / weights.sum())))
    weights = 1 / (np.square(errors) + spread**2)
    return SlopePrior(float(weights @ logs / weights.sum()), max(float(spread), LEAST_SPREAD))


def scale(logits: Array, labels: Labels, patients: npt.NDArray[np.int64]) -> tuple[Calibration, ...]:
    """Calibrations of all findings at once; `logits` and `labels` are (N, K), films of unknown label are left out."""
    plain, curved, kept = [], [], []
    for k in range(logits.shape[1]):
        known = labels[:, k] != UNKNOWN
        part = (logits[known, k], labels[known, k] == 1)
        plain.append(platt(*part))
        both = 0 < part[1].sum() < len(part[1])
        curved.append(curvature(plain[k], *part, patients[known]) if both else Curvature(np.inf, 1.0))
        if both and len(np.unique(patients[known][part[1]])) >= PRIOR_PATIENTS:
            kept.append(k)
    prior = slope_prior([plain[k].slope for k in kept], [curved[k].error for k in kept])
    if prior is None:
        return tuple(plain)
    return tuple(
        platt(logits[known, k], labels[known, k] == 1, prior, curved[k].design_effect)
        for k in range(logits.shape[1])
        for known in [labels[:, k] != UNKNOWN]
    )


def apply(calibration: Calibration, logits: Array) -> Array:
    """Calibrated probabilities of `logits`."""
    return sigmoid(calibration.slope * logits + calibration.intercept)


def rule_out_threshold(probabilities: Array, present: Mask) -> float:
    """The highest threshold that still calls at least 90 % of present films; 0 where none is present."""
    positives = np.sort(probabilities[present])
    if len(positives) == 0:
        return 0.0
    missed = int(np.floor(len(positives) * (1 - SENSITIVITY) + 1e-9))
    # Between two films, not upon one: the last digit of a score must not decide.
    return _between(probabilities, float(positives[missed]))


def alert_threshold(probabilities: Array, present: Mask) -> float:
    """The lowest threshold that leaves at least 95 % of absent films uncalled; 1 where none is absent."""
    negatives = np.sort(probabilities[~present])
    if len(negatives) == 0:
        return 1.0
    called = int(np.floor(len(negatives) * (1 - SPECIFICITY) + 1e-9))
    above = probabilities[probabilities > negatives[len(negatives) - 1 - called]]
    return _between(probabilities, float(above.min())) if len(above) else 1.0


def _between(probabilities: Array, lowest_called: float) -> float:
    below = probabilities[probabilities < lowest_called]
    return 0.5 * (lowest_called + float(below.max())) if len(below) else lowest_called


def operating_point(
    threshold: float, probabilities: Array, present: Mask, patients: npt.NDArray[np.int64], count: int, seed: int
) -> OperatingPoint:
    """`threshold` with what it reaches, intervals clustered by patient; (0, 0, 1) where the films cannot say."""
    called = probabilities >= threshold
    nothing = Interval(value=0.0, low=0.0, high=1.0)
    reached = [
        bootstrap.interval(lambda w, f=figure: f(called, present, w), patients, count, seed) or nothing  # type: ignore[misc]
        for figure in (sensitivity, specificity)
    ]
    return OperatingPoint(threshold=threshold, sensitivity=reached[0], specificity=reached[1])


def finding_spec(
    name: str,
    logits: Array,
    labels: npt.NDArray[np.int8],
    patients: npt.NDArray[np.int64],
    count: int,
    seed: int,
    calibration: Calibration | None = None,
) -> FindingSpec:
    """Operating points of one finding on the calibration films whose label is known; arrays are (N,).

    Without a `calibration` the finding is scaled alone.
    """
    known = labels != UNKNOWN
    logits, present, patients = logits[known], labels[known] == 1, patients[known]
    calibration = calibration or platt(logits, present)
    probabilities = apply(calibration, logits)
    alert = alert_threshold(probabilities, present)
    # A finding so well told apart that both aims meet: one threshold serves both.
    rule_out = min(rule_out_threshold(probabilities, present), alert)
    positive_patients = len(np.unique(patients[present]))
    return FindingSpec(
        name=name,
        established=positive_patients >= ESTABLISHED_PATIENTS,
        positive_patients=positive_patients,
        calibration=calibration,
        rule_out=operating_point(rule_out, probabilities, present, patients, count, seed),
        alert=operating_point(alert, probabilities, present, patients, count, seed),
    )


def calibrate(
    names: tuple[str, ...],
    logits: Array,
    labels: Labels,
    patients: npt.NDArray[np.int64],
    count: int,
    seed: int,
) -> tuple[FindingSpec, ...]:
    """Specs of all findings; `logits` and `labels` are (N, K)."""
    scales = scale(logits, labels, patients)
    return tuple(
        finding_spec(name, logits[:, k], labels[:, k], patients, count, seed, scales[k]) for k, name in enumerate(names)
    )


def probabilities_of(specs: tuple[FindingSpec, ...], logits: Array) -> Array:
    """Calibrated probabilities (N, K) of `logits` (N, K)."""
    return np.stack([apply(spec.calibration, logits[:, k]) for k, spec in enumerate(specs)], axis=1)


def criticality(specs: tuple[FindingSpec, ...], probabilities: Array) -> Array:
    """By how much a film's worst acute, established finding exceeds its alert threshold, in logits, (N,)."""
    excess = [
        logit(probabilities[:, k]) - logit(np.array(spec.alert.threshold))
        for k, spec in enumerate(specs)
        if spec.established and finding(spec.name).acute
    ]
    return np.max(excess, axis=0) if excess else np.full(len(probabilities), -np.inf)


def critical_margin(specs: tuple[FindingSpec, ...], probabilities: Array, budget: float) -> float:
    """The smallest margin >= 0 at which at most `budget` of the films are critical."""
    excess = np.sort(criticality(specs, probabilities))[::-1]
    allowed = int(np.floor(budget * len(excess)))
    if allowed >= len(excess) or excess[allowed] < 0:
        return 0.0
    above = excess[:allowed]
    return float(0.5 * (above[-1] + excess[allowed])) if allowed else float(excess[0] + EDGE)
