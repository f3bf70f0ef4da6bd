"""Shadow answers: every study is asked of canary too, the two are compared, and nobody is shown the second."""

from __future__ import annotations

from pathlib import Path

from services.web.shadow.canary import Canary
from services.web.tables import Answer, Prediction
from tests.releases import FINDINGS, noise_film, pattern_film
from tests.services.web.room import Room, open_room, wait_for
from tests.services.web.shadow.pairs import (
    BOTH,
    ONLY_ONE,
    everything_said,
    metric,
    paired,
    pairs,
    shadow_predictions,
)


def test_each_study_gets_a_pair_of_answers_to_the_same_films(any_trial: Room) -> None:
    uids = [any_trial.sent(pattern_film(block)) for block in (BOTH, ONLY_ONE)]
    for uid in uids:
        any_trial.settled(uid)
    found = {pair.study_uid: pair for pair in paired(any_trial, 2)}
    agreed, differed = found[uids[0]], found[uids[1]]
    assert max(agreed.live_scores, key=agreed.live_scores.get) == "Pneumothorax"  # type: ignore[arg-type]
    assert max(agreed.shadow_scores, key=agreed.shadow_scores.get) == "Pneumothorax"  # type: ignore[arg-type]
    assert max(differed.live_scores, key=differed.live_scores.get) == FINDINGS[0]  # type: ignore[arg-type]
    assert max(differed.shadow_scores, key=differed.shadow_scores.get) == FINDINGS[-1]  # type: ignore[arg-type]
    assert (differed.live_band, differed.shadow_band) == ("critical", "urgent")
    assert not any(pair.exposed for pair in found.values())


def test_pairs_and_disagreements_are_counted_from_nought(trial: Room) -> None:
    trial.settled(trial.sent(pattern_film(BOTH)))
    (pair,) = paired(trial, 1)
    names = f'live="{pair.live_digest}",shadow="{pair.shadow_digest}"'
    before = metric(trial, f'hilum_shadow_disagreements_total{{finding="{FINDINGS[0]}",{names}')
    count = metric(trial, f"hilum_shadow_pairs_total{{{names}")
    trial.settled(trial.sent(pattern_film(ONLY_ONE)))
    paired(trial, 2)
    wait_for(lambda: metric(trial, f"hilum_shadow_pairs_total{{{names}") == count + 1)
    for name in (FINDINGS[0], FINDINGS[-1]):
        assert metric(trial, f'hilum_shadow_disagreements_total{{finding="{name}",{names}') == before + 1
    assert metric(trial, f'hilum_shadow_disagreements_total{{finding="Pneumothorax",{names}') == 0


def test_nobody_is_shown_a_shadow_answer(trial: Room) -> None:
    uid = trial.sent(pattern_film(ONLY_ONE))
    trial.settled(uid)
    before = everything_said(trial, uid)
    (pair,) = paired(trial, 1)
    text = everything_said(trial, uid)
    assert pair.live_digest in text
    assert pair.shadow_digest not in before + text
    assert "2.0.0" not in text
    with trial.web.read() as session:
        assert {row.release_digest for row in session.query(Answer)} == {pair.live_digest}
        assert {row.release_digest for row in session.query(Prediction)} == {pair.live_digest}
    film = trial.study(uid)["films"][0]["uid"]
    trial.client.get(f"/v1/studies/{uid}/films/{film}/heat", params={"finding": FINDINGS[0]})
    assert trial.to_canary is not None
    assert "POST /v1/explain" not in trial.to_canary.requests
    # The ledger knows which release answered in shadow when the read was made.
    assert trial.read(uid, {FINDINGS[0]: 1}, "k1", answer_version=1).status_code == 201
    (read,) = wait_for(trial.ledger)
    assert (read["release_digest"], read["shadow_digest"]) == (pair.live_digest, pair.shadow_digest)


def test_a_late_film_makes_the_pair_anew_and_asks_only_for_the_late_film(trial: Room) -> None:
    order = {"accession": "A-1", "patient_id": "P-1"}
    uid = trial.sent(pattern_film(BOTH), **order)
    trial.settled(uid)
    paired(trial, 1)
    trial.sent(("late.png", pattern_film(ONLY_ONE)), **order)
    trial.settled(uid)
    wait_for(lambda: [p.answer_version for p in pairs(trial)] == [2])
    (pair,) = pairs(trial)
    assert pair.shadow_scores[FINDINGS[-1]] > 0.5
    assert pair.live_scores[FINDINGS[0]] > 0.5
    assert len(shadow_predictions(trial)) == 2
    assert trial.to_canary is not None
    assert trial.to_canary.requests.count("POST /v1/predict") == 2


def test_a_study_without_a_live_answer_is_owed_no_pair(trial: Room) -> None:
    trial.settled(trial.sent(noise_film()), "not_scored")
    trial.settled(trial.sent(pattern_film(BOTH)))
    paired(trial, 1)
    assert len(pairs(trial)) == 1


def test_what_canary_missed_is_asked_later_also_after_a_restart(
    tmp_path: Path, tiny_release: Path, canary_release: Path
) -> None:
    with open_room(tmp_path, tiny_release, canary=canary_release, poll_seconds=0.1) as room:
        room.settled(room.sent(pattern_film(BOTH)))
        paired(room, 1)
        assert room.to_canary is not None
        room.to_canary.cut = True
        for block in (0, 1, 3):
            room.settled(room.sent(pattern_film(block)))
        assert len(pairs(room)) == 1
    with open_room(tmp_path, tiny_release, canary=canary_release, poll_seconds=0.1) as room:
        assert len(paired(room, 4)) == 4


def test_a_film_that_canary_alone_fails_on_leaves_its_pair_missing_and_holds_up_no_other(trial: Room) -> None:
    trial.settled(trial.sent(pattern_film(BOTH)))
    paired(trial, 1)
    assert trial.to_canary is not None
    bad = pattern_film(ONLY_ONE)
    trial.to_canary.poison = bad[-200:]
    uid = trial.sent(bad)
    trial.settled(uid)
    for block in (1, 3):
        trial.settled(trial.sent(pattern_film(block)))
    assert uid not in {pair.study_uid for pair in paired(trial, 3)}
    trial.to_canary.poison = None
    assert uid in {pair.study_uid for pair in paired(trial, 4)}


def test_a_full_queue_sheds_and_says_so() -> None:
    canary = Canary(client=None, timeout_seconds=1.0, queue_length=2)  # type: ignore[arg-type]
    assert [canary.offer(uid) for uid in ("1", "2", "2", "3")] == [True, True, True, False]
    assert [canary.take(), canary.take(), canary.take()] == ["1", "2", None]
    canary.threads.shutdown()


def test_a_study_that_was_shed_is_paired_later(tmp_path: Path, tiny_release: Path, canary_release: Path) -> None:
    # Longer than the five films take: canary is busy with the first, one waits, the others find the queue full.
    with open_room(
        tmp_path, tiny_release, canary=canary_release, poll_seconds=0.1, shadow_queue=1, canary_timeout_seconds=60
    ) as room:
        room.settled(room.sent(pattern_film(BOTH)))
        paired(room, 1)
        shed = metric(room, 'hilum_shadow_asked_total{outcome="shed"}')
        assert room.to_canary is not None
        room.to_canary.held = True
        for block in (0, 1, 3, 4, 5):
            room.settled(room.sent(pattern_film(block)))
        wait_for(lambda: metric(room, 'hilum_shadow_asked_total{outcome="shed"}') > shed)
        room.to_canary.held = False
        assert len(paired(room, 6)) == 6


def test_while_canary_serves_productions_very_release_nothing_is_asked(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release) as room:
        room.settled(room.sent(pattern_film(BOTH)))
    # Production's release is known by now, so that canary's is seen to be the same from the start.
    with open_room(tmp_path, tiny_release, canary=tiny_release, poll_seconds=0.1, exposure_share=1.0) as room:
        wait_for(lambda: room.web.canary and room.web.canary.same)
        for block in range(3):
            study = room.settled(room.sent(pattern_film(block), patient_id=f"P-{block}"))
            assert study["trial"] is None
        assert room.to_canary is not None
        assert "POST /v1/predict" not in room.to_canary.requests
        assert pairs(room) == []
