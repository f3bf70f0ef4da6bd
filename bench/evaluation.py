"""Time the evaluation of 100,000 films x 14 findings with 1,000 bootstrap draws of patients, on one core.

    python -m bench.evaluation [--films 100000] [--draws 1000] [--out docs/benchmarks]

Scores are made up (a binormal model); prevalences are NIH's of 0.2 % to 18 %, and once more all at 45 %, which is the
most work. Every figure is drawn: AUROC, AUPRC, both operating points, Brier, calibration error and line, and the mean.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from bench import machine
from training.evaluate.columns import points_of
from training.evaluate.line import logit
from training.evaluate.resample import Question, ask

# Shares of positive films in NIH ChestX-ray14 (Wang et al. 2017, table 1), from 112,120 films.
NIH = (0.103, 0.025, 0.119, 0.177, 0.052, 0.056, 0.013, 0.047, 0.042, 0.021, 0.022, 0.015, 0.030, 0.002)


def question(rng: np.random.Generator, patients: np.ndarray, share: float) -> Question:
    """One finding with AUROC about 0.76."""
    present = rng.random(len(patients)) < share
    scores = rng.normal(size=len(patients)) + present
    chances = 1 / (1 + np.exp(-(scores - 0.5 + logit(np.array(share)))))
    called = {"rule_out": scores > 0.3, "alert": scores > 1.6}
    return Question(scores, present, patients, called, chances)


def measure(shares: tuple[float, ...], films: int, draws: int) -> tuple[float, float]:
    """Seconds of wall and of processor time."""
    rng = np.random.default_rng(0)
    patients = np.unique(rng.integers(0, int(films * 0.3), films), return_inverse=True)[1]
    questions = [question(rng, patients, share) for share in shares]
    wall, processor = time.perf_counter(), time.process_time()
    for each in questions:
        points_of(each)
    drawn = ask(questions, int(patients.max()) + 1, draws, 1)
    np.mean([d["auroc"] for d in drawn], axis=0)
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    asked = parser.parse_args()
    # One core for every thread of the process, those of the linear algebra too.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    load = os.getloadavg()[0]
    path = asked.out / f"evaluation-{machine.slug().rpartition('-')[0].rpartition('-')[0]}-1-core.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["prevalence", "films", "findings", "draws", "wall_seconds", "processor_seconds", "load", "on", "at"]
        )
        for name, shares in (("as NIH", NIH), ("45 % each", (0.45,) * len(NIH))):
            wall, processor = measure(shares, asked.films, asked.draws)
            Console().print(f"{name}: {wall:.1f} s ({processor:.1f} s of the processor), load {load:.1f}")
            row = [name, asked.films, len(shares), asked.draws, round(wall, 1), round(processor, 1), round(load, 1)]
            writer.writerow([*row, machine.describe(), f"{datetime.now(UTC):%Y-%m-%d}"])


if __name__ == "__main__":
    main()
