"""What each lever of the default recipe gives: short trainings of one network, judged on patients held apart.

    python -m bench.ablations [--out docs/benchmarks/ablations.csv] [--scores data/ablations]

trains what the table does not hold yet (training/configs/ablations.yaml), a row each; it may be stopped and started
again. Calibration and validation patients judge; the locked ones are not touched. Each run's scores are kept in
`--scores`, and `--compare A B` sets two runs beside each other, seeds averaged as a release averages its networks.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import yaml
from rich.console import Console

from hilum.release import InputSpec, Interval
from training.config import CONFIGS, Recipe, read_recipe
from training.data.manifest import UNKNOWN, Film, label_matrix, patients_of
from training.data.prepare import Prepared, prepare
from training.evaluate.bootstrap import samples
from training.evaluate.metrics import auroc
from training.fit.loop import fit
from training.fit.search import changed
from training.fit.sets import TrainingSet
from training.fit.validate import logits_of
from training.tracking.facts import git_facts

Array = npt.NDArray[np.float64]
DRAWS = 1000
FIGURES = ("mean_auroc", "without_hernia", "pneumonia_adult", "pneumonia_kermany")


@dataclass(frozen=True)
class Held:
    """The films that judge, and the figures that they give."""

    films: Sequence[Film]
    findings: tuple[str, ...]

    def figures(self, logits: Array) -> tuple[Callable[[Array], Array], ...]:
        """In the order of FIGURES a function of draws of weights, (D, N) -> (D,)."""
        labels = label_matrix(self.films)
        nih = np.array([film.source == "nih" for film in self.films])

        def one(rows: npt.NDArray[np.bool_], k: int, weights: Array) -> Array:
            rows = rows & (labels[:, k] != UNKNOWN)
            return auroc(logits[rows, k], labels[rows, k] == 1, weights[:, rows])

        def mean(names: Sequence[str], weights: Array) -> Array:
            each = [one(nih, self.findings.index(name), weights) for name in names]
            return np.asarray(np.nanmean(each, axis=0))

        pneumonia = self.findings.index("Pneumonia")
        without = [name for name in self.findings if name != "Hernia"]
        return (
            lambda weights: mean(self.findings, weights),
            lambda weights: mean(without, weights),
            lambda weights: one(nih, pneumonia, weights),
            lambda weights: one(~nih, pneumonia, weights),
        )

    def drawn(self, logits: Array) -> dict[str, tuple[float, Array]]:
        """Each figure and its value in draws of patients; the same draws for every run, so that runs are paired."""
        patients = patients_of(self.films)
        return {
            name: samples(figure, patients, DRAWS, 1)
            for name, figure in zip(FIGURES, self.figures(logits), strict=True)
        }


def told(point: float, drawn: Array) -> str:
    """A figure with its 95 % interval, as text."""
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    span = Interval(value=point, low=float(low), high=float(high))
    return f"{span.value:.4f} ({span.low:.4f} to {span.high:.4f})"


def scores_file(folder: Path, run: str, seed: int) -> Path:
    """Where the scores of a run are kept."""
    return folder / f"{run.replace(' ', '-')}-{seed}.npz"


def read_scores(path: Path, films: Sequence[Film]) -> Array:
    """Logits (N, K) of `films`, which the file knows by their sha256."""
    with np.load(path) as held:
        place = {name: n for n, name in enumerate(held["films"].tolist())}
        return np.asarray(held["logits"][[place[film.sha256] for film in films]], dtype=np.float64)


def train(recipe: Recipe, prepared: Prepared, seed: int, held: Held) -> tuple[Array, int]:
    """Logits of the held films by one network that was trained on the recipe's sources alone, and on how many films."""
    titles = {source.title for source in recipe.data.sources}
    part = prepared.parts["train"]
    kept = np.flatnonzero([film.source in titles for film in part.films])
    films = [part.films[n] for n in kept.tolist()]
    data = TrainingSet.of(films, part.frames.select(kept), recipe, held.findings)
    network = fit(data, recipe.changed(seed=seed))
    side = recipe.data.input_size
    min_std = InputSpec(height=side, width=side).min_std
    logits = [
        logits_of(network, prepared.parts[name].frames, recipe.size, min_std) for name in ("calibration", "validation")
    ]
    return np.concatenate(logits), len(films)


def compare(held: Held, folder: Path, runs: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    """Print the figures of two runs, the seeds that both have averaged, and their difference."""
    seeds = [{run["seed"] for run in runs if run["name"] == name} for name in names]
    both = sorted(s for s in seeds[0] & seeds[1] if all(scores_file(folder, n, s).exists() for n in names))
    averaged = [np.mean([read_scores(scores_file(folder, n, s), held.films) for s in both], axis=0) for n in names]
    one, two = (held.drawn(logits) for logits in averaged)
    console = Console()
    console.print(f"{names[0]} against {names[1]}, seeds {both} averaged", highlight=False)
    for figure in FIGURES:
        (a, drawn_a), (b, drawn_b) = one[figure], two[figure]
        difference = told(a - b, drawn_a - drawn_b)
        console.print(f"{figure}: {told(a, drawn_a)}, {told(b, drawn_b)}; difference {difference}", highlight=False)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HILUM_TRAINING_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/ablations.csv"))
    parser.add_argument("--scores", type=Path, default=Path("data/ablations"))
    parser.add_argument("--only", help="train this run alone")
    parser.add_argument("--compare", nargs=2, metavar=("A", "B"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    plan = yaml.safe_load((CONFIGS / "ablations.yaml").read_text(encoding="utf-8"))
    base = changed(read_recipe(CONFIGS / "default.yaml"), plan["base"])
    prepared = prepare(base, asked.data)
    held = Held([*prepared.parts["calibration"].films, *prepared.parts["validation"].films], prepared.manifest.findings)
    if asked.compare:
        compare(held, asked.scores, plan["runs"], asked.compare)
        return
    asked.scores.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    if asked.out.exists():
        with asked.out.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    for run in plan["runs"]:
        name, seed = run["name"], run["seed"]
        if (name, str(seed)) in {(row["run"], row["seed"]) for row in rows} or asked.only not in (None, name):
            continue
        began = time.perf_counter()
        logits, films = train(changed(base, run.get("changes", {})), prepared, seed, held)
        minutes = (time.perf_counter() - began) / 60
        np.savez_compressed(
            scores_file(asked.scores, name, seed), films=[film.sha256 for film in held.films], logits=logits
        )
        row = {"run": name, "seed": str(seed), "minutes": f"{minutes:.1f}", "films": str(films)}
        row |= {figure: told(*drawn) for figure, drawn in held.drawn(logits).items()}
        rows.append(row | {"commit": str(git_facts()["commit"])[:7]})
        with asked.out.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        Console().print(rows[-1], highlight=False)


if __name__ == "__main__":
    main()
