"""The order of active learning: nearest to an alert point first, blind studies left out, the worklist untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.web.informative import distance
from services.web.views import AnsweredFinding, CodeView
from tests.releases import pattern_film
from tests.services.web.room import Room, open_room


def scored(room: Room, block: int) -> str:
    uid = room.sent(pattern_film(block))
    room.settled(uid)
    return uid


def test_the_view_is_by_distance_and_leaves_the_order_of_reading_alone(room: Room) -> None:
    uids = {scored(room, block) for block in range(4)}
    before = [row["uid"] for row in room.listed()]
    page = room.client.get("/v1/informative").json()
    assert {line["study"]["uid"] for line in page["lines"]} == uids
    distances = [line["distance"] for line in page["lines"]]
    assert distances == sorted(distances)
    shown = room.client.get("/informative").text
    assert "This is not the order of reading." in shown
    assert f"/studies/{before[0]}" in shown
    assert [row["uid"] for row in room.listed()] == before
    # What is read teaches no more.
    read = before[0]
    first = room.study(read)["findings"][0]["name"]
    room.read(read, {first: 0}, "k-1", answer_version=1)
    assert read not in {line["study"]["uid"] for line in room.client.get("/v1/informative").json()["lines"]}


def test_a_blind_study_is_left_out_and_counted(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, blind_share=1.0) as room:
        scored(room, 2)
        page = room.client.get("/v1/informative").json()
        assert (page["lines"], page["withheld"]) == ([], 1)


def test_distance_is_in_logits_and_zero_at_the_alert_point() -> None:
    def at(probability: float) -> float:
        return distance(AnsweredFinding("Mass", CodeView("1", "x", "m"), probability, 0.1, 0.5, False, True, "1"))

    assert at(0.5) == 0.0
    assert at(0.25) == pytest.approx(at(0.75))
    assert at(0.0) == pytest.approx(13.8155, abs=1e-3)
