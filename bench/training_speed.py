"""Images a second in training, per backbone: `python -m bench.training_speed [--gpu] BACKBONE ...`.

Each backbone is fitted for some steps on films of noise held in memory, through the loop that training uses: whole
steps with augmentation, backward pass, optimiser and averaged weights. Random weights: speed does not depend on them.
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
from training.config import Recipe
from training.fit.fitting import Fitting
from training.fit.place import Place
from training.fit.plan import make_plan
from training.fit.prefetch import Prefetch
from training.fit.sets import TrainingSet

ROOT = Path(__file__).resolve().parent.parent
BACKBONES = ("tf_efficientnet_lite0", "densenet121", "convnext_tiny", "vit_base_patch16_224")
FINDINGS = 14
WARM_UP = 3


def noise(films: int, size: int) -> TrainingSet:
    """Films of noise with labels at random."""
    rng = np.random.default_rng(0)
    return TrainingSet(
        frames=rng.integers(0, 65535, (films, size, size), dtype=np.uint16),
        targets=rng.integers(0, 2, (films, FINDINGS)).astype(np.float32),
        patients=np.arange(films),
        sources=np.zeros(films, dtype=np.int64),
        source_names=("noise",),
        weights=np.ones(films, dtype=np.float32),
        findings=tuple(f"finding {n}" for n in range(FINDINGS)),
    )


def recipe_of(backbone: str, size: int, batch: int, precision: str, epochs: int) -> Recipe:
    """The smallest recipe for `backbone`."""
    return Recipe.model_validate(
        {
            "name": "speed",
            "version": "0",
            "data": {"sources": [{"kind": "nih", "path": "none"}], "input_size": size},
            "split": {"salt": "none"},
            "network": {"backbone": backbone, "weights": "none"},
            "training": {"phases": [{"epochs": epochs, "size": size}], "batch": batch, "precision": precision},
        }
    )


def measure(
    backbone: str, size: int, batch: int, precision: str, steps: int, device: torch.device
) -> dict[str, object]:
    """One row: images a second and the share of step time waiting for data, after `WARM_UP` steps."""
    films = min(2048, batch * (steps + WARM_UP))
    epochs = -(-batch * (steps + WARM_UP) // films)
    data, recipe = noise(films, size), recipe_of(backbone, size, batch, precision, epochs)
    place = Place(device)
    fitting = Fitting(data, recipe, 0, place)
    plan = make_plan(data, recipe, np.random.default_rng(0)).steps[: steps + WARM_UP]
    min_std = InputSpec(height=size, width=size).min_std
    with Prefetch(data, plan, recipe.augmentation, min_std, torch.Generator().manual_seed(0), place) as batches:
        done, started, waited = 0, 0.0, 0.0
        for number, (step, ready) in enumerate(batches):
            if number == WARM_UP:
                done, started, waited = 0, time.perf_counter(), batches.waited_seconds
            fitting.step(step.phase, ready, 0.1)
            done += step.films
        seconds = time.perf_counter() - started
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "backbone": backbone,
        "size": size,
        "batch": batch,
        "precision": precision,
        "steps": len(plan) - WARM_UP,
        "images_per_second": round(done / seconds, 1),
        "waiting_for_data_percent": round(100 * (batches.waited_seconds - waited) / seconds, 2),
        "memory_mib": round(torch.cuda.max_memory_allocated() / 2**20) if device.type == "cuda" else "",
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backbones", nargs="*", default=list(BACKBONES))
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=0, help="0: 128 on a GPU, 8 on a CPU")
    parser.add_argument("--precision", nargs="*", default=None, help="default: bf16 on a GPU, fp32 on a CPU")
    parser.add_argument("--steps", type=int, default=0, help="0: 40 on a GPU, 3 on a CPU")
    parser.add_argument("--out", type=Path, help="CSV to write; default: docs/benchmarks/training-speed-<machine>.csv")
    chosen = parser.parse_args()
    console = Console()
    device = torch.device("cuda" if chosen.gpu else "cpu")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rows = []
    for backbone in chosen.backbones:
        for precision in chosen.precision or (["bf16"] if chosen.gpu else ["fp32"]):
            batch, steps = chosen.batch or (128 if chosen.gpu else 8), chosen.steps or (40 if chosen.gpu else 3)
            rows.append(measure(backbone, chosen.size, batch, precision, steps, device))
            console.print(rows[-1])
    where = slug() if not chosen.gpu else torch.cuda.get_device_name().lower().replace(" ", "-")
    out = chosen.out or ROOT / "docs" / "benchmarks" / f"training-speed-{where}.csv"
    with out.open("w", newline="", encoding="utf-8") as stream:
        load = f"load average {os.getloadavg()[0]:.0f}"
        stream.write(f"# {describe()}, {load}, torch {torch.__version__}: python -m bench.training_speed\n")
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
