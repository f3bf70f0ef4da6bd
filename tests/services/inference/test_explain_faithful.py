"""The bundled release's heat maps are of the model that is served: by curves, by arithmetic, by breaking the model."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from PIL import Image

from bench.curves import curves, shuffled
from hilum.imaging import decode
from hilum.imaging.preprocess import preprocess
from hilum.release import read_release
from services.inference.heat import LABEL, heat_map
from services.inference.scorer import NotScorable, Outputs, Scorer, open_scorer

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "models" / "default"
# Adult films of several findings; each is above the alert point of at least one.
FILMS = ("nih_00001377_004", "nih_00001787_005", "nih_00002720_006", "nih_00002806_000", "nih_00003817_000")


@cache
def bundled() -> Scorer:
    return open_scorer(read_release(FOLDER))


@cache
def film(name: str) -> np.ndarray:
    return preprocess(decode((ROOT / "samples" / f"{name}.jpg").read_bytes()).pixels, bundled().manifest.input)


@cache
def outputs(name: str) -> Outputs:
    return bundled().run(film(name)[np.newaxis])


def alerts(name: str) -> list[int]:
    """The established findings at or above their alert points, the most probable first."""
    scorer = bundled()
    probabilities = scorer.probabilities(outputs(name).logits)[0]
    above = [
        k
        for k, spec in enumerate(scorer.variant.findings)
        if spec.established and probabilities[k] >= spec.alert.threshold
    ]
    return sorted(above, key=lambda k: -probabilities[k])


@pytest.mark.parametrize("name", FILMS)
def test_a_logit_is_the_mean_of_its_activation_and_a_bias_that_no_film_changes(name: str) -> None:
    def bias(of: str) -> np.ndarray:
        return np.asarray(outputs(of).logits[0] - outputs(of).activation[0].mean(axis=(1, 2)))

    assert np.allclose(bias(name), bias("nih_00001350_000"), atol=1e-3)
    assert np.ptp(outputs(name).activation[0], axis=(1, 2)).min() > 0.1


@pytest.mark.slow
def test_deleting_what_the_map_names_lowers_the_score_faster_than_random_maps() -> None:
    rng = np.random.default_rng(0)
    gains = []
    for name in FILMS:
        for index in alerts(name)[:1]:
            heat = outputs(name).activation[0, index]
            ours, *random = curves(bundled(), film(name), index, [heat, *(shuffled(heat, rng) for _ in range(3))])
            gains.append((np.mean([r.deletion for r in random]) - ours.deletion, ours.insertion - random[0].insertion))
    deletion, insertion = np.array(gains).T
    assert len(gains) == len(FILMS)
    assert deletion.mean() > 0.2
    assert insertion.mean() > 0.2
    assert (deletion > 0).sum() >= len(FILMS) - 1


def scrambled(head_only: bool) -> ort.InferenceSession:
    """The bundled model with the values of its head's weights, or of all weights, in random places."""
    model = onnx.load(str(FOLDER / bundled().variant.file))
    findings, rng = len(bundled().manifest.findings), np.random.default_rng(3)
    for tensor in model.graph.initializer:
        is_head = len(tensor.dims) == 4 and tensor.dims[0] == findings
        if is_head or (len(tensor.dims) == 4 and not head_only):
            values = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(rng.permutation(values.ravel()).reshape(values.shape), tensor.name))
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def ranks(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.ravel().argsort().argsort(), dtype=float)


@pytest.mark.parametrize("head_only", [True, False])
def test_random_weights_destroy_the_map(head_only: bool) -> None:
    """Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018: a map that survives explains the film alone."""
    session, likeness = scrambled(head_only), []
    for name in FILMS:
        (broken,) = session.run(["activation"], {"film": film(name)[np.newaxis]})
        for k in range(broken.shape[1]):
            likeness.append(np.corrcoef(ranks(broken[0, k]), ranks(outputs(name).activation[0, k]))[0, 1])
    assert abs(float(np.nanmean(likeness))) < 0.35


def test_the_maps_of_different_findings_differ() -> None:
    maps = [ranks(outputs(FILMS[0]).activation[0, k]) for k in range(len(bundled().manifest.findings))]
    assert float(np.mean(np.corrcoef(maps))) < 0.8


def test_a_map_says_of_itself_what_it_is() -> None:
    name = bundled().manifest.findings[alerts(FILMS[0])[0]]
    with Image.open(BytesIO(heat_map(bundled(), film(FILMS[0]), name))) as image:
        assert image.info["Description"] == LABEL == "influence, not location"
        assert (image.info["Finding"], image.info["Release"]) == (name, bundled().release.digest)


def test_a_film_out_of_domain_has_no_map_and_the_reason() -> None:
    noise = np.random.default_rng(0).normal(size=(1, 128, 128)).astype(np.float32)
    with pytest.raises(NotScorable, match="does not look like"):
        heat_map(bundled(), noise, bundled().manifest.findings[0])


def test_an_unknown_finding_has_no_map() -> None:
    with pytest.raises(KeyError):
        heat_map(bundled(), film(FILMS[0]), "Fracture")
