"""Exposure: some patients' live answer is canary's; one study never shows two releases' answers at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from services.web.blind import in_blind_share
from services.web.shadow.tables import Exposure
from services.web.tables import Answer
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, open_room, wait_for
from tests.services.web.shadow.pairs import BOTH, ONLY_ONE, metric, paired

# Canary is given time: in two runs of all tests in one process everything here stood still for three seconds.
QUICK = {"poll_seconds": 0.1, "exposure_share": 1.0, "canary_timeout_seconds": 20.0, "exposure_wait_seconds": 20.0}


def digest_of(room: Room, uid: str) -> str:
    """Whose answer the study shows."""
    return str(room.study(uid)["answer"]["release"]["digest"])


def knows_canary(room: Room) -> None:
    """Wait until canary's release is known: before that nobody is exposed."""
    assert room.web.canary is not None
    wait_for(lambda: room.web.canary and room.web.canary.model is not None)


def test_an_exposed_patients_answer_is_canarys_and_the_pair_is_still_made(
    tmp_path: Path, tiny_release: Path, canary_release: Path, database_url: str
) -> None:
    with open_room(tmp_path, tiny_release, canary=canary_release, database_url=database_url, **QUICK) as room:
        knows_canary(room)
        uid = room.sent(pattern_film(ONLY_ONE), patient_id="P-1")
        study = room.settled(uid)
        (pair,) = paired(room, 1)
        assert study["answer"]["release"]["version"] == "2.0.0"
        assert [f["name"] for f in study["answer"]["findings"] if f["present"]] == [FINDINGS[-1]]
        assert pair.exposed
        assert pair.shadow_digest == study["answer"]["release"]["digest"] != pair.live_digest
        assert max(pair.live_scores, key=pair.live_scores.get) == FINDINGS[0]  # type: ignore[arg-type]
        assert study["trial"]["release_digest"] == pair.shadow_digest
        assert [f["name"] for f in study["findings"]] == list(FINDINGS[::-1])
        assert "Release on trial" in room.client.get(f"/studies/{uid}").text
        film = study["films"][0]["uid"]
        heat = room.client.get(f"/v1/studies/{uid}/films/{film}/heat", params={"finding": FINDINGS[-1]})
        assert heat.status_code == 200
        assert room.to_canary is not None
        assert "POST /v1/explain" in room.to_canary.requests
        assert "POST /v1/explain" not in room.to_inference.requests
        # The header names production's release: canary's is not the site's.
        assert room.web.inference is not room.web.served_by(pair.shadow_digest)
        assert room.client.get("/about").text.count("1.0.0")


def test_without_exposure_no_answer_is_canarys(trial: Room) -> None:
    for block in range(4):
        study = trial.settled(trial.sent(pattern_film(block), patient_id=f"P-{block}"))
        assert study["answer"]["release"]["version"] == "1.0.0"
        assert study["trial"] is None
    assert {pair.exposed for pair in paired(trial, 4)} == {False}


def test_a_patient_is_exposed_with_all_studies_or_with_none(
    tmp_path: Path, tiny_release: Path, canary_release: Path
) -> None:
    with open_room(tmp_path, tiny_release, canary=canary_release, **{**QUICK, "exposure_share": 0.5}) as room:
        knows_canary(room)
        said: dict[str, set[str]] = {}
        for number in range(12):
            patient = f"P-{number % 6}"
            uid = room.sent(pattern_film(BOTH, 256 + 4 * number), patient_id=patient)
            said.setdefault(patient, set()).add(room.settled(uid)["answer"]["release"]["version"])
        assert all(len(versions) == 1 for versions in said.values())
        assert {version for versions in said.values() for version in versions} == {"1.0.0", "2.0.0"}


def test_raising_the_share_adds_patients_and_moves_none() -> None:
    patients = [f"P-{n}" for n in range(2000)]
    small, large = ({p for p in patients if in_blind_share(p, "exposure\0hilum", s)} for s in (0.05, 0.25))
    assert small < large
    assert 60 < len(small) < 140
    assert 420 < len(large) < 580


@pytest.mark.parametrize("late", [False, True], ids=["before the first answer", "with a late film"])
def test_where_canary_does_not_answer_production_does_and_it_is_said(
    tmp_path: Path, tiny_release: Path, canary_release: Path, late: bool
) -> None:
    order = {"patient_id": "P-1", "accession": "A-1"}
    with open_room(tmp_path, tiny_release, canary=canary_release, **QUICK) as room:
        knows_canary(room)
        assert room.to_canary is not None
        if late:
            uid = room.sent(pattern_film(BOTH), **order)
            assert room.settled(uid)["answer"]["release"]["version"] == "2.0.0"
        room.to_canary.cut = True
        uid = room.sent(("second.png", pattern_film(ONLY_ONE)), **order)
        study = wait_for(lambda: [s for s in [room.settled(uid)] if s["answer"]["release"]["version"] == "1.0.0"])[0]
        assert study["trial"]["reason"] == "canary did not answer"
        assert "changed hands" in room.client.get(f"/studies/{uid}").text
        assert metric(room, 'hilum_exposures_total{outcome="ended"}') >= 1
        # All films of the answer are scored by the one release that gives it.
        assert {f["name"] for f in study["answer"]["findings"] if f["present"]} == (
            {FINDINGS[0], "Pneumothorax"} if late else {FINDINGS[0]}
        )
        room.to_canary.cut = False
        room.sent(("third.png", pattern_film(1)), **order)
        wait_for(lambda: len(room.study(uid)["films"]) == (3 if late else 2) and room.study(uid)["status"] == "scored")
        assert room.study(uid)["answer"]["release"]["version"] == "1.0.0"


@pytest.mark.parametrize("how", ["turned down", "no canary"])
def test_ending_the_exposure_gives_unread_studies_a_new_answer_and_leaves_read_ones(
    tmp_path: Path, tiny_release: Path, canary_release: Path, how: str
) -> None:
    with open_room(tmp_path, tiny_release, canary=canary_release, **QUICK) as room:
        knows_canary(room)
        read = room.sent(pattern_film(BOTH), patient_id="P-1")
        unread = room.sent(pattern_film(ONLY_ONE), patient_id="P-2")
        for uid in (read, unread):
            assert room.settled(uid)["answer"]["release"]["version"] == "2.0.0"
        assert room.read(read, {"Pneumothorax": 1}, "k-1", answer_version=1).status_code == 201
    settings = {**QUICK, "exposure_share": 0.0}
    with open_room(tmp_path, tiny_release, canary=None if how == "no canary" else canary_release, **settings) as room:
        wait_for(lambda: room.study(unread)["answer_version"] == 2)
        study = room.settled(unread)
        assert study["answer"]["release"]["version"] == "1.0.0"
        assert "changed hands" in room.client.get(f"/studies/{unread}").text
        assert digest_of(room, read) != digest_of(room, unread)
        assert room.study(read)["answer_version"] == 1
        with room.web.read() as session:
            versions = session.scalars(select(Answer.version).where(Answer.study_uid == unread)).all()
            assert sorted(versions) == [1, 2]
            assert session.scalars(select(Exposure).where(Exposure.ended_at.is_not(None))).one().study_uid == unread


def test_a_canary_that_stays_away_loses_its_unread_studies(
    tmp_path: Path, tiny_release: Path, canary_release: Path
) -> None:
    with open_room(tmp_path, tiny_release, canary=canary_release, canary_gone_minutes=0.005, **QUICK) as room:
        knows_canary(room)
        uid = room.sent(pattern_film(BOTH), patient_id="P-1")
        assert room.settled(uid)["answer"]["release"]["version"] == "2.0.0"
        assert room.to_canary is not None
        room.to_canary.cut = True
        for block in (0, 1, 3):
            room.settled(room.sent(pattern_film(block), patient_id=f"P-{block}"))
        wait_for(lambda: room.study(uid)["answer_version"] == 2)
        assert room.study(uid)["trial"]["reason"] == "canary has not answered for some time"
