"""From logits on the calibration patients to probabilities, operating points and the critical margin."""

from __future__ import annotations

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


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-values)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def logit(probabilities: Array) -> Array:
    """The inverse of `sigmoid`, with probabilities held within 1e-6 of nought and one."""
    held = np.clip(probabilities, EDGE, 1 - EDGE)
    return np.asarray(np.log(held / (1 - held)))


def platt(logits: Array, present: Mask) -> Calibration:
    """Platt scaling with Platt's softened targets (Platt 1999), so that few positives do not give certainty.

    Without positives or without negatives the slope is 1 and the intercept fits the softened share alone.
    """
    up, down = int(present.sum()), int((~present).sum())
    targets = np.where(present, (up + 1) / (up + 2), 1 / (down + 2))
    free = up > 0 and down > 0

    def loss(parameters: Array) -> tuple[float, Array]:
        z = parameters[0] * logits + parameters[1]
        p = sigmoid(z)
        value = float(np.sum(np.logaddexp(0, z) - targets * z))
        return value, np.array([np.sum((p - targets) * logits), np.sum(p - targets)])

    bounds = [SLOPES if free else (1.0, 1.0), (-30.0, 30.0)]
    best = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return Calibration(slope=float(best.x[0]), intercept=float(best.x[1]))


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
    name: str, logits: Array, labels: npt.NDArray[np.int8], patients: npt.NDArray[np.int64], count: int, seed: int
) -> FindingSpec:
    """Calibrate one finding on the calibration films whose label is known; arrays are (N,)."""
    known = labels != UNKNOWN
    logits, present, patients = logits[known], labels[known] == 1, patients[known]
    calibration = platt(logits, present)
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
    return tuple(finding_spec(name, logits[:, k], labels[:, k], patients, count, seed) for k, name in enumerate(names))


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
