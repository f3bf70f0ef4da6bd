"""`python -m bench.precisions`: what each precision of a release loses, weighs and takes; every attempt at int8 too.

Losses are against the release's own fp32 file on the calibration and validation films of the recipe's data; the locked
films are not touched. Speeds are milliseconds a film on one thread, the best of several runs.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

from bench.machine import slug
from hilum.release import read_release
from training.config import CONFIGS, Recipe, read_recipe
from training.data.prepare import prepare
from training.release import quantise
from training.release.candidates import HELD, Candidate, input_spec, preprocessed, read_scores, score_held
from training.release.export import save
from training.release.graph import optimise
from training.release.judge import RefusedVariant, fidelity, judge
from training.release.parts import Part, sample
from training.release.precisions import check_runs, to_bf16, to_fp16
from training.release.speed import measure

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = (
    "what",
    "mb",
    "mean_auroc_loss",
    "worst_critical_loss",
    "studies_moved",
    "cpu_batch_1_ms",
    "cpu_batch_16_ms",
    "openvino_batch_1_ms",
    "openvino_batch_16_ms",
    "verdict",
)


def attempts(graph: onnx.ModelProto, recipe: Recipe, parts: dict[str, Part]) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Every precision, and each way to int8."""
    spec = input_spec(recipe)
    yield "fp16", to_fp16(graph)
    yield "bf16", to_bf16(graph)
    training = preprocessed(sample(parts["train"], 64, seed=8)[1], spec)
    ranges = quantise.find_ranges(graph, training, "minmax")
    for share in quantise.FIRST_IN_FP32:
        yield f"int8, first {share:.0%} of the depth in fp32", quantise.to_int8(graph, ranges, share)


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--recipe", type=Path, default=CONFIGS / "default.yaml")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="or HILUM_TRAINING_DATA")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / f"precisions-{slug()}.csv")
    chosen = parser.parse_args()
    recipe = read_recipe(chosen.recipe).changed(evaluation__bootstrap_draws=10)
    prepared = prepare(recipe, Path(os.environ.get("HILUM_TRAINING_DATA", chosen.data)))
    parts = {name: Part(part.films, part.frames) for name, part in prepared.parts.items()}
    release, spec = read_release(chosen.release), input_spec(recipe)
    films = preprocessed(sample(parts["calibration"], 16, seed=1)[1], spec)
    held = [film for name in HELD for film in parts[name].films]
    rows = []

    with tempfile.TemporaryDirectory() as scratch:
        path = release.path(release.manifest.variant("fp32"))
        graph = optimise(onnx.load(str(path)))
        as_is, plain = Path(scratch) / "as-released.onnx", Path(scratch) / "fp32.onnx"
        as_is.write_bytes(path.read_bytes())
        save(graph, release.findings, spec, plain)
        scores = score_held(plain, parts, spec, lambda stage, count: None)
        fp32 = Candidate("fp32", plain, scores, read_scores(recipe, release.findings, parts, scores))

        def row(what: str, file: Path, losses: tuple[str, str, str], verdict: str) -> None:
            took = {(s.provider, s.batch): f"{s.ms_per_film:.2f}" for s in measure(file, films)}
            speeds = [took.get((p, b), "") for p in ("cpu", "openvino") for b in (1, 16)]
            rows.append((what, f"{file.stat().st_size / 1e6:.1f}", *losses, *speeds, verdict))
            sys.stdout.write(f"{rows[-1]}\n")
            sys.stdout.flush()

        row("fp32, as released", as_is, ("", "", ""), "the reference")
        row("fp32, optimised graph", plain, ("", "", ""), "same outputs")
        for what, model in attempts(graph, recipe, parts):
            precision = what.partition(",")[0]
            file = Path(scratch) / f"{len(rows)}.onnx"
            try:
                check_runs(precision, model)
            except RefusedVariant as error:
                rows.append((what, "", "", "", "", "", "", "", "", str(error)))
                continue
            save(model, release.findings, spec, file)
            got = score_held(file, parts, spec, lambda stage, count: None)
            found = fidelity(held, fp32.reading, read_scores(recipe, release.findings, parts, got))
            worst = max(found.critical_auroc_loss.values(), default=float("nan"))
            losses = (f"{found.mean_auroc_loss:.4f}", f"{worst:.4f}", f"{np.round(found.studies_moved, 4):.4f}")
            try:
                judge(precision, found)
                row(what, file, losses, "written")
            except RefusedVariant as error:
                row(what, file, losses, str(error))
    with chosen.out.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
