"""Which provider runs the model, and what is said where it can't."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from hilum.release import BadRelease, Release
from services.inference.app import create_app
from services.inference.loading import load
from services.inference.providers import NAMES, Wish, available
from services.inference.scorer import open_scorer
from tests.releases import make_tiny_release, pattern_film
from tests.services.inference.conftest import settings_for, wait_until_loaded
from tests.services.inference.test_health_and_metrics import value

MISSING = [name for name in NAMES if name not in available()]
with_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="openvino is not installed (requirements/serve-openvino.txt)"
)


def told(folder: Path, rows: dict[str, float]) -> Release:
    """A release whose speed test knows these providers."""
    speed = [
        {"provider": name, "threads": 1, "batch": 1, "ms_per_film": ms, "machine": "a test's"}
        for name, ms in rows.items()
    ]
    return make_tiny_release(folder, speed=speed)


@pytest.mark.skipif(not MISSING, reason="every provider is installed here")
@pytest.mark.parametrize("name", MISSING)
def test_a_provider_that_is_asked_for_and_not_there_leaves_the_service_not_ready_and_says_the_remedy(
    name: str, release: Release
) -> None:
    with TestClient(create_app(settings_for(release.folder, provider=name))) as client:
        wait_until_loaded(client)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        (reason,) = answer.json()["reasons"]
        assert reason.startswith(f"HILUM_PROVIDER={name} is not here: install requirements/serve-")
        assert client.post("/v1/predict", files={"file": pattern_film(0)}).status_code == 503


def test_the_model_call_and_a_metric_say_what_runs_and_why(client: TestClient, release: Release) -> None:
    model = client.get("/v1/model").json()
    assert model["provider"] == "cpu"
    assert model["provider_reason"] == "asked for by HILUM_PROVIDER"
    runtime, _, version = model["runtime"].partition(" ")
    labels = {"release": release.digest, "precision": "fp32", "provider": "cpu", "runtime": runtime, "version": version}
    page = client.get("/metrics").text
    assert value(page, "hilum_provider_info", **labels) == 1
    assert (value(page, "hilum_model_memory_bytes", release=release.digest, precision="fp32") or 0) > 0


@with_openvino
def test_openvino_gives_the_same_scores(release: Release) -> None:
    cpu, other = open_scorer(release), open_scorer(release, wish=Wish("openvino"))
    films = np.random.default_rng(0).normal(size=(5, 1, 128, 128)).astype(np.float32)
    for mine, theirs in zip(
        cpu.session.run(("logits", "embedding"), films), other.session.run(("logits", "embedding"), films), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
    assert load(settings_for(release.folder, provider="openvino")).session.provider == "openvino"


@with_openvino
@pytest.mark.parametrize(
    ("rows", "best"), [({"cpu": 9.0, "openvino": 5.0}, "openvino"), ({"cpu": 5.0, "openvino": 9.0}, "cpu")]
)
def test_auto_takes_the_fastest_by_the_releases_own_speed_test(
    tmp_path: Path, rows: dict[str, float], best: str
) -> None:
    scorer = open_scorer(told(tmp_path / "release", rows), wish=Wish("auto"))
    assert scorer.session.provider == best
    assert scorer.opened.why == "auto: the fastest by the release's speed test (" + (
        "openvino 5.0 ms, cpu 9.0 ms)" if best == "openvino" else "cpu 5.0 ms, openvino 9.0 ms)"
    )


@with_openvino
def test_auto_measures_where_the_release_does_not_know_every_provider(tmp_path: Path) -> None:
    scorer = open_scorer(told(tmp_path / "release", {"cpu": 9.0}), wish=Wish("auto"))
    assert "a measurement at the start" in scorer.opened.why


@pytest.mark.parametrize("provider", ["cpu", pytest.param("openvino", marks=with_openvino)])
def test_the_golden_film_guards_every_provider(tmp_path: Path, provider: str) -> None:
    make_tiny_release(tmp_path / "release", golden_shift=0.01)
    with pytest.raises(BadRelease, match="golden film's"):
        load(settings_for(tmp_path / "release", provider=provider))


def test_a_precision_that_the_release_lacks_is_refused_whatever_could_run_another(release: Release) -> None:
    with pytest.raises(BadRelease, match="has no int8 variant"):
        load(settings_for(release.folder, precision="int8", provider="auto"))


def test_every_wish_is_a_setting(release: Release) -> None:
    make: Callable[..., Any] = settings_for
    for name in ("auto", *NAMES):
        assert make(release.folder, provider=name).provider == name
