"""The exported file gives what the network gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from hilum.release import InputSpec
from training.evaluate.scores import open_session
from training.network.film_net import Ensemble, FilmNet
from training.release.domain import fit_domain
from training.release.export import export

FINDINGS = ("Effusion", "Nodule", "Edema")
SPEC = InputSpec(height=64, width=64)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ensemble, Path]:
    torch.manual_seed(0)
    members = [FilmNet("tf_efficientnet_lite0", 3, 0.0, 0.0, None).eval() for _ in range(2)]
    network = Ensemble(members, 96, 64)
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export(network, FINDINGS, SPEC, path)
    return network, path


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_gives_what_torch_gives_at_any_batch(exported: tuple[Ensemble, Path], batch: int) -> None:
    network, path = exported
    films = torch.randn(batch, 1, 64, 64, generator=torch.Generator().manual_seed(batch))
    with torch.no_grad():
        expected = network(films)
    given = open_session(path).run(["logits", "activation", "embedding"], {"film": films.numpy()})
    for ours, theirs in zip(expected, given, strict=True):
        # Weights are stored in 16 bits.
        np.testing.assert_allclose(theirs, ours.numpy(), atol=5e-3, rtol=5e-3)


def test_the_mean_of_the_activation_plus_a_bias_is_the_logit(exported: tuple[Ensemble, Path]) -> None:
    _, path = exported
    films = np.random.default_rng(0).normal(size=(4, 1, 64, 64)).astype(np.float32)
    logits, activation = open_session(path).run(["logits", "activation"], {"film": films})
    bias = logits - activation.mean(axis=(2, 3))
    np.testing.assert_allclose(bias, np.broadcast_to(bias[:1], bias.shape), atol=1e-4)


def test_the_file_names_its_findings_and_input_and_is_stored_in_half(exported: tuple[Ensemble, Path]) -> None:
    network, path = exported
    model = onnx.load(str(path))
    metadata = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert tuple(metadata["findings"]) == FINDINGS
    assert InputSpec.model_validate(metadata["input"]) == SPEC
    assert model.opset_import[0].version >= 17
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert path.stat().st_size < 2.3 * weights


def test_the_domain_threshold_refuses_the_share_asked_for_and_far_embeddings() -> None:
    rng = np.random.default_rng(0)
    films = rng.normal(size=(600, 20)).astype(np.float32)
    domain = fit_domain(films[:400], films[400:], np.arange(200), {}, (0.01, 0.02), 8, 50)
    assert domain.false_refusal.value <= 0.01
    far = (rng.normal(size=(50, 20)) * 6).astype(np.float32)
    assert (domain.statistics.distances(far) > domain.threshold).mean() > 0.95


def test_a_group_of_unusual_chest_films_is_not_refused_more_than_its_limit() -> None:
    rng = np.random.default_rng(1)
    films = rng.normal(size=(900, 20)).astype(np.float32)
    children = np.arange(500) >= 450
    held_out = np.where(children[:, None], 1.6, 1.0).astype(np.float32) * films[400:]
    blind = fit_domain(films[:400], held_out, np.arange(500), {}, (0.01, 0.02), 8, 20)
    fair = fit_domain(films[:400], held_out, np.arange(500), {"children": children}, (0.01, 0.02), 8, 20)
    distances = fair.statistics.distances(held_out)
    assert (distances[children] > blind.threshold).mean() > 0.02
    assert (distances[children] > fair.threshold).mean() <= 0.02
