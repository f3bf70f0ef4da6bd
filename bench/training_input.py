"""How long a training step waits for its films: `python -m bench.training_input`.

Fits the first network of a recipe for some steps of each phase, from the recipe's own store of frames, with one torch
thread, and writes the share of step time that was spent waiting to docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from bench.machine import describe, slug
from hilum.release import InputSpec
from training.config import Recipe, read_recipe
from training.data.prepare import prepare
from training.fit.fitting import Fitting
from training.fit.place import Place
from training.fit.plan import make_plan
from training.fit.prefetch import Prefetch
from training.fit.sets import TrainingSet
from training.running import Wanted, recipe_file, run_paths

ROOT = Path(__file__).resolve().parent.parent
WARM_UP = 2


def measure(data: TrainingSet, recipe: Recipe, steps: int, device: torch.device) -> list[dict[str, object]]:
    """One row per phase: films a second, and the share of the time spent waiting, after `WARM_UP` steps."""
    rows: list[dict[str, object]] = []
    place = Place(device)
    fitting = Fitting(data, recipe, 0, place)
    plan = make_plan(data, recipe, np.random.default_rng(recipe.seed))
    side = recipe.data.input_size
    min_std = InputSpec(height=side, width=side).min_std
    for phase in recipe.training.phases:
        chosen = [step for step in plan.steps if step.phase is phase][: steps + WARM_UP]
        generator = torch.Generator().manual_seed(recipe.seed)
        with Prefetch(data, chosen, recipe.augmentation, min_std, generator, place) as batches:
            films, started, waited, busy = 0, 0.0, 0.0, 0.0
            for number, (step, ready) in enumerate(batches):
                if number == WARM_UP:
                    films, started, waited, busy = 0, time.perf_counter(), batches.waited_seconds, time.process_time()
                fitting.step(phase, ready, 0.1)
                films += step.films
            seconds = time.perf_counter() - started
            rows.append(
                {
                    "recipe": recipe.name,
                    "backbone": recipe.network.backbone,
                    "size": phase.size,
                    "frozen_blocks": phase.frozen_blocks,
                    "batch": recipe.training.batch,
                    "steps": len(chosen) - WARM_UP,
                    "films_per_second": round(films / seconds, 1),
                    "films_per_cpu_second": round(films / (time.process_time() - busy), 1),
                    "waiting_for_data_percent": round(100 * (batches.waited_seconds - waited) / seconds, 2),
                }
            )
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--steps", type=int, default=20, help="steps of each phase that are timed")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--out", type=Path, help="CSV to write; default: docs/benchmarks/training-input-<machine>.csv")
    chosen = parser.parse_args()
    console = Console()
    torch.set_num_threads(1)
    recipe = read_recipe(recipe_file(chosen.recipe))
    paths = run_paths(recipe, Wanted(recipe=chosen.recipe))
    prepared = prepare(recipe, paths.data, paths.store, say=console.print)
    train = prepared.parts["train"]
    data = TrainingSet.of(train.films, train.frames, recipe, prepared.manifest.findings)
    rows = measure(data, recipe, chosen.steps, torch.device("cuda" if chosen.gpu else "cpu"))
    out = chosen.out or ROOT / "docs" / "benchmarks" / f"training-input-{slug()}.csv"
    with out.open("w", newline="", encoding="utf-8") as stream:
        load = f"load average {os.getloadavg()[0]:.0f}"
        stream.write(f"# {describe()}, {load}, torch {torch.__version__}, one thread: python -m bench.training_input\n")
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        console.print(row)


if __name__ == "__main__":
    main()
