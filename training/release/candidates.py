"""The precisions that a recipe asks for: each is made, read with its own calibration, and kept or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch

from hilum.imaging.preprocess import preprocess
from hilum.release import Fidelity, InputSpec
from training.config import Precision, Recipe
from training.data.manifest import label_matrix, patients_of
from training.data.store import pixels_of
from training.evaluate.scores import Scores, open_session, score
from training.network.film_net import Ensemble
from training.release import export, quantise
from training.release.calibrate import calibrate, critical_margin, probabilities_of
from training.release.judge import Reading, RefusedVariant, fidelity, judge
from training.release.parts import Part, calibration_mask, sample
from training.release.precisions import check_runs, to_bf16, to_fp16

Tick = Callable[[str, int], None]
# Training films whose activations' ranges int8 takes.
RANGE_FILMS = 64
HELD = ("calibration", "validation")


@dataclass(frozen=True, eq=False)
class Candidate:
    """One precision's file with its scores of the held-out films (calibration, then validation) and how to read them.

    `fidelity` is None for fp32, which the others are held against.
    """

    precision: Precision
    path: Path
    scores: Scores
    reading: Reading
    fidelity: Fidelity | None = None


def preprocessed(frames: object, spec: InputSpec) -> npt.NDArray[np.float32]:
    """Stored frames (N, H, W) as the model takes them, (N, 1, H, W)."""
    return np.stack([preprocess(film, spec) for film in pixels_of(np.asarray(frames))])


def score_held(path: Path, parts: Mapping[str, Part], spec: InputSpec, tick: Tick) -> Scores:
    """Scores of the calibration films and, after them, the validation films."""
    session = open_session(path)
    done = [
        score(session, parts[name].frames, spec, tick=lambda count, n=name: tick(n, count))  # type: ignore[misc]
        for name in HELD
    ]
    return Scores(np.concatenate([s.logits for s in done]), np.concatenate([s.embeddings for s in done]))


def read_scores(recipe: Recipe, findings: tuple[str, ...], parts: Mapping[str, Part], scores: Scores) -> Reading:
    """Calibration, operating points and critical margin from one population's calibration films, never another's."""
    films = parts["calibration"].films
    chosen = calibration_mask(recipe, films)
    held = [film for film, taken in zip(films, chosen, strict=True) if taken]
    logits = scores.logits[: len(films)][chosen]
    specs = calibrate(findings, logits, label_matrix(held), patients_of(held), recipe.evaluation.bootstrap_draws, 7)
    margin = critical_margin(specs, probabilities_of(specs, logits), recipe.evaluation.alarm_budget)
    return Reading(specs, margin, scores.logits)


def make_fp32(
    recipe: Recipe, network: Ensemble, findings: tuple[str, ...], parts: Mapping[str, Part], folder: Path, tick: Tick
) -> tuple[Candidate, onnx.ModelProto]:
    """The fp32 variant, and its graph for the other precisions."""
    spec = input_spec(recipe)
    path = folder / "model.fp32.onnx"
    graph = export.export(network, findings, spec, path, recipe.export.half_weights)
    scores = score_held(path, parts, spec, tick)
    return Candidate("fp32", path, scores, read_scores(recipe, findings, parts, scores)), graph


def input_spec(recipe: Recipe) -> InputSpec:
    """The input geometry of the recipe's release."""
    return InputSpec(height=recipe.data.input_size, width=recipe.data.input_size)


def _int8(graph: onnx.ModelProto, recipe: Recipe, parts: Mapping[str, Part]) -> Iterator[onnx.ModelProto]:
    spec = input_spec(recipe)
    _, training = sample(parts["train"], RANGE_FILMS, seed=8)
    _, validation = sample(parts["validation"], RANGE_FILMS, seed=9)
    ranges = quantise.choose_ranges(graph, preprocessed(training, spec), preprocessed(validation, spec))
    for share in quantise.FIRST_IN_FP32:
        yield quantise.to_int8(graph, ranges, share)


def _models(
    precision: Precision, graph: onnx.ModelProto, recipe: Recipe, parts: Mapping[str, Part]
) -> Iterator[onnx.ModelProto]:
    """The ways to make a precision, the fastest first."""
    if precision == "int8":
        yield from _int8(graph, recipe, parts)
    else:
        yield to_fp16(graph) if precision == "fp16" else to_bf16(graph)


def make_other(
    precision: Precision,
    recipe: Recipe,
    graph: onnx.ModelProto,
    fp32: Candidate,
    parts: Mapping[str, Part],
    tick: Tick,
) -> Candidate:
    """A variant of `precision` that loses little enough against `fp32`.

    Raises RefusedVariant with the last attempt's reason, and leaves no file, where there is none.
    """
    findings = tuple(spec.name for spec in fp32.reading.specs)
    films = [film for name in HELD for film in parts[name].films]
    path = fp32.path.with_name(f"model.{precision}.onnx")
    reason = RefusedVariant(f"{precision} is not written: there is no way to make it")
    for model in _models(precision, graph, recipe, parts):
        try:
            check_runs(precision, model)
            export.save(model, findings, input_spec(recipe), path)
            scores = score_held(path, parts, input_spec(recipe), lambda name, n: tick(f"{precision} {name}", n))
            reading = read_scores(recipe, findings, parts, scores)
            found = fidelity(films, fp32.reading, reading)
            judge(precision, found)
        except RefusedVariant as error:
            path.unlink(missing_ok=True)
            reason = error
            continue
        return Candidate(precision, path, scores, reading, found)
    raise reason


def network_logits(network: Ensemble, films: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Logits (N, K) that PyTorch gives for preprocessed `films` (N, 1, H, W), in fp32 with the weights as trained."""
    network.eval()
    with torch.inference_mode():
        parts = [network(torch.from_numpy(films[n : n + 32]))[0].numpy() for n in range(0, len(films), 32)]
    return np.concatenate(parts).astype(np.float64)
