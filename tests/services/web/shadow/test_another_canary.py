"""Canary moves on to another release while the reading room runs: pairs and exposures stay with their release."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.inference.app import create_app as create_inference
from services.inference.settings import InferenceSettings
from tests.releases import FINDINGS, make_tiny_release, pattern_film
from tests.services.web.room import Room, open_room, wait_for
from tests.services.web.shadow.pairs import BOTH, ONLY_ONE, paired, pairs


@contextlib.contextmanager
def canary_instead(room: Room, release: Path, data: Path) -> Iterator[None]:
    """Canary serves `release` until the block ends."""
    app = create_inference(InferenceSettings(data=data, release=release, trusted_keys=""))
    portal = room.client.portal
    assert portal is not None
    assert room.to_canary is not None
    before = room.to_canary.target
    with portal.wrap_async_context_manager(app.router.lifespan_context(app)):
        wait_for(lambda: "loaded" not in (app.state.serving.reason or ""))
        room.to_canary.target = app
        yield
        room.to_canary.target = before


@pytest.fixture(scope="module")
def third_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release that is neither production's nor canary's first."""
    order = (*FINDINGS[2:], *FINDINGS[:2])
    return make_tiny_release(tmp_path_factory.mktemp("third") / "r", order, version="3.0.0").folder


def test_pairs_are_of_the_release_that_canary_served(trial: Room, third_release: Path, tmp_path: Path) -> None:
    first = trial.sent(pattern_film(BOTH))
    trial.settled(first)
    (old,) = paired(trial, 1)
    with canary_instead(trial, third_release, tmp_path):
        second = trial.sent(pattern_film(ONLY_ONE))
        trial.settled(second)
        wait_for(lambda: any(p.study_uid == second and p.shadow_digest != old.shadow_digest for p in pairs(trial)))
    # What arrived before the third release was there is owed no pair with it.
    assert {(p.study_uid, p.shadow_digest == old.shadow_digest) for p in pairs(trial)} == {
        (first, True),
        (second, False),
    }


def test_an_exposed_study_is_not_answered_by_a_third_release(
    tmp_path: Path, tiny_release: Path, canary_release: Path, third_release: Path
) -> None:
    order = {"patient_id": "P-1", "accession": "A-1"}
    with open_room(tmp_path, tiny_release, canary=canary_release, poll_seconds=0.1, exposure_share=1.0) as room:
        wait_for(lambda: room.web.canary and room.web.canary.model)
        uid = room.sent(pattern_film(BOTH), **order)
        assert room.settled(uid)["answer"]["release"]["version"] == "2.0.0"
        with canary_instead(room, third_release, tmp_path):
            room.sent(("late.png", pattern_film(ONLY_ONE)), **order)
            wait_for(lambda: room.study(uid)["answer"]["release"]["version"] == "1.0.0")
            study = room.settled(uid)
        assert study["trial"]["reason"] == "canary serves another release now"
        assert len(study["films"]) == 2
        assert {f["name"] for f in study["answer"]["findings"] if f["present"]} == {FINDINGS[0], "Pneumothorax"}
