"""The security pass: every route that the application has, whoever adds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from services.web.identity.access import stated
from services.web.identity.gate import is_open
from tests.releases import pattern_film
from tests.services.web.identity.every_route import STREAMS, routes_of
from tests.services.web.identity.people import ROLES, sign_in
from tests.services.web.room import Room, open_room

# A route that is open to everybody, or not to readers, is a decision: it stands here, or the test fails.
OPEN_TO_ALL = {
    "/healthz", "/readyz", "/metrics", "/login", "/auth/start", "/auth/callback", "/favicon.ico",
    "/static/{digest}/{name}",
}  # fmt: skip
NOT_FOR_READERS_BELOW = ("/v1/audit",)
HOSTILE = "\"><script>alert(1)</script>{{7*7}}'"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, tiny_release: Path, password_hash: str) -> Iterator[Room]:
    """One reading room for the whole module: every route is asked many times."""
    from services.web.identity.users import User, write_users

    folder = tmp_path_factory.mktemp("guarded")
    write_users(folder / "users.toml", {n: User(n, password_hash, frozenset(r)) for n, r in ROLES.items()})
    settings = {"users_file": str(folder / "users.toml"), "requests_per_second": 10_000.0}
    with open_room(folder, tiny_release, **settings) as room:
        yield room


def routes(room: Room) -> list[tuple[str, str, APIRoute]]:
    return routes_of(room.app)


def example(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "1.2.3", path)


def test_there_are_routes_to_look_at(guarded: Room) -> None:
    assert len(routes(guarded)) > 30


def test_nobody_who_is_not_signed_in_gets_anything_but_the_open_paths(guarded: Room) -> None:
    guarded.client.cookies.clear()
    for method, path, _ in routes(guarded):
        assert is_open(example(path)) == (path in OPEN_TO_ALL), path
        if path in OPEN_TO_ALL:
            continue
        answer = guarded.client.request(method, example(path))
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:hilum:problem:signed-out"), (method, path)
        token = guarded.client.request(method, example(path), headers={"authorization": "Bearer hilum_guess"})
        assert token.status_code == 401, (method, path)


def test_an_admin_reads_nothing_by_being_one_and_a_reader_administers_nothing(guarded: Room) -> None:
    # Of two people with the same roles one is enough.
    for name, roles in {frozenset(held): (who, held) for who, held in ROLES.items()}.values():
        guarded.client.cookies.clear()
        sign_in(guarded, name)
        for method, path, route in routes(guarded):
            if path in OPEN_TO_ALL | STREAMS or path == "/logout":
                continue
            need = stated(route)
            allowed = bool(set(need.roles) & (roles | ({"reader"} if "lead" in roles else set())))
            answer = guarded.client.request(method, example(path), headers={"accept": "application/json"})
            if allowed:
                assert answer.status_code not in {401, 403}, (name, method, path, answer.text)
            else:
                assert answer.status_code == 403, (name, method, path, answer.text)
                assert answer.json()["type"] == "urn:hilum:problem:role-missing"


def test_what_is_not_for_readers_is_written_down_here(guarded: Room) -> None:
    for method, path, route in routes(guarded):
        if path.startswith(NOT_FOR_READERS_BELOW):
            assert "reader" not in stated(route).roles, (method, path)


def test_every_change_by_another_sites_page_is_refused(guarded: Room) -> None:
    guarded.client.cookies.clear()
    sign_in(guarded, "olga")
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "none"}, {"origin": "https://evil.example"}):
        for method, path, _ in routes(guarded):
            if method in {"GET", "OPTIONS"} or path in OPEN_TO_ALL:
                continue
            answer = guarded.client.request(method, example(path), headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:hilum:problem:cross-site-request"), path


def test_every_answer_keeps_the_browser_from_more_than_the_page_needs(guarded: Room) -> None:
    guarded.client.cookies.clear()
    sign_in(guarded, "olga")
    for method, path, _ in routes(guarded):
        if path == "/logout" or path in STREAMS:
            continue
        headers = guarded.client.request(method, example(path), headers={"accept": "text/html"}).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin", path
        assert "camera=()" in headers["permissions-policy"], path
        if not path.startswith("/static/") and path != "/favicon.ico":
            assert "public" not in headers["cache-control"], path
        assert "server" not in headers
        assert not {name for name in headers if name.startswith("access-control-")}, path


def test_what_a_stranger_wrote_into_a_film_is_text_on_every_page(guarded: Room) -> None:
    guarded.client.cookies.clear()
    sign_in(guarded, "olga")
    sent = guarded.send(
        (f"{HOSTILE}.png", pattern_film(1)), patient_id=HOSTILE, accession=HOSTILE, site=HOSTILE, location=HOSTILE
    )
    assert sent.status_code == 201, sent.text
    uid = sent.json()["uid"]
    study = guarded.settled(uid)
    label = {study["findings"][0]["name"]: 1}
    assert guarded.read(uid, label, f"k-{uid}", comment=HOSTILE).status_code == 201
    seen = 0
    for method, path, _ in routes(guarded):
        if method != "GET" or path in STREAMS:
            continue
        address = re.sub(r"\{(uid|study|study_uid)\}", uid, path)
        address = re.sub(r"\{film[^}]*\}", study["films"][0]["uid"], address)
        for query in ("", "?status=all", f"?q={HOSTILE}"):
            answer = guarded.client.get(f"{example(address)}{query}", headers={"accept": "text/html"})
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            assert "<script>alert" not in answer.text, address
            assert "49" not in re.findall(r"script&gt;(\d+)", answer.text), address
            seen += "&lt;script&gt;alert" in answer.text
    assert seen >= 3


AROUND = (
    "/static/../v1/studies",
    "/static/%2e%2e/v1/studies",
    "/static//v1/studies",
    "//v1/studies",
    "/login/../v1/studies",
    "/healthz/../v1/studies",
    "/V1/studies",
    "/v1/studies/",
    "/v1//studies",
    "/static/x/..%2f..%2fv1%2fstudies",
)


def test_ways_around_the_open_paths_lead_nowhere(guarded: Room) -> None:
    guarded.client.cookies.clear()
    for path in AROUND:
        answer = guarded.client.get(path, follow_redirects=True)
        assert answer.status_code in {401, 404}, (path, answer.status_code)
        assert 'studies":' not in answer.text
