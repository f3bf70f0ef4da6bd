"""Machines: tokens with scopes, and the commands that make and end them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, text
from typer.testing import CliRunner, Result

from services.cli import make_app
from services.web.identity.tables import Token
from tests.releases import FINDINGS, pattern_film
from tests.services.web.identity.people import sign_in
from tests.services.web.room import Room


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands work on the same folder as the room."""
    monkeypatch.setenv("HILUM_DATA", str(tmp_path))
    return tmp_path


def hilum(*words: str) -> Result:
    return CliRunner().invoke(make_app(), list(words))


def bearer(*scopes: str, name: str = "pacs") -> dict[str, str]:
    done = hilum("tokens", "add", name, *[word for scope in scopes for word in ("--scope", scope)])
    assert done.exit_code == 0, done.output
    return {"authorization": f"Bearer {done.output.strip()}"}


def test_a_sender_sends_films_with_its_token_and_does_nothing_else(folder: Path, shut_room: Room) -> None:
    headers = bearer("films:write")
    sent = shut_room.client.post("/v1/studies", files={"file": ("a.png", pattern_film(1))}, headers=headers)
    assert sent.status_code == 201, sent.text
    uid = sent.json()["uid"]
    for path in ("/v1/studies", f"/v1/studies/{uid}", "/", "/v1/audit", "/history"):
        refused = shut_room.client.get(path, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:hilum:problem:scope-missing"), path
    read = {"labels": {FINDINGS[0]: 1}}
    key = {"idempotency-key": "k", **headers}
    assert shut_room.client.post(f"/v1/studies/{uid}/reads", json=read, headers=key).status_code == 403
    look = bearer("studies:read", name="ris")
    assert shut_room.client.get(f"/v1/studies/{uid}", headers=look).json()["reads"] == []


@pytest.mark.parametrize(
    "value", ["Bearer hilum_wrong", "Bearer ", "Basic YTpi", "bearer", "Bearer hilum_" + "x" * 500]
)
def test_a_token_that_is_none_is_401_even_where_people_are_signed_in_by_themselves(room: Room, value: str) -> None:
    answer = room.client.get("/v1/studies", headers={"authorization": value})
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:hilum:problem:signed-out")


def test_a_token_ends_when_it_is_revoked_and_when_it_is_over(folder: Path, shut_room: Room) -> None:
    first, second = bearer("studies:read", name="one"), bearer("studies:read", name="two")
    assert shut_room.client.get("/v1/studies", headers=first).status_code == 200
    assert hilum("tokens", "revoke", "one").exit_code == 0
    assert shut_room.client.get("/v1/studies", headers=first).status_code == 401
    with shut_room.web.write() as rows:
        token = rows.scalars(select(Token).where(Token.name == "two")).one()
        token.ends_at = token.made_at
    assert shut_room.client.get("/v1/studies", headers=second).status_code == 401
    assert "one\tstudies:read\trevoked" in hilum("tokens", "list").output
    assert hilum("tokens", "add", "one", "--scope", "films:write").exit_code == 1
    assert hilum("tokens", "revoke", "nobody").exit_code == 1
    assert hilum("tokens", "add", "x", "--scope", "everything").exit_code == 1


def test_the_database_holds_no_token_that_could_be_sent(folder: Path, shut_room: Room) -> None:
    secret = bearer("films:write")["authorization"].removeprefix("Bearer ")
    with shut_room.web.engine.connect() as connection:
        assert secret not in str(connection.execute(text("SELECT * FROM tokens")).all())
    assert secret not in hilum("audit", "export").output


def test_the_commands_show_and_end_sessions_and_check_the_log(folder: Path, shut_room: Room) -> None:
    sign_in(shut_room, "anna")
    shut_room.client.get("/v1/studies")
    assert hilum("sessions", "list").output.startswith("anna\tusers-file\t")
    assert "1 session(s)" in hilum("sessions", "end", "anna").output
    assert shut_room.client.get("/v1/studies").status_code == 401
    head = hilum("audit", "export").output.splitlines()[-1].rpartition('"digest": "')[2][:64]
    assert hilum("audit", "verify", "--head", head).exit_code == 0
    missing = hilum("audit", "verify", "--head", "0" * 64)
    assert (missing.exit_code, "does not hold" in missing.output) == (1, True)
    table = hilum("audit", "export", "--csv").output
    assert table.startswith("number,at,who")
    assert ",'," not in table, "an empty cell is no formula"


def test_who_asks_too_often_waits(tmp_path: Path, tiny_release: Path, users: Path) -> None:
    from tests.services.web.room import open_room

    with open_room(tmp_path, tiny_release, users_file=str(users), requests_per_second=0.5) as room:
        sign_in(room, "anna")
        answers = [room.client.get("/v1/studies") for _ in range(12)]
        assert [answer.status_code for answer in answers[:4]] == [200] * 4
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert room.client.get("/healthz").status_code == 200
        sign_in(room, "bert")
        assert room.client.get("/v1/studies").status_code == 200
