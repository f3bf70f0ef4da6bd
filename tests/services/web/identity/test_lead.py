"""Numbers and evidence are for leads and admins; the promoter reads evidence with a token and stores no plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.web.evidence.filled import LIVE, SHADOW
from tests.services.web.identity.people import sign_in
from tests.services.web.identity.test_tokens import bearer
from tests.services.web.room import Room

EVIDENCE = f"/v1/evidence?live={LIVE}&shadow={SHADOW}"
PATHS = ("/numbers", "/v1/numbers", "/v1/numbers.csv", EVIDENCE)
PLAN = "/v1/evidence/plans/winter"


def test_a_reader_sees_neither_numbers_of_colleagues_nor_evidence(shut_room: Room) -> None:
    sign_in(shut_room, "anna")
    for path in PATHS:
        assert shut_room.client.get(path).status_code == 403, path
    assert shut_room.client.put(PLAN, json={}).status_code == 403
    assert shut_room.client.post(EVIDENCE, json={}).status_code == 403
    assert 'href="/numbers"' not in shut_room.client.get("/").text


@pytest.mark.parametrize("who", ["lena", "adam"])
def test_a_lead_and_an_admin_see_both(shut_room: Room, who: str) -> None:
    sign_in(shut_room, who)
    for path in PATHS:
        assert shut_room.client.get(path).status_code == 200, path
    assert shut_room.client.put(PLAN, json={}).status_code == 201


def test_a_token_reads_evidence_and_no_numbers_and_stores_no_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shut_room: Room
) -> None:
    monkeypatch.setenv("HILUM_DATA", str(tmp_path))
    headers = bearer("evidence:read", name="promoter")
    assert shut_room.client.get(EVIDENCE, headers=headers).status_code == 200
    judged = shut_room.client.post(EVIDENCE, json={}, headers=headers)
    assert (judged.status_code, judged.json()["verdict"]) == (200, "inconclusive")
    assert shut_room.client.put(PLAN, json={}, headers=headers).status_code == 403
    for path in PATHS[:3]:
        assert shut_room.client.get(path, headers=headers).status_code == 403, path
