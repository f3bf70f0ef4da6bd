"""The ledger can't be changed, and where someone does so behind its back, the chain says where."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from hilum.storage import make_engine
from tests.fixtures.reads import a_read
from tests.services.feedback.conftest import Post


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Someone else's connection to the same database."""
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def five(post: Post) -> None:
    """Five reads."""
    for number in range(1, 6):
        post(a_read(number, labels={"Effusion": 1}), key=f"key-{number}")


def _check(client: TestClient) -> dict[str, Any]:
    answer = client.get("/v1/ledger/check")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _tamper(engine: Engine, statement: str) -> None:
    """Change rows as an owner of the database could: triggers off, change, triggers on."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE reads DISABLE TRIGGER USER"))
            connection.exec_driver_sql(statement)
            connection.execute(text("ALTER TABLE reads ENABLE TRIGGER USER"))
            return
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(statement)
        for _, sql in triggers:
            connection.exec_driver_sql(sql)


def test_an_empty_ledger_holds(client: TestClient) -> None:
    found = _check(client)
    assert found == {"holds": True, "reads": 0, "head_hash": "0" * 64, "first_broken": None, "reason": None}


@pytest.mark.usefixtures("five")
def test_an_untouched_ledger_holds_and_its_head_is_the_last_hash(client: TestClient) -> None:
    last = client.get("/v1/reads").json()["reads"][-1]
    found = _check(client)
    assert found == {"holds": True, "reads": 5, "head_hash": last["hash"], "first_broken": None, "reason": None}


@pytest.mark.usefixtures("five")
def test_the_hash_can_be_computed_by_anyone_from_what_is_documented(client: TestClient, engine: Engine) -> None:
    previous = "0" * 64
    with engine.connect() as connection:
        bodies = connection.execute(text("SELECT body FROM reads ORDER BY sequence")).scalars().all()
    for read, body in zip(client.get("/v1/reads").json()["reads"], bodies, strict=True):
        received_at = read["received_at"].replace("Z", "+00:00")
        record = f"{previous}\n{read['sequence']}\n{read['id']}\n{received_at}\n{body}"
        previous = hashlib.sha256(record.encode()).hexdigest()
        assert read["hash"] == previous


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reads SET body = body WHERE sequence = 3",
        "UPDATE reads SET reader = 'someone'",
        "DELETE FROM reads WHERE sequence = 3",
        "DELETE FROM reads",
    ],
)
def test_the_database_refuses_to_change_or_remove_a_read(client: TestClient, engine: Engine, statement: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    assert _check(client)["holds"]
    assert _check(client)["reads"] == 5


@pytest.mark.usefixtures("five")
def test_the_database_refuses_to_replace_or_empty(client: TestClient, engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        copy = "INSERT OR REPLACE INTO reads SELECT * FROM reads WHERE sequence = 3"
        statements = [copy, copy.replace("SELECT *", "SELECT 6, id, received_at, body, previous_hash, hash, study_uid,"
                      " reader, read_at, release_digest, blind, site, findings, kind, replaces")]  # fmt: skip
        pragma = "PRAGMA recursive_triggers = OFF"
    else:
        statements = [
            "TRUNCATE reads",
            "INSERT INTO reads SELECT * FROM reads WHERE sequence = 3 ON CONFLICT (id) DO UPDATE SET reader = 'x'",
        ]
        pragma = "SELECT 1"
    for statement in statements:
        with pytest.raises(IntegrityError, match="append-only"), engine.begin() as connection:
            connection.execute(text(pragma))
            connection.execute(text(statement))
    assert _check(client)["reads"] == 5


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE reads SET body = replace(body, ':1', ':0') WHERE sequence = 3", "not what was hashed"),
        ("UPDATE reads SET body = 'no json' WHERE sequence = 3", "not what was hashed"),
        ("UPDATE reads SET id = 'key-x' WHERE sequence = 3", "not what was hashed"),
        ("UPDATE reads SET received_at = read_at WHERE sequence = 3", "not what was hashed"),
        ("UPDATE reads SET hash = previous_hash WHERE sequence = 3", "not what was hashed"),
        ("UPDATE reads SET previous_hash = hash WHERE sequence = 3", "does not go on"),
        ("UPDATE reads SET reader = 'someone' WHERE sequence = 3", "its columns are not its body: reader"),
        ("UPDATE reads SET read_at = received_at WHERE sequence = 3", "its columns are not its body: read_at"),
        ("UPDATE reads SET findings = '[]' WHERE sequence = 3", "its columns are not its body: findings"),
        ("DELETE FROM reads WHERE sequence = 3", "reads 3 to 3 are missing"),
        ("DELETE FROM reads WHERE sequence IN (3, 4)", "reads 3 to 4 are missing"),
    ],
)
def test_a_read_changed_behind_the_services_back_is_named(
    client: TestClient, engine: Engine, statement: str, reason: str
) -> None:
    before = client.get("/v1/reads").json()["reads"]
    _tamper(engine, statement)
    found = _check(client)
    assert not found["holds"]
    assert found["first_broken"] == 3
    assert reason in found["reason"]
    assert (found["reads"], found["head_hash"]) == (2, before[1]["hash"])


@pytest.mark.usefixtures("five")
def test_a_read_hashed_anew_after_a_change_breaks_at_the_next(client: TestClient, engine: Engine) -> None:
    third = client.get("/v1/reads").json()["reads"][2]
    with engine.connect() as connection:
        row = connection.execute(text("SELECT body, previous_hash FROM reads WHERE sequence = 3")).one()
    forged = row.body.replace('"Effusion":1', '"Effusion":0')
    received_at = third["received_at"].replace("Z", "+00:00")
    forged_hash = hashlib.sha256(f"{row.previous_hash}\n3\n{third['id']}\n{received_at}\n{forged}".encode()).hexdigest()
    _tamper(engine, f"UPDATE reads SET body = '{forged}', hash = '{forged_hash}' WHERE sequence = 3")
    found = _check(client)
    assert (found["first_broken"], found["reads"]) == (4, 3)
    assert "does not go on" in found["reason"]


@pytest.mark.usefixtures("five")
def test_a_body_that_is_no_read_any_more_is_a_plain_problem_and_stops_no_metric(
    client: TestClient, engine: Engine
) -> None:
    _tamper(engine, "UPDATE reads SET body = '[1]' WHERE sequence = 3")
    answer = client.get("/v1/reads")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:hilum:problem:ledger-broken"
    scraped = client.get("/metrics")
    assert scraped.status_code == 200
    series = 'hilum_reads_total{agreement="disagree",blind="false",finding="Effusion",release="sha256:aa"}'
    assert f"{series} 4.0" in scraped.text
    assert client.get("/v1/reads?since=3").status_code == 200
