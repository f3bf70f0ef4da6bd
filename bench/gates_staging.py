"""The staging gate in simulation: one look at a labelled set, so that its size decides what can be known."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bench.gates_model import ACUTE, FINDINGS, GOOD, World
from hilum.gates.plan import GatePlan

# Questions of staging that can fail: sensitivity, specificity and AUROC per finding, two primaries, Brier, subgroups.
ASKED = 3 * FINDINGS + 2 + 1 + 6
POSITIVES = (50, 100, 200, 300, 500, 700, 1000, 1500)


def differences(
    rng: np.random.Generator, positives: int, lost: float, gained: float, runs: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Loss of sensitivity on `positives` paired films and its standard error, (R,) each."""
    counts = rng.multinomial(positives, [gained, lost, 1 - gained - lost], size=runs)
    loss = (counts[:, 1] - counts[:, 0]) / positives
    variance = np.maximum((counts[:, 1] + counts[:, 0]) / positives - loss**2, 1.0 / positives)
    return loss, np.sqrt(variance / positives)


def staging(rng: np.random.Generator, world: World, positives: int, plan: GatePlan, runs: int) -> npt.NDArray[np.int64]:
    """Verdict (R,) over all acute findings, of which `world` makes one worse: 1, 0 or -1."""
    asked = plan.staging.sensitivity
    fails_at = NormalDist().inv_cdf(1 - plan.staging.false_abort / ASKED)
    # As hilum.gates.replay: the usual two-sided interval, for bounds from some hundred films are a little too hopeful.
    passes_at = NormalDist().inv_cdf(1 - plan.errors.miss / 2)
    verdict = np.ones(runs, dtype=np.int64)
    for k in range(ACUTE):
        of = world if k == 0 else GOOD
        loss, error = differences(rng, positives, of.lost, of.gained, runs)
        said = np.where(loss + passes_at * error < asked.margin, 1, 0)
        verdict = np.minimum(verdict, np.where(loss - fails_at * error > asked.tolerance, -1, said))
    return verdict


def point_estimate(rng: np.random.Generator, world: World, positives: int, runs: int) -> npt.NDArray[np.int64]:
    """The same set judged by a fixed threshold on the plain difference: 2 points."""
    verdict = np.ones(runs, dtype=np.int64)
    for k in range(ACUTE):
        of = world if k == 0 else GOOD
        loss, _ = differences(rng, positives, of.lost, of.gained, runs)
        verdict = np.minimum(verdict, np.where(loss > 0.02, -1, 1))
    return verdict
