"""What a release says of a variant beside its scores: the locked evaluation, parity, golden film, speed, OpenVINO."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.imaging.preprocess import preprocess
from hilum.release import BadRelease, InputSpec, OpenVino, Parity
from training.config import Recipe
from training.evaluate import locked
from training.evaluate.report import Scored, evaluate
from training.evaluate.scores import Scores, open_session, run, score
from training.network.film_net import Ensemble
from training.release import openvino
from training.release.calibrate import probabilities_of
from training.release.candidates import Candidate, Tick, input_spec, network_logits, preprocessed
from training.release.judge import RefusedVariant, parity
from training.release.parts import Part, sample

# Real held-out films on which the file is compared with the network.
PARITY_FILMS = 64
# A variant that is not the default is evaluated with fewer draws, and its curves are left out.
OTHER_DRAWS = 5


def sha256(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def score_locked(candidate: Candidate, recipe: Recipe, part: Part, tick: Tick) -> Scores:
    """Scores of the locked films; the use is written down first. Raises BadRelease where the ledger is damaged."""
    try:
        locked.use(
            locked.ledger_path(),
            f"{recipe.name} {recipe.version} {candidate.precision}",
            sha256(candidate.path),
            locked.data_digest(part.films),
            f"build of {recipe.name} {recipe.version}",
            "evaluation of a built variant",
            # The same recipe on the same data gives the same file: a second build shows nothing that is not known.
            again=True,
        )
    except locked.BadLedger as error:
        raise BadRelease(str(error)) from error
    session = open_session(candidate.path)
    name = "locked" if candidate.precision == "fp32" else f"{candidate.precision} locked"
    return score(session, part.frames, input_spec(recipe), tick=lambda count: tick(name, count))


def evaluate_locked(candidate: Candidate, scores: Scores, part: Part, recipe: Recipe) -> dict[str, Any]:
    """The report on the locked films; of another precision than fp32 without curves, by fewer draws."""
    findings = tuple(spec.name for spec in candidate.reading.specs)
    draws = recipe.evaluation.bootstrap_draws
    scored = Scored(part.films, candidate.reading.specs, scores.logits)
    if candidate.precision == "fp32":
        return evaluate(scored, findings, draws)
    report = evaluate(scored, findings, max(10, draws // OTHER_DRAWS))
    populations: dict[str, Any] = {}
    for name, population in report["populations"].items():
        kept = {key: value for key, value in population.items() if key not in {"subgroups", "gaps"}}
        figures = kept["findings"].items()
        kept["findings"] = {f: {k: v for k, v in figure.items() if k != "curves"} for f, figure in figures}
        kept["critical_composite"] = {k: v for k, v in kept["critical_composite"].items() if k != "curves"}
        populations[name] = kept
    return {"bootstrap_draws": report["bootstrap_draws"], "populations": populations}


def parity_films(parts: Mapping[str, Part], spec: InputSpec) -> npt.NDArray[np.float32]:
    """Preprocessed calibration films (n, 1, H, W) for the parity check and the speed test."""
    return preprocessed(sample(parts["calibration"], PARITY_FILMS, seed=1)[1], spec)


def parity_of(candidate: Candidate, network: Ensemble, films: npt.NDArray[np.float32]) -> Parity:
    """How far the file's probabilities lie from PyTorch's on preprocessed `films`."""
    given = run(open_session(candidate.path), list(films)).logits
    return parity(candidate.reading.specs, network_logits(network, films), given)


def golden_of(candidate: Candidate, grey: npt.NDArray[np.uint8], spec: InputSpec) -> dict[str, float]:
    """The built-in film's probability per finding."""
    logits = run(open_session(candidate.path), [preprocess(grey.astype(np.float32) / np.float32(255), spec)]).logits
    specs = candidate.reading.specs
    return {s.name: float(p) for s, p in zip(specs, probabilities_of(specs, logits)[0], strict=True)}


def openvino_of(candidate: Candidate, films: npt.NDArray[np.float32]) -> OpenVino:
    """Write the variant's OpenVINO form beside it and compare the two.

    Raises BadRelease where OpenVINO is missing, RefusedVariant where the form scores otherwise than the ONNX file by
    more than the service's own check allows: then its files are gone.
    """
    xml = candidate.path.with_suffix(".xml")
    try:
        weights = openvino.convert(candidate.path, xml)
    except openvino.NoOpenVino as error:
        raise BadRelease(f"export.openvino is set in the recipe, but {error}") from error
    specs = candidate.reading.specs
    ours = probabilities_of(specs, run(open_session(candidate.path), list(films)).logits)
    gap = np.abs(probabilities_of(specs, openvino.logits_of(xml, films)) - ours)
    if gap.max() > openvino.GOLDEN_TOLERANCE:
        for file in (xml, weights):
            file.unlink()
        raise RefusedVariant(
            f"OpenVINO's form of {candidate.precision} is not written: a probability comes out {gap.max():.4f} from "
            f"the ONNX file's (at most {openvino.GOLDEN_TOLERANCE})"
        )
    return OpenVino(xml=xml.name, bin=weights.name, max_probability_difference=float(gap.max()))
