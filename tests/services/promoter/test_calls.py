"""The promoter's calls, its command line, and the reading room's page of it: a real process each way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from hilum.clients.base import in_process, over_network
from hilum.clients.promoter import PromoterClient
from services.cli import make_app
from services.promoter.app import create_app
from services.promoter.settings import PromoterSettings
from services.promoter.states import State
from services.promoter.tokens import sha256
from services.web.identity.users import User, write_users
from tests.fixtures.git import push
from tests.releases import make_tiny_release
from tests.services.promoter.site import Site
from tests.services.promoter.test_journey import until
from tests.services.web.identity.people import PASSWORD, ROLES, sign_in
from tests.services.web.room import open_room, wait_for

READ, ACT, ROOM = "hilum_read", "hilum_act", "hilum_room"


@pytest.fixture
def calls(lone_site: Site, tmp_path: Path) -> Iterator[TestClient]:
    """The calls of a promoter whose turns the test makes."""
    lines = [f"watcher read {sha256(READ)}", f"anna read,act {sha256(ACT)}  # a person", f"web read,for {sha256(ROOM)}"]
    (tmp_path / "tokens.txt").write_text("\n".join(lines), encoding="utf-8")
    settings = PromoterSettings(promoter_tokens=tmp_path / "tokens.txt", promoter_seconds=3600)
    app = create_app(settings, given=lone_site.promoter().parts)
    with TestClient(app, headers={"Authorization": f"Bearer {READ}"}) as client:
        client.app.state.service.turn()  # type: ignore[attr-defined]
        yield client


def act(calls: TestClient, command: str, token: str, **body: str) -> httpx.Response:
    return calls.post(f"/v1/promotion/{command}", json=body, headers={"Authorization": f"Bearer {token}"})


def test_a_person_with_the_right_acts_in_a_name_that_git_keeps(calls: TestClient, lone_site: Site) -> None:
    lone_site.bring_to(State.AWAITING_APPROVAL)
    promoter = calls.app.state.service.promoter  # type: ignore[attr-defined]
    promoter.turn()
    assert calls.get("/readyz").json() == {"ready": True, "reasons": []}
    body = {"reason": "the figures hold"}
    assert calls.post("/v1/promotion/approve", json=body, headers={"Authorization": ""}).status_code == 401
    assert act(calls, "approve", READ, **body).json()["type"].endswith("right-missing")
    assert act(calls, "approve", ACT, **body, by="somebody else").json()["type"].endswith("not-for-others")
    assert act(calls, "approve", ACT, reason="").status_code == 422
    assert act(calls, "rollback", ACT, reason="too early").status_code == 409
    assert act(calls, "approve", ROOM, **body, by="dr lena").json()["current"]["approved_by"] == "dr lena"
    current = lone_site.ledger().current
    assert current is not None and current.approved_by == "dr lena"
    assert act(calls, "approve", ACT, **body).json()["detail"] == "approved already, by dr lena."
    until(promoter, State.WAITING)
    found = calls.get("/v1/promotion").json()
    assert (found["state"], found["ended"][0]["state"]) == ("waiting", "done")
    key = next(note["record"] for note in found["ended"][0]["timeline"] if note["record"])
    assert calls.get(f"/v1/promotion/records/{key}").json()["verdict"] == "pass"
    assert "<html" in calls.get(f"/v1/promotion/records/{key.replace('.json', '.html')}").text
    assert calls.get("/v1/promotion/records/gates/%2e%2e/%2e%2e/tokens.txt").status_code == 404
    assert calls.post("/v1/webhook", json={"anything": 1}).status_code == 202
    calls.app.state.service.turn()  # type: ignore[attr-defined]
    page = calls.get("/metrics").text
    assert 'hilum_promotion_state{state="waiting"} 1.0' in page and "hilum_promoter_turns_total" in page


def test_a_broken_state_file_stops_everything_and_readiness_says_what_to_do(calls: TestClient, lone_site: Site) -> None:
    push(lone_site.bare, {"argocd/environments/promotion.json": "{}"}, "A mistake")
    calls.app.state.service.turn()  # type: ignore[attr-defined]
    assert "revert it to its last commit" in calls.get("/readyz").json()["reasons"][0]
    assert act(calls, "hold", ACT, reason="what is this").json()["type"].endswith("broken-state")


def test_the_page_shows_way_evidence_and_commands_and_a_lead_approves_in_his_own_name(
    calls: TestClient, lone_site: Site, tmp_path: Path
) -> None:
    lone_site.bring_to(State.AWAITING_APPROVAL)
    service = calls.app.state.service  # type: ignore[attr-defined]
    service.turn()
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    write_users(tmp_path / "users.toml", {name: User(name, cheap, frozenset(roles)) for name, roles in ROLES.items()})
    release = make_tiny_release(tmp_path / "release").folder
    settings = {"users_file": str(tmp_path / "users.toml"), "promoter_url": "http://promoter"}
    with open_room(tmp_path / "room", release, **settings) as room:
        room.app.state.promoter = PromoterClient(in_process(calls.app), ROOM)
        sign_in(room, "anna")
        assert room.client.get("/promotion").status_code == 403
        assert 'href="/promotion"' not in room.client.get("/").text
        sign_in(room, "lena")
        page = room.client.get("/promotion").text
        assert "Approve for production" in page and 'aria-current="step">Approval' in page
        key = page.split('href="/promotion/records/')[1].split('"')[0]
        kept = room.client.get(f"/promotion/records/{key}")
        assert kept.headers["content-type"].startswith("text/html")
        assert "sandbox" in kept.headers["content-security-policy"]
        answer = room.client.post("/promotion/approve", data={"reason": "agreed in the round"}, follow_redirects=True)
        assert "Approve for production: done" in answer.text and "agreed in the round" in answer.text
        current = lone_site.ledger().current
        assert current is not None and current.approved_by == "lena"
        refused = room.client.post("/promotion/rollback", data={"reason": "too early"}, follow_redirects=True)
        assert "Not done:" in refused.text
        until(service.promoter, State.WAITING)
        assert "Earlier promotions" in room.client.get("/promotion").text
        room.app.state.promoter = PromoterClient(over_network("http://127.0.0.1:9"))
        assert "does not answer" in room.client.get("/promotion").text


def test_the_command_line_says_where_it_stands_and_refuses_with_a_reason(
    calls: TestClient, lone_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = lone_site.bring_to(State.AWAITING_APPROVAL)
    service = calls.app.state.service  # type: ignore[attr-defined]
    service.turn()
    server = uvicorn.Server(uvicorn.Config(calls.app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    monkeypatch.setenv("HILUM_PROMOTER_URL", f"http://127.0.0.1:{port}")
    hilum = CliRunner()
    refused = hilum.invoke(make_app(), ["promote", "status"])
    assert refused.exit_code == 1 and "needs a token" in refused.output
    monkeypatch.setenv("HILUM_PROMOTER_TOKEN", ACT)
    told = hilum.invoke(make_app(), ["promote", "status"]).output
    assert "awaiting-approval, by commit" in told and digest[:12] in told and "5% of patients" in told
    held = hilum.invoke(make_app(), ["promote", "hold", "--reason", "the PACS is being moved"])
    assert held.exit_code == 0 and "held, commit" in held.output
    again = hilum.invoke(make_app(), ["promote", "approve", "--reason", "too early"])
    assert again.exit_code == 1 and "means nothing in state held" in again.output
    server.should_exit = True
    thread.join(10)
    away = hilum.invoke(make_app(), ["promote", "status"])
    assert away.exit_code == 2 and "does not answer" in away.output
    line = hilum.invoke(make_app(), ["promote", "token", "bert", "--rights", "read,act"])
    assert "bert read,act " in line.output and line.exit_code == 0
    assert hilum.invoke(make_app(), ["promote", "token", "bert", "--rights", "everything"]).exit_code == 2
