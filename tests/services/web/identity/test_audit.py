"""The audit log: what is in it, what is not, that it can't be changed, and that nothing is shown without it."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hilum.storage import DatabaseUnavailable
from services.web.identity.audit import Audit, first_break, whole_log
from tests.releases import FINDINGS, pattern_film
from tests.services.web.identity.people import sign_in
from tests.services.web.room import Room

HTML = {"accept": "text/html"}


def log(room: Room) -> list[Audit]:
    return list(whole_log(room.web))


def lines(room: Room) -> list[tuple[str, str, str, str, int]]:
    return [(row.who, row.action, row.what, row.study_uid, row.status) for row in log(room)]


def test_who_saw_and_changed_which_study_is_written_down(any_room: Room) -> None:
    uid = any_room.sent(pattern_film(1), patient_id="PAT-7", accession="ACC-7")
    study = any_room.settled(uid)
    film = study["films"][0]["uid"]
    any_room.client.get(f"/studies/{uid}", headers=HTML)
    any_room.client.get(f"/v1/studies/{uid}/films/{film}/image.png")
    any_room.client.get("/?q=PAT-7", headers=HTML)
    any_room.read(uid, {FINDINGS[0]: 1}, "k")
    any_room.read("1.2.3", {FINDINGS[0]: 1}, "k2")
    found = lines(any_room)
    assert ("reader", "change", "POST /v1/studies", "", 0) in found
    assert ("reader", "view", f"GET /studies/{uid}", uid, 200) in found
    assert ("reader", "view", f"GET /v1/studies/{uid}/films/{film}/image.png", uid, 200) in found
    assert ("reader", "change", f"POST /v1/studies/{uid}/reads", uid, 0) in found
    assert ("reader", "change", "POST /v1/studies/1.2.3/reads", "1.2.3", 404) in found
    assert "PAT-7" not in str(found)
    assert "ACC-7" not in str(found)
    assert {row.address for row in log(any_room)} == {"testclient"}
    assert first_break(whole_log(any_room.web)) is None


def test_a_page_that_refreshes_itself_is_one_view(room: Room) -> None:
    for _ in range(5):
        room.client.get("/?part=list", headers=HTML)
    assert [line[2] for line in lines(room)] == ["GET /"]


def test_pages_without_a_patient_are_not_in_the_log(room: Room) -> None:
    for path in ("/about", "/upload", "/docs", "/openapi.json", "/healthz", "/metrics", "/favicon.ico"):
        assert room.client.get(path).status_code == 200, path
    assert lines(room) == []


def test_the_database_refuses_to_change_the_log(any_room: Room) -> None:
    any_room.listed()
    statements = ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"]
    if any_room.web.engine.dialect.name == "postgresql":
        statements.append("TRUNCATE audit")
    for statement in statements:
        with pytest.raises(DBAPIError, match="append-only"), any_room.web.engine.begin() as connection:
            connection.execute(text(statement))
    assert len(log(any_room)) == 1


def test_a_row_that_was_changed_under_the_triggers_breaks_the_chain(room: Room) -> None:
    for band in ("critical", "urgent", "routine"):
        room.client.get(f"/findings/{band}")
        room.read("1.2.3", {band: 1}, f"k-{band}")
    assert first_break(whole_log(room.web)) is None
    with room.web.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_no_UPDATE"))
        connection.execute(text("UPDATE audit SET who = 'nobody' WHERE number = 2"))
    assert first_break(whole_log(room.web)) == 2
    with room.web.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_no_DELETE"))
        connection.execute(text("DELETE FROM audit WHERE number = 2"))
    assert first_break(whole_log(room.web)) == 3


def test_fifty_at_once_make_one_chain(room: Room) -> None:
    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(lambda n: room.client.get(f"/v1/studies?q={n}").status_code, range(50)))
        list(threads.map(lambda n: room.read(f"1.2.{n}", {FINDINGS[0]: 1}, f"k{n}"), range(20)))
    assert set(statuses) == {200}
    assert first_break(whole_log(room.web)) is None
    assert len([line for line in lines(room) if line[1] == "change"]) == 40


def test_nothing_is_shown_and_nothing_changes_while_the_log_can_not_be_written(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = room.sent(pattern_film(1))
    room.settled(uid)
    film = room.study(uid)["films"][0]["uid"]

    def full(*_: Any) -> None:
        raise DatabaseUnavailable("the disk is full")

    monkeypatch.setattr(room.app.state.identity.trail, "_append", full)
    for path in (f"/studies/{uid}", "/history", f"/v1/studies/{uid}/films/{film}/original"):
        answer = room.client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:hilum:problem:database-unavailable"), path
    page = room.client.get("/history", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "Hilum is not ready" in page.text
    before = room.rows()
    assert room.read(uid, {FINDINGS[0]: 1}, "k").status_code == 503
    assert room.send(pattern_film(2)).status_code == 503
    assert room.rows() == before


def test_an_admin_exports_the_log_and_nobody_else(shut_room: Room) -> None:
    sign_in(shut_room, "anna", "wrong password")
    sign_in(shut_room, "my password typed as a name", "x")
    sign_in(shut_room, "lena")
    refused = shut_room.client.get("/v1/audit")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:hilum:problem:role-missing")
    sign_in(shut_room, "adam")
    answer = shut_room.client.get("/v1/audit")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [(row["who"], row["action"], row["status"]) for row in rows] == [
        ("anna", "sign-in", 401),
        ("unknown user", "sign-in", 401),
        ("lena", "sign-in", 200),
        ("lena", "view", 403),
        ("adam", "sign-in", 200),
        ("adam", "view", 200),
    ]
    table = list(csv.DictReader(io.StringIO(shut_room.client.get("/v1/audit?format=csv").text)))
    assert [row["number"] for row in table] == [str(number) for number in range(1, len(table) + 1)]
    assert table[-1]["digest"] == log(shut_room)[-1].digest
    assert "typed as a name" not in answer.text


def test_the_log_outlives_a_restart(tmp_path: Path, tiny_release: Path) -> None:
    from tests.services.web.room import open_room

    for _ in range(2):
        with open_room(tmp_path, tiny_release) as room:
            room.listed()
    with open_room(tmp_path, tiny_release) as room:
        assert len(log(room)) == 2
        assert first_break(whole_log(room.web)) is None
