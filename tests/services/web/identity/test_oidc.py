"""Signing in by an OpenID provider, and every token that signs nobody in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import RSAKey

from services.web.identity.start import refuse_open_network
from services.web.settings import WebSettings
from tests.servers import serve
from tests.services.web.identity.small_provider import SmallProvider, make_app, query_of
from tests.services.web.room import Room, open_room

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def served() -> Iterator[SmallProvider]:
    provider = SmallProvider()
    with serve(make_app(provider)) as server:
        provider.issuer = server.url
        yield provider


@pytest.fixture
def provider(served: SmallProvider) -> SmallProvider:
    served.claims, served.forge, served.published, served.asked_for_keys = {}, "", [], 0
    return served


@pytest.fixture
def oidc_room(tmp_path: Path, tiny_release: Path, provider: SmallProvider) -> Iterator[Room]:
    with open_room(tmp_path, tiny_release, oidc_issuer=provider.issuer) as room:
        room.client.headers["sec-fetch-site"] = "same-origin"
        yield room


@pytest.fixture(scope="module")
def one_room(tmp_path_factory: pytest.TempPathFactory, tiny_release: Path, served: SmallProvider) -> Iterator[Room]:
    """One room for everybody who is not signed in by a wrong token."""
    with open_room(tmp_path_factory.mktemp("oidc"), tiny_release, oidc_issuer=served.issuer) as room:
        room.client.headers["sec-fetch-site"] = "same-origin"
        yield room


def begin(room: Room, wanted: str = "/history") -> str:
    """The address at the provider."""
    answer = room.client.get("/auth/start", params={"next": wanted}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def come_back(room: Room, url: str, **change: str) -> httpx.Response:
    """What the provider's redirect makes the browser ask."""
    back = httpx.get(url, follow_redirects=False).headers["location"]
    return room.client.get("/auth/callback", params={**query_of(back), **change}, follow_redirects=False)


def test_a_person_signs_in_by_the_provider_reads_and_signs_out(oidc_room: Room, provider: SmallProvider) -> None:
    assert "/auth/start" in oidc_room.client.get("/login").text
    url = begin(oidc_room)
    asked = query_of(url)
    assert asked["code_challenge_method"] == "S256"
    assert asked["response_type"] == "code"
    assert len(asked["state"]) >= 43
    assert asked["redirect_uri"] == "http://localhost/auth/callback"
    answer = come_back(oidc_room, url)
    assert (answer.status_code, answer.headers["location"]) == (303, "/history")
    assert "Reading as <b>anna</b>" in oidc_room.client.get("/", headers=HTML).text
    assert oidc_room.client.get("/v1/audit").status_code == 403
    left = oidc_room.client.post("/logout", follow_redirects=False)
    end = left.headers["refresh"].removeprefix("0; url=")
    assert end.startswith(f"{provider.issuer}/end?")
    assert query_of(end)["post_logout_redirect_uri"] == "http://localhost/login"
    assert query_of(end)["id_token_hint"].count(".") == 2
    assert oidc_room.client.get("/v1/studies").status_code == 401


NOW = int(time.time())


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": None},
        {"aud": ["hilum", "other"], "azp": "other"},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"exp": NOW - 3600},
        {"exp": None},
        {"iat": NOW + 3600},
        {"nbf": NOW + 3600},
        {"sub": None},
        {"preferred_username": None},
        {"preferred_username": "a\nb"},
        {"preferred_username": "x" * 200},
        {"preferred_username": ["anna"]},
        {"roles": ["somebody else's role"]},
        {"roles": None},
        {"roles": "hilum-admin"},
        {"roles": {"hilum-admin": 1}},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_sign_in_signs_nobody_in(
    one_room: Room, provider: SmallProvider, claims: dict[str, object]
) -> None:
    provider.claims = claims
    answer = come_back(one_room, begin(one_room))
    assert answer.status_code == 401, claims
    assert "Traceback" not in answer.text
    assert one_room.client.get("/v1/studies").status_code == 401


def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(oidc_room: Room, provider: SmallProvider) -> None:
    for forge in ("none", "public key as secret", "another key", "changed"):
        provider.forge = forge
        assert come_back(oidc_room, begin(oidc_room)).status_code == 401, forge
        assert oidc_room.client.get("/v1/studies").status_code == 401, forge
    assert provider.asked_for_keys <= 2


def test_a_callback_that_this_browser_did_not_begin_signs_nobody_in(oidc_room: Room) -> None:
    url = begin(oidc_room)
    assert come_back(oidc_room, url, state="of somebody else").status_code == 400
    url = begin(oidc_room)
    oidc_room.client.cookies.clear()
    assert come_back(oidc_room, url).status_code == 400
    url = begin(oidc_room)
    assert come_back(oidc_room, url, iss="https://evil.example").status_code == 401
    url = begin(oidc_room)
    assert come_back(oidc_room, url, code="a code of another").status_code == 401
    url = begin(oidc_room)
    back = query_of(httpx.get(url, follow_redirects=False).headers["location"])
    first = oidc_room.client.get("/auth/callback", params=back, follow_redirects=False)
    again = oidc_room.client.get("/auth/callback", params=back, follow_redirects=False)
    assert (first.status_code, again.status_code) == (303, 400)
    assert oidc_room.client.get("/auth/callback").status_code == 400
    denied = oidc_room.client.get("/auth/callback", params={"error": "access_denied", "state": "x"})
    assert denied.status_code == 400


def test_new_keys_of_the_provider_are_taken_up(oidc_room: Room, provider: SmallProvider) -> None:
    assert come_back(oidc_room, begin(oidc_room)).status_code == 303
    old = provider.key
    try:
        provider.key = RSAKey.generate_key(2048, {"kid": "two"})
        known = oidc_room.app.state.identity.provider
        assert come_back(oidc_room, begin(oidc_room)).status_code == 401, "asked again too soon"
        known._keys_at -= 60
        assert come_back(oidc_room, begin(oidc_room)).status_code == 303
    finally:
        provider.key = old


def test_roles_may_lie_deeper_and_bear_the_sites_own_words(
    tmp_path: Path, tiny_release: Path, provider: SmallProvider
) -> None:
    provider.claims = {"roles": None, "realm_access": {"roles": ["radiology-boss"]}}
    words = {"oidc_roles_claim": "realm_access.roles", "oidc_role_admin": "radiology-boss"}
    with open_room(tmp_path, tiny_release, oidc_issuer=provider.issuer, **words) as room:
        assert come_back(room, begin(room)).status_code == 303
        assert room.client.get("/v1/audit").status_code == 200
        assert room.client.get("/v1/studies").status_code == 403


def test_a_name_of_the_users_file_is_nobody_elses(
    tmp_path: Path, tiny_release: Path, provider: SmallProvider, users: Path
) -> None:
    with open_room(tmp_path, tiny_release, oidc_issuer=provider.issuer, users_file=str(users)) as room:
        assert come_back(room, begin(room)).status_code == 401
        provider.claims = {"preferred_username": "somebody new"}
        assert come_back(room, begin(room)).status_code == 303


def test_a_provider_that_is_away_or_another_is_said_in_a_line(tmp_path: Path, tiny_release: Path) -> None:
    with open_room(tmp_path, tiny_release, oidc_issuer="http://127.0.0.1:9") as room:
        answer = room.client.get("/auth/start", follow_redirects=False)
        assert answer.status_code == 503
        assert "The provider does not answer" in answer.text
    assert "https" in str(refuse_open_network(WebSettings(oidc_issuer="http://id.example.org")))
    assert refuse_open_network(WebSettings(oidc_issuer="https://id.example.org")) is None
    secret = WebSettings(oidc_issuer="https://id.example.org", oidc_client_secret_file="/nothing/here")
    assert "can't be read" in str(refuse_open_network(secret))
