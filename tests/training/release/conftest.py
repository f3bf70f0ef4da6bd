"""A release of every precision, built from a small network with random weights on real films: no training needed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.training.films import small_data, tiny_recipe
from tests.training.release.made import Built, Ready
from training.data.prepare import prepare
from training.network.film_net import Ensemble, FilmNet
from training.release.bundle import Part


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    """A network with random weights and the films of the small data, decoded."""
    folder = tmp_path_factory.mktemp("ready")
    data = small_data(folder / "data", films=120)
    recipe = tiny_recipe(data).changed(evaluation__bootstrap_draws=10)
    prepared = prepare(recipe, data, folder / "store")
    torch.manual_seed(0)
    findings = prepared.manifest.findings
    members = [FilmNet("test_efficientnet", len(findings), 0.0, 0.0, None, 64).eval() for _ in range(2)]
    parts = {name: Part(part.films, np.asarray(part.frames)) for name, part in prepared.parts.items()}
    return Ready(recipe, Ensemble(members, 64, 64), findings, parts)


@pytest.fixture(scope="session")
def built(ready: Ready, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A release for which every precision, and OpenVINO's form, was asked."""
    said: list[str] = []
    target = tmp_path_factory.mktemp("built") / "release"
    wanted = ("fp32", "fp16", "bf16", "int8")
    return Built(ready.build(target, said, export__precisions=wanted, export__openvino=True), said)
