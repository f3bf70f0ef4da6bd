"""How right the service has been so far, per data set, release and finding; never pooled over data sets."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from training.evaluate.metrics import auroc
from training.online.results import Result

# In place of a finding's name: accuracy over all known labels, the mean of the other figures over findings.
OVERALL = "overall"


@dataclass
class Cell:
    """One finding's answers: called present or not, against the label."""

    scores: list[float] = field(default_factory=list)
    called: list[bool] = field(default_factory=list)
    present: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class Figures:
    """Shares of 0..1; NaN where no film gives them. `films` have a known label, `positives` a present one."""

    films: int
    positives: int
    accuracy: float
    auroc: float
    sensitivity: float
    specificity: float


class Tally:
    """Counts results; may be asked for figures from another thread at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[tuple[str, str], dict[str, Cell]] = {}
        self._outcomes: Counter[tuple[str, str, str]] = Counter()

    def add(self, result: Result) -> None:
        """Count one film. A finding that the release does not score is not held against it."""
        with self._lock:
            self._outcomes[(result.dataset, result.release, result.outcome)] += 1
            if result.outcome != "scored":
                return
            cells = self._cells.setdefault((result.dataset, result.release), {})
            for name, label in result.labels.items():
                if name in result.probabilities:
                    cell = cells.setdefault(name, Cell())
                    cell.scores.append(result.probabilities[name])
                    cell.called.append(name in result.present)
                    cell.present.append(label == 1)

    @property
    def outcomes(self) -> dict[tuple[str, str, str], int]:
        """Films by (data set, release, outcome)."""
        with self._lock:
            return dict(self._outcomes)

    def figures(self) -> dict[tuple[str, str], dict[str, Figures]]:
        """By (data set, release): figures per finding, and OVERALL."""
        with self._lock:
            held = {
                key: {name: (list(c.scores), list(c.called), list(c.present)) for name, c in cells.items()}
                for key, cells in self._cells.items()
            }
        return {key: _with_overall({n: _figures(*cell) for n, cell in cells.items()}) for key, cells in held.items()}

    def to_json(self) -> list[dict[str, Any]]:
        """Everything as plain values; None for what is not known."""
        return [
            {
                "dataset": dataset,
                "release": release,
                "findings": {name: _plain(figures) for name, figures in found.items()},
            }
            for (dataset, release), found in sorted(self.figures().items())
        ]


def _figures(scores: list[float], called: list[bool], present: list[bool]) -> Figures:
    truth, said = np.array(present, dtype=bool), np.array(called, dtype=bool)
    area = float(auroc(np.array(scores), truth, np.ones((1, len(truth))))[0])
    return Figures(
        films=len(truth),
        positives=int(truth.sum()),
        accuracy=float((truth == said).mean()),
        auroc=area,
        sensitivity=float(said[truth].mean()) if truth.any() else float("nan"),
        specificity=float((~said[~truth]).mean()) if (~truth).any() else float("nan"),
    )


def _with_overall(found: dict[str, Figures]) -> dict[str, Figures]:
    if not found:
        return found
    films = sum(f.films for f in found.values())

    def mean(name: str) -> float:
        given = [value for f in found.values() if np.isfinite(value := getattr(f, name))]
        return float(np.mean(given)) if given else float("nan")

    overall = Figures(
        films=films,
        positives=sum(f.positives for f in found.values()),
        accuracy=sum(f.accuracy * f.films for f in found.values()) / films,
        auroc=mean("auroc"),
        sensitivity=mean("sensitivity"),
        specificity=mean("specificity"),
    )
    return {**found, OVERALL: overall}


def _plain(figures: Figures) -> dict[str, float | int | None]:
    return {
        name: round(value, 4) if isinstance(value, float) and np.isfinite(value) else value if value == value else None  # noqa: PLR0124
        for name, value in asdict(figures).items()
    }
