"""Around the core: self-test, health, metrics, headers, tables, settings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.web.context import utc_now
from services.web.identity.start import refuse_open_network
from services.web.settings import WebSettings
from services.web.tables import Base, Study
from tests.releases import FINDINGS, pattern_film
from tests.services.web.room import Room, open_room, wait_for


def test_the_self_test_goes_through_every_part_and_leaves_nothing(any_room: Room) -> None:
    answer = any_room.client.post("/v1/self-test")
    assert answer.status_code == 200
    assert [step["name"] for step in answer.json()["steps"]] == [
        "release",
        "decode",
        "store",
        "predict",
        "explain",
        "triage",
        "rows",
        "feedback",
    ]
    assert answer.json()["ok"], answer.json()
    assert not any(any_room.rows().values())
    assert any_room.blobs("") == []
    assert any_room.ledger() == []


def test_the_self_test_works_beside_the_same_film_uploaded(room: Room, tiny_release: Path) -> None:
    room.settled(room.sent((tiny_release / "golden.png").read_bytes()))
    assert room.client.post("/v1/self-test").json()["ok"]
    assert room.rows()["films"] == 1


def test_the_self_test_names_what_is_away(room: Room) -> None:
    room.to_feedback.cut = True
    result = room.client.post("/v1/self-test").json()
    assert not result["ok"]
    assert [step["name"] for step in result["steps"] if not step["ok"]] == ["feedback"]
    room.to_inference.cut = True
    failed = {s["name"] for s in room.client.post("/v1/self-test").json()["steps"] if not s["ok"]}
    assert "release" in failed
    assert "predict" in failed


def test_films_are_taken_while_inference_and_feedback_are_away(room: Room) -> None:
    assert room.client.get("/healthz").status_code == 200
    wait_for(lambda: room.client.get("/readyz").json() == {"ready": True, "reasons": [], "warnings": []})
    room.to_inference.cut = room.to_feedback.cut = True
    answer = room.client.get("/readyz")
    assert answer.status_code == 200
    assert len(answer.json()["warnings"]) == 2


def test_a_store_that_is_away_makes_the_room_not_ready_and_promises_nothing(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, blobs_url="s3://nothing/films", s3_endpoint="http://127.0.0.1:9") as room:
        answer = room.client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"][0].startswith("films: ")
        upload = room.send(pattern_film(1))
        assert (upload.status_code, upload.headers["retry-after"]) == (503, "5")
        assert room.rows()["films"] == 0


def test_a_database_that_is_away_at_the_start_is_waited_for(tmp_path: Path, tiny_release: Path) -> None:
    away = "postgresql+psycopg://hilum@127.0.0.1:9/nothing"
    with open_room(tmp_path, tiny_release, database_url=away) as room:
        assert room.client.get("/healthz").status_code == 200
        answer = room.client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        assert room.client.get("/v1/studies").status_code == 503
        assert room.send(pattern_film(1)).status_code == 503


def test_films_lie_in_s3_where_that_is_set(tmp_path: Path, tiny_release: Path, s3) -> None:  # type: ignore[no-untyped-def]
    with open_room(tmp_path, tiny_release, blobs_url=s3.url, s3_endpoint=s3.endpoint) as room:
        body = pattern_film(1)
        uid = room.sent(body)
        study = room.settled(uid)
        film = study["films"][0]["uid"]
        assert room.client.get(f"/v1/studies/{uid}/films/{film}/original").content == body
        assert room.client.post("/v1/self-test").json()["ok"]


def test_metrics_tell_what_is_unread_and_overdue(room: Room) -> None:
    room.settled(room.sent(pattern_film(2)))
    page = room.client.get("/metrics").text
    assert 'hilum_studies_unread{band="critical"} 1.0' in page
    assert 'hilum_studies_unread{band="routine"} 0.0' in page
    assert "hilum_worklist_overdue_seconds 0.0" in page
    assert "hilum_outbox_waiting 0.0" in page
    with room.web.write() as session:
        for study in session.query(Study):
            study.due_at = utc_now() - timedelta(hours=1)
    lines = room.client.get("/metrics").text.splitlines()
    (overdue,) = [line for line in lines if line.startswith("hilum_worklist_overdue_seconds ")]
    assert 3600 <= float(overdue.split()[1]) < 3660


def test_synthetic_studies_are_nobodys_work(room: Room) -> None:
    room.sent(pattern_film(2))
    with room.web.write() as session:
        for study in session.query(Study):
            study.synthetic = True
            study.due_at = utc_now() - timedelta(hours=1)
    page = room.client.get("/metrics").text
    assert "hilum_worklist_overdue_seconds 0.0" in page
    assert 'hilum_studies_unread{band="critical"} 0.0' in page


def test_a_host_name_of_another_site_is_refused(room: Room) -> None:
    for host in ("evil.example", "evil.example:8080", "localhost.evil.example", ""):
        assert room.client.get("/v1/studies", headers={"Host": host}).status_code == 421, host
    for host in ("localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:8080"):
        assert room.client.get("/v1/studies", headers={"Host": host}).status_code == 200, host


def test_another_sites_page_changes_nothing(room: Room) -> None:
    uid = room.sent(pattern_film(1))
    room.settled(uid)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        answer = room.client.post(
            f"/v1/studies/{uid}/reads",
            json={"labels": {FINDINGS[0]: 1}},
            headers={"Idempotency-Key": "k", **headers},
        )
        assert answer.status_code == 403
        assert (
            room.client.post("/v1/studies", files={"file": ("a.png", pattern_film(2))}, headers=headers).status_code
            == 403
        )


def test_every_answer_carries_the_security_headers(room: Room) -> None:
    for path in ("/v1/studies", "/v1/studies/1.2.3", "/nothing/at/all"):
        headers = room.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index ix_prefix_")
def test_the_migrations_make_the_tables_that_the_code_expects(any_room: Room) -> None:
    assert any_room.listed() == []
    with any_room.web.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": _mine, "version_table": "alembic_version_web"}
        )
        differences = compare_metadata(context, Base.metadata)
    assert differences == []


def _mine(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    # Indexes over an expression have no class: test_filters.py asks the database whether it uses them.
    if kind == "index" and (name or "").startswith("ix_prefix_"):
        return False
    return not (kind == "table" and reflected and name not in Base.metadata.tables)


def test_rows_and_films_are_there_after_a_restart(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release) as room:
        uid = room.sent(pattern_film(1))
        before = room.settled(uid)
    with open_room(tmp_path, tiny_release) as room:
        assert room.study(uid) == before


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org"])
def test_the_room_listens_on_loopback_alone_while_nobody_signs_in(host: str) -> None:
    assert "sign in" in (refuse_open_network(WebSettings(host=host)) or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_the_room_listens_on_loopback(host: str) -> None:
    assert refuse_open_network(WebSettings(host=host)) is None
