"""How well findings are calibrated on patients that were held apart: ways of Platt scaling side by side.

    python -m bench.calibration CALIBRATION_SCORES VALIDATION_SCORES [--source nih] [--splits 40]

The two files are scores.npz of `hilum evaluate --split calibration` and `--split validation`: no locked film is used.
Patients are split at random 4 : 3, again and again; calibrated on the one part, judged on the other. Both are draws
of the same patients, so the scatter of the judged slopes is that of two samples: no method can bring it to nought.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from hilum.release import Calibration
from training.data.manifest import UNKNOWN, Labels
from training.evaluate import line, metrics
from training.evaluate.held import read_kept
from training.release import calibrate

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Method = Callable[[Array, Labels, Places], tuple[Calibration, ...]]
FEWEST = 20


def alone(logits: Array, labels: Labels, patients: Places) -> tuple[Calibration, ...]:
    """Each finding by itself: what releases up to 1.0.2 did."""
    return tuple(_platt(logits, labels, k, None) for k in range(logits.shape[1]))


def common(logits: Array, labels: Labels, patients: Places) -> tuple[Calibration, ...]:
    """One slope for all findings: the geometric mean of those estimated alone, weighted by positive patients."""
    plain = alone(logits, labels, patients)
    weights = [len(np.unique(patients[labels[:, k] == 1])) for k in range(logits.shape[1])]
    mean = float(np.average(np.log([c.slope for c in plain]), weights=weights))
    return tuple(_platt(logits, labels, k, calibrate.SlopePrior(mean, 1e-3)) for k in range(logits.shape[1]))


def _platt(logits: Array, labels: Labels, k: int, prior: calibrate.SlopePrior | None) -> Calibration:
    known = labels[:, k] != UNKNOWN
    return calibrate.platt(logits[known, k], labels[known, k] == 1, prior)


METHODS: dict[str, Method] = {"each alone": alone, "one common slope": common, "drawn together": calibrate.scale}


def judged(calibration: Calibration, logits: Array, present: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Log slope, calibration error and log loss on films that were not calibrated on."""
    chances = calibrate.apply(calibration, logits)
    fitted = line.fit(line.logit(chances), present)
    slope = np.log(fitted.slope) if fitted is not None and fitted.slope > 0 else np.nan
    held = np.clip(np.where(present, chances, 1 - chances), 1e-9, 1)
    return float(slope), metrics.calibration_error(chances, present), float(-np.log(held).mean())


def main() -> None:
    """Judge and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path, nargs="+")
    parser.add_argument("--source", default="nih")
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    asked = parser.parse_args()
    kept = [read_kept(path).scored.where(lambda film: film.source == asked.source) for path in asked.scores]
    logits, labels = np.concatenate([k.logits for k in kept]), np.concatenate([k.labels for k in kept])
    names = [film.patient for k in kept for film in k.films]
    patients = np.unique(names, return_inverse=True)[1].astype(np.int64)
    rng, found = np.random.default_rng(0), {name: [] for name in METHODS}
    for _ in range(asked.splits):
        one = (rng.random(int(patients.max()) + 1) < 4 / 7)[patients]
        for name, method in METHODS.items():
            made = method(logits[one], labels[one], patients[one])
            rows = []
            for k, calibration in enumerate(made):
                known = ~one & (labels[:, k] != UNKNOWN)
                enough = min((labels[part, k] == 1).sum() for part in (one, known)) >= FEWEST
                rows.append(judged(calibration, logits[known, k], labels[known, k] == 1) if enough else (np.nan,) * 3)
            found[name].append(rows)
    with (asked.out / "calibration.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            [
                "method",
                "rms_log_slope",
                "median_abs_log_slope",
                "share_slope_0.8_to_1.25",
                "mean_ece",
                "share_ece_under_0.03",
                "log_loss",
                "films",
                "patients",
                "splits",
            ]
        )
        for name, rows in found.items():
            slope, ece, loss = np.moveaxis(np.array(rows), -1, 0)
            inside = np.abs(slope[np.isfinite(slope)]) < np.log(1.25)
            figures = [
                np.sqrt(np.nanmean(slope**2)),
                np.nanmedian(np.abs(slope)),
                inside.mean(),
                np.nanmean(ece),
                (ece[np.isfinite(ece)] < 0.03).mean(),
                np.nanmean(loss),
            ]
            row = [name, *(f"{value:.4f}" for value in figures), len(names), len(set(names)), asked.splits]
            Console().print(*row, sep="  ")
            writer.writerow(row)


if __name__ == "__main__":
    main()
