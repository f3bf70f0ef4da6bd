"""`/v1/evidence/gate` over real rows: a gate record whose verdict follows the plan of this site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from hilum.gates import GateRecord
from hilum.gates.plan import load_plan
from tests.services.web.evidence.filled import LIVE, SHADOW, fill
from tests.services.web.room import Room, open_room

NAMES = ("Effusion", "Mass", "Edema")


def asked(room: Room, **more: Any) -> httpx.Response:
    """The gate's answer."""
    return room.client.get("/v1/evidence/gate", params={"live": LIVE, "shadow": SHADOW, **more})


def test_a_candidate_that_agrees_passes_what_the_rows_can_say(any_room: Room) -> None:
    with any_room.web.write() as session:
        fill(session, NAMES, 1600, noise=0.001, read_share=1.0)
    record = GateRecord.from_json(asked(any_room, attempt=2).content)
    assert (record.verdict, record.attempt, record.plan_digest) == ("pass", 2, load_plan().digest), record.reasons
    assert {c.name for c in record.checks} >= {"disagreement", "score shift", "sensitivity on blind reads"}
    at_one_site = GateRecord.from_json(
        asked(any_room, site="north", until="2026-11-01T02:00:00Z", figures=True).content
    )
    assert {c.site for c in at_one_site.checks if c.name == "disagreement"} == {"north"}
    assert sum(at_one_site.figures["scores"]["Edema"]["live"]) == 60


def test_no_rows_at_all_are_inconclusive_with_a_reason(any_room: Room) -> None:
    record = GateRecord.from_json(asked(any_room).content)
    assert record.verdict == "inconclusive"
    assert "share no finding" in record.reasons[0]
    assert asked(any_room, shadow=LIVE).status_code == 422


def test_the_plan_of_the_site_is_used_and_a_broken_one_is_said(tmp_path: Path, tiny_release: Path) -> None:
    overlay = tmp_path / "site.toml"
    overlay.write_text("[canary]\nmin_pairs = 20\nmin_patients = 20\n")
    with open_room(tmp_path / "room", tiny_release, gate_plan=str(overlay)) as room:
        assert asked(room).json()["plan_digest"] == load_plan(overlay).digest
        overlay.write_text("[canary]\nmin_pairs = -1\n")
        answer = asked(room)
    assert answer.status_code == 500
    assert "canary.min_pairs" in answer.json()["detail"]
