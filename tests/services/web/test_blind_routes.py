"""Every address that can be asked, of every engineer's making: none says what the model thinks of a blind study."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select

from services.web.tables import Answer, Study
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, open_room

# Aggregates for leads and machines, of no use to a reader in front of one film; and what never ends by itself.
LEFT_OUT = re.compile(r"^/(metrics|readyz|healthz|openapi\.json|docs|static|auth|login|v1/events|events)")


@pytest.fixture
def blind(tmp_path: Path, tiny_release: Path) -> Iterator[tuple[Room, str]]:
    with open_room(tmp_path, tiny_release, blind_share=1.0) as room:
        uid = room.sent(pattern_film(2), accession="BLIND-1", patient_id="P-1")
        room.settled(uid)
        yield room, uid


def routes(routes_: list[Any]) -> Iterator[APIRoute]:
    for route in routes_:
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and not LEFT_OUT.match(route.path):
            yield route
        elif hasattr(route, "original_router"):
            yield from routes(route.original_router.routes)


def secrets(room: Room, uid: str) -> set[str]:
    """The reason, and every number of the answer as it would be written."""
    with room.web.read() as session:
        study = session.get(Study, uid)
        answer = session.scalars(select(Answer).where(Answer.study_uid == uid)).one()
        assert study is not None
        numbers = [finding["probability"] for finding in answer.payload["findings"]]
        said = {study.reason, *(f"{number:.5f}"[:6] for number in numbers if 0.001 < number < 0.999)}
        return said | {f"{number!r}" for number in numbers}


def test_no_address_tells_a_blind_reader_what_the_model_thinks(blind: tuple[Room, str]) -> None:
    room, uid = blind
    film = room.study(uid)["films"][0]["uid"]
    known = {
        "uid": uid,
        "film": film,
        "study": uid,
        "series": film,
        "instance": film,
        "name": FINDINGS[2],
        "frame": "1",
    }
    hidden = secrets(room, uid)
    asked = []
    for route in routes(room.app.routes):
        path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: known.get(found.group(1), "1"), route.path)
        for query in ("", f"?finding={FINDINGS[2]}", "?status=all", "?part=list", "?band=critical"):
            answer = room.client.get(path + query, headers={"accept": "text/html,application/json,*/*"})
            text = answer.text
            asked.append(path)
            for secret in hidden:
                assert secret not in text, f"{path}{query} says {secret!r}"
            if "html" in answer.headers.get("content-type", ""):
                assert "data-heat-of" not in text, path
    # The test sees the routes at all, and afterwards the same addresses do say it.
    assert {"/", f"/studies/{uid}", f"/v1/studies/{uid}", "/v1/studies"} <= set(asked)
    room.read(uid, {FINDINGS[2]: 1}, "k-1", answer_version=1)
    shown = room.client.get(f"/v1/studies/{uid}").text
    assert any(secret in shown for secret in hidden)
