"""`python -m bench.explain`: are heat maps faithful, and what do they cost? Writes docs/benchmarks/explain.csv.

Per finding, over validation films above its alert point (never locked ones): how much faster the mean logit falls along
the deletion curve, and rises along the insertion curve, of the film's own map than of that map with its cells in random
places. Positive is better for both.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np

from bench.curves import curves, shuffled
from bench.machine import describe
from hilum.imaging import Limits
from hilum.imaging.preprocess import preprocess
from hilum.release import read_release
from services.inference.assess import assess, explain
from services.inference.scorer import Scorer, open_scorer
from training.config import CONFIGS, read_recipe
from training.data.prepare import prepare
from training.data.store import pixels_of

ROOT = Path(__file__).resolve().parent.parent
RANDOM_MAPS = 3


def cost(scorer: Scorer, rounds: int) -> list[tuple[str, float]]:
    """Median milliseconds of a prediction and of a heat map, in turn, from the bytes of two films; and their ratios."""
    rows = []
    for film in ("nih_00001377_004.jpg", "nih_test1.dcm"):
        data = (ROOT / "samples" / film).read_bytes()
        finding = scorer.manifest.findings[0]
        calls = {
            "prediction": partial(assess, scorer, data, Limits()),
            "heat map": partial(explain, scorer, data, Limits(), finding),
        }
        took: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                took[name].append((time.perf_counter() - began) * 1000)
        middle = {name: statistics.median(values) for name, values in took.items()}
        rows += [(f"{film}: {name}, ms (median)", value) for name, value in middle.items()]
        rows.append((f"{film}: heat map / prediction", middle["heat map"] / middle["prediction"]))
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.explain", description=__doc__)
    parser.add_argument("--release", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--films", type=int, default=8, help="films per finding, at most; 0: the cost alone")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "explain.csv")
    chosen = parser.parse_args()
    scorer = open_scorer(read_release(chosen.release))
    timings = cost(scorer, chosen.rounds)
    for row in timings:
        print(*row, flush=True)  # noqa: T201
    recipe, rng = read_recipe(CONFIGS / "default.yaml"), np.random.default_rng(0)
    side = scorer.manifest.input.height
    frames = np.empty((0, side, side), dtype=np.float32)
    if chosen.films > 0:
        frames = pixels_of(prepare(recipe, chosen.data).parts["validation"].frames[:])
    gains: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for frame in frames[rng.permutation(len(frames))]:
        film = preprocess(frame, scorer.manifest.input)
        outputs = scorer.run(film[np.newaxis])
        probabilities = scorer.probabilities(outputs.logits)[0]
        for k, spec in enumerate(scorer.variant.findings):
            wanted = spec.established and len(gains[spec.name]) < chosen.films
            if wanted and probabilities[k] >= spec.alert.threshold:
                heat = outputs.activation[0, k]
                maps = [heat, *(shuffled(heat, rng) for _ in range(RANDOM_MAPS))]
                ours, *random = curves(scorer, film, k, maps)
                deletion = float(np.mean([r.deletion for r in random])) - ours.deletion
                insertion = ours.insertion - float(np.mean([r.insertion for r in random]))
                gains[spec.name].append((deletion, insertion))
    gains["all findings"] = [pair for pairs in gains.values() for pair in pairs]
    with chosen.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([f"# {scorer.manifest.name} {scorer.manifest.version}; {describe()}"])
        writer.writerow(
            ["finding", "films", "deletion gain (logits)", "films won", "insertion gain (logits)", "films won"]
        )
        for name, pairs in gains.items():
            if pairs:
                a = np.array(pairs)
                mean, won = a.mean(axis=0), (a > 0).sum(axis=0)
                writer.writerow([name, len(pairs), f"{mean[0]:.3f}", won[0], f"{mean[1]:.3f}", won[1]])
                print(name, len(pairs), mean, won, flush=True)  # noqa: T201
        writer.writerow(["cost", "value"])
        writer.writerows((name, f"{value:.2f}") for name, value in timings)


if __name__ == "__main__":
    main()
