"""Signing in with a users file, over HTTP: cookies, sessions, their end, and who gets nowhere without."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from services.web.context import utc_now
from services.web.identity.passwords import hashed
from services.web.identity.tables import Session
from services.web.identity.users import User, read_users, write_users
from tests.releases import FINDINGS, pattern_film
from tests.services.web.identity.people import PASSWORD, sign_in
from tests.services.web.room import Room, open_room

HTML = {"accept": "text/html"}


@pytest.fixture
def shut(tmp_path: Path, tiny_release: Path, users: Path, database_url: str) -> Iterator[Room]:
    """A reading room where people sign in, on each database."""
    with open_room(tmp_path, tiny_release, users_file=str(users), database_url=database_url) as room:
        yield room


def set_cookie(answer: httpx.Response) -> str:
    (line,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith("hilum_session=")]
    return line


def test_who_is_not_signed_in_gets_a_problem_and_a_browser_the_page_to_sign_in(shut: Room) -> None:
    answer = shut.client.get("/v1/studies")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:hilum:problem:signed-out"
    page = shut.client.get("/studies/1.2.3?again=1", headers=HTML, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fstudies%2F1.2.3%3Fagain%3D1")
    for path in ("/healthz", "/readyz", "/metrics", "/login"):
        assert shut.client.get(path).status_code == 200, path


def test_the_right_password_leads_where_the_person_wanted_to_go(shut_room: Room) -> None:
    answer = sign_in(shut_room, "anna", wanted="/history")
    assert (answer.status_code, answer.headers["location"]) == (303, "/history")
    cookie = set_cookie(answer)
    assert "; HttpOnly" in cookie
    assert "; SameSite=lax" in cookie
    assert "; Path=/" in cookie
    assert "Domain" not in cookie
    assert "Reading as <b>anna</b>" in shut_room.client.get("/", headers=HTML).text
    assert shut_room.client.get("/v1/studies").status_code == 200


def test_a_read_bears_the_name_of_who_signed_in(shut_room: Room) -> None:
    sign_in(shut_room, "anna")
    uid = shut_room.sent(pattern_film(1))
    shut_room.settled(uid)
    assert shut_room.read(uid, {FINDINGS[0]: 1}, "k1").json()["read"]["reader"] == "anna"
    shut_room.client.cookies.clear()
    sign_in(shut_room, "bert")
    assert shut_room.read(uid, {FINDINGS[0]: 0}, "k2").json()["read"]["reader"] == "bert"


def test_wrong_names_and_wrong_passwords_get_the_same_words(shut_room: Room) -> None:
    for name, password in (("anna", "wrong"), ("nobody", PASSWORD), ("", ""), ("anna", "x" * 1024)):
        answer = sign_in(shut_room, name, password)
        assert answer.status_code == 401
        assert "Name or password are not right." in answer.text
        assert "set-cookie" not in answer.headers
        assert shut_room.client.get("/v1/studies").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}],
    ids=str,
)
def test_another_sites_page_signs_nobody_in_here(shut_room: Room, headers: dict[str, str]) -> None:
    data = {"name": "anna", "password": PASSWORD}
    answer = shut_room.client.post("/login", data=data, headers=headers, follow_redirects=False)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert shut_room.client.get("/v1/studies").status_code == 401


def test_a_session_that_is_over_is_said_on_the_page_to_sign_in(shut_room: Room) -> None:
    assert "session is over" not in shut_room.client.get("/login").text
    sign_in(shut_room, "anna")
    assert "session is over" not in shut_room.client.get("/login").text
    with shut_room.web.write() as rows:
        rows.scalars(select(Session)).one().revoked_at = utc_now()
    assert "session is over" in shut_room.client.get("/login").text


def test_a_name_that_was_typed_stays_and_is_text(shut_room: Room) -> None:
    answer = sign_in(shut_room, '"><script>alert(1)</script>', "wrong")
    assert answer.status_code == 401
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_an_admin_begins_where_an_admin_may_be(shut_room: Room) -> None:
    answer = sign_in(shut_room, "adam")
    assert answer.headers["location"] == "/numbers"
    page = shut_room.client.get("/numbers", headers=HTML).text
    assert 'href="/upload"' not in page
    assert shut_room.client.get("/about", headers=HTML).status_code == 200
    refused = shut_room.client.get("/", headers=HTML)
    assert refused.status_code == 403
    assert "To the numbers" in refused.text


def test_each_sign_in_takes_a_new_cookie_and_ends_the_session_before(shut: Room) -> None:
    sign_in(shut, "anna")
    old = shut.client.cookies["hilum_session"]
    sign_in(shut, "anna")
    assert shut.client.cookies["hilum_session"] != old
    shut.client.cookies.set("hilum_session", old, domain="localhost.local")
    answer = shut.client.get("/v1/studies", headers={"cookie": f"hilum_session={old}"})
    assert answer.status_code == 401


def test_a_cookie_that_somebody_planted_is_never_taken_up(shut_room: Room) -> None:
    answer = shut_room.client.post(
        "/login", data={"name": "anna", "password": PASSWORD}, follow_redirects=False,
        headers={"cookie": "hilum_session=planted", "sec-fetch-site": "same-origin"},
    )  # fmt: skip
    assert "planted" not in set_cookie(answer)
    assert shut_room.client.get("/v1/studies", headers={"cookie": "hilum_session=planted"}).status_code == 401


def test_signing_out_ends_the_session_on_the_server(shut: Room) -> None:
    sign_in(shut, "anna")
    cookie = {"cookie": f"hilum_session={shut.client.cookies['hilum_session']}"}
    assert shut.client.get("/v1/studies", headers=cookie).status_code == 200
    answer = shut.client.post("/logout", headers={"sec-fetch-site": "same-origin"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["clear-site-data"] == '"cache"'
    shut.client.cookies.clear()
    assert shut.client.get("/v1/studies", headers=cookie).status_code == 401


def test_the_database_does_not_hold_what_the_cookie_holds(shut_room: Room) -> None:
    sign_in(shut_room, "anna")
    cookie = shut_room.client.cookies["hilum_session"]
    with shut_room.web.read() as rows:
        row = rows.scalars(select(Session)).one()
    assert cookie not in str(vars(row))
    assert len(cookie) >= 43


@pytest.mark.parametrize("change", ["idle", "old", "revoked", "removed", "new password"])
def test_a_session_that_is_over_is_a_401_that_pages_understand(shut_room: Room, users: Path, change: str) -> None:
    sign_in(shut_room, "anna")
    uid = shut_room.sent(pattern_film(1))
    shut_room.settled(uid)
    now = utc_now()
    with shut_room.web.write() as rows:
        row = rows.scalars(select(Session)).one()
        if change == "idle":
            row.seen_at = now - timedelta(minutes=31)
        if change == "old":
            row.ends_at = now
        if change == "revoked":
            row.revoked_at = now
    known = read_users(users)
    if change == "removed":
        write_users(users, {"bert": known["bert"]})
    if change == "new password":
        write_users(users, {**known, "anna": User("anna", hashed("another good password"), known["anna"].roles)})
    answer = shut_room.read(uid, {FINDINGS[0]: 1}, "kept-in-the-browser")
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:hilum:problem:signed-out"
    if change in {"idle", "old", "revoked"}:
        sign_in(shut_room, "anna")
        assert shut_room.read(uid, {FINDINGS[0]: 1}, "kept-in-the-browser").status_code == 201


def test_pages_that_refresh_themselves_keep_no_session_alive(shut_room: Room) -> None:
    sign_in(shut_room, "anna")
    before = utc_now() - timedelta(minutes=20)

    def seen_after(**headers: str) -> bool:
        with shut_room.web.write() as rows:
            rows.scalars(select(Session)).one().seen_at = before
        assert shut_room.client.get("/?part=list", headers=headers).status_code == 200
        with shut_room.web.read() as rows:
            return rows.scalars(select(Session)).one().seen_at > before

    assert not seen_after(**{"sec-fetch-mode": "cors"})
    assert seen_after(**{"sec-fetch-mode": "navigate"})


def test_a_change_with_a_cookie_has_to_come_from_our_own_page(shut_room: Room) -> None:
    sign_in(shut_room, "anna")
    shut_room.client.headers.pop("sec-fetch-site")
    foreign: tuple[dict[str, str], ...] = (
        {},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost.evil.example"},
    )
    for headers in foreign:
        answer = shut_room.client.post("/v1/studies", files={"file": ("a.png", pattern_film(1))}, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:hilum:problem:cross-site-request"), headers
    evil = {"origin": "http://evil.example"}
    assert shut_room.client.post("/login", data={"name": "bert"}, headers=evil).status_code == 403
    assert shut_room.rows()["films"] == 0


ELSEWHERE = (
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "",
    "/login",
    "/\r\nset-cookie: a=b",
    "http:/evil",
    "/logout",
    "\\\\evil",
)


def test_nobody_is_led_to_another_site_by_signing_in(shut_room: Room) -> None:
    for wanted in ELSEWHERE:
        assert sign_in(shut_room, "anna", wanted=wanted).headers["location"] == "/", wanted
        page = shut_room.client.get("/login", params={"next": wanted})
        assert re.search(r'name="next" value="/"', page.text), wanted


def test_five_wrong_tries_wait_and_lock_no_colleague_out(shut_room: Room) -> None:
    for _ in range(5):
        assert sign_in(shut_room, "anna", "wrong password").status_code == 401
    refused = sign_in(shut_room, "anna")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 13
    assert "set-cookie" not in refused.headers
    assert sign_in(shut_room, "bert").status_code == 303


def test_over_tls_the_cookie_is_secure_and_bound_to_its_host(tmp_path: Path, tiny_release: Path, users: Path) -> None:
    public = "https://reading.example.org"
    with open_room(tmp_path, tiny_release, users_file=str(users), public_url=public) as room:
        room.client.base_url = public
        answer = sign_in(room, "anna")
        (cookie,) = answer.headers.get_list("set-cookie")
        assert cookie.startswith("__Host-hilum=")
        assert "; Secure" in cookie
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert room.client.get("/v1/studies").status_code == 200
        assert room.client.get("/v1/studies", headers={"host": "evil.example"}).status_code == 421


def test_a_users_file_that_breaks_while_it_runs_signs_nobody_in(shut_room: Room, users: Path) -> None:
    sign_in(shut_room, "anna")
    users.chmod(0o644)
    assert shut_room.client.get("/v1/studies").status_code == 401
    assert sign_in(shut_room, "anna").status_code == 401
    users.chmod(0o600)
    assert sign_in(shut_room, "anna").status_code == 303
    users.write_text("[users", encoding="utf-8")
    os.utime(users, ns=(1, 1))
    assert shut_room.client.get("/v1/studies").status_code == 401
