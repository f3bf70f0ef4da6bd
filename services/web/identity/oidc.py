"""Signing in by an OpenID provider: authorization code with PKCE, state and nonce (OpenID Connect Core 1.0, RFC 9700).

The library makes requests and checks tokens; what is ours: where the steps are kept, which algorithms count (no `none`,
no shared secret), and which roles follow.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.web.dicom.settings import LOOPBACK
from services.web.identity.person import ROLES
from services.web.identity.settings import IdentitySettings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY_SECONDS = 60
ANSWER_SECONDS = 10.0
# A provider that is asked for its keys by every forged token would be our victim.
KEYS_AGAIN_SECONDS = 30.0
DISCOVER_AGAIN_SECONDS = 3600.0


class NotSignedIn(Exception):
    """Why the provider's answer signs nobody in, in a line for the person."""


@dataclass(frozen=True)
class Flow:
    """What one sign-in must come back with."""

    state: str
    nonce: str
    verifier: str
    back: str


@dataclass(frozen=True)
class Claimed:
    """Whom the provider names. `hint`: the ID token, by which its session can be ended."""

    name: str
    roles: frozenset[str]
    hint: str


@dataclass
class Provider:
    """The site's OpenID provider, with what it said of itself."""

    settings: IdentitySettings
    _about: dict[str, Any] = field(default_factory=dict)
    _about_at: float = -DISCOVER_AGAIN_SECONDS
    _keys: KeySet | None = None
    _keys_at: float = -KEYS_AGAIN_SECONDS

    def _client(self, back: str) -> AsyncOAuth2Client:
        path = self.settings.oidc_client_secret_file
        secret = Path(path).read_text(encoding="utf-8").strip() if path else None
        return AsyncOAuth2Client(
            self.settings.oidc_client_id,
            secret,
            redirect_uri=back,
            scope=self.settings.oidc_scope,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            timeout=ANSWER_SECONDS,
        )

    async def about(self) -> dict[str, Any]:
        """The discovery document, an hour old at most; raises NotSignedIn."""
        if time.monotonic() - self._about_at >= DISCOVER_AGAIN_SECONDS:
            issuer = self.settings.oidc_issuer
            about = await _json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != issuer:
                raise NotSignedIn("The provider calls itself otherwise than HILUM_OIDC_ISSUER.")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not is_safe_address(str(about.get(name, ""))):
                    raise NotSignedIn(f"The provider's {name} is missing or not https.")
            self._about, self._about_at = about, time.monotonic()
        return self._about

    async def start(self, back: str) -> tuple[str, Flow]:
        """Where to send the browser, and what to remember; `back`: our callback's address."""
        flow = Flow(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), back)
        about = await self.about()
        async with self._client(back) as client:
            url, _ = client.create_authorization_url(
                about["authorization_endpoint"], state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
            )
        return str(url), flow

    async def finish(self, code: str, flow: Flow) -> Claimed:
        """Exchange the code and check the ID token; raises NotSignedIn."""
        about = await self.about()
        try:
            async with self._client(flow.back) as client:
                token = await client.fetch_token(about["token_endpoint"], code=code, code_verifier=flow.verifier)
        except (AuthlibBaseError, httpx.HTTPError, ValueError) as error:
            raise NotSignedIn(f"The provider refused the code ({type(error).__name__}).") from error
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise NotSignedIn("The provider sent no ID token.")
        claims = await self._checked(id_token, flow.nonce)
        return self._claimed(claims, id_token)

    async def _checked(self, id_token: str, nonce: str) -> dict[str, Any]:
        claims = None
        for again in (False, True):
            try:
                claims = jwt.decode(id_token, await self._key_set(again=again), algorithms=list(ALGORITHMS))
                break
            except (JoseError, ValueError) as error:
                # The provider may have changed its keys since: asked once more, then believed.
                if again:
                    raise NotSignedIn(f"The ID token's signature does not fit ({type(error).__name__}).") from error
        assert claims is not None  # noqa: S101 - the loop breaks or raises
        issuer, client = self.settings.oidc_issuer, self.settings.oidc_client_id
        options = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client},
            "nonce": {"essential": True, "value": nonce},
            "sub": {"essential": True},
        }
        checked = CodeIDToken(claims.claims, claims.header, options, {"nonce": nonce, "client_id": client})
        try:
            checked.validate(now=int(time.time()), leeway=LEEWAY_SECONDS)
        except (AuthlibBaseError, JoseError, ValueError, TypeError) as error:
            raise NotSignedIn(f"The ID token is not for this sign-in ({type(error).__name__}).") from error
        return dict(claims.claims)

    async def _key_set(self, *, again: bool) -> KeySet:
        age = time.monotonic() - self._keys_at
        if self._keys is None or age > DISCOVER_AGAIN_SECONDS or (again and age >= KEYS_AGAIN_SECONDS):
            found = await _json(str((await self.about())["jwks_uri"]))
            try:
                self._keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise NotSignedIn("The provider's keys can't be read.") from error
            self._keys_at = time.monotonic()
        return self._keys

    def _claimed(self, claims: dict[str, Any], hint: str) -> Claimed:
        settings = self.settings
        name = claims.get(settings.oidc_name_claim)
        if not isinstance(name, str) or not 0 < len(name.strip()) <= 128 or not name.isprintable():
            raise NotSignedIn(f"The provider names nobody: the claim {settings.oidc_name_claim} is missing.")
        words: Any = claims
        for part in settings.oidc_roles_claim.split("."):
            words = words.get(part) if isinstance(words, dict) else None
        held = set(map(str, words)) if isinstance(words, list) else set()
        roles = frozenset(role for role in ROLES if getattr(settings, f"oidc_role_{role}") in held)
        if not roles:
            raise NotSignedIn("You have no role in this reading room; its administrator can give you one.")
        return Claimed(name.strip(), roles, hint)

    async def end_address(self, hint: str, back: str) -> str | None:
        """Where the provider's own session ends; None where it has no such place or does not answer."""
        try:
            place = (await self.about()).get("end_session_endpoint")
        except NotSignedIn:
            return None
        if not isinstance(place, str) or not is_safe_address(place):
            return None
        asked = {"id_token_hint": hint, "client_id": self.settings.oidc_client_id, "post_logout_redirect_uri": back}
        return f"{place}?{urlencode(asked)}"


def is_safe_address(url: str) -> bool:
    """https, or http on this machine."""
    parsed = urlsplit(url)
    return bool(parsed.hostname) and (
        parsed.scheme == "https" or (parsed.scheme == "http" and parsed.hostname in LOOPBACK)
    )


async def _json(url: str) -> dict[str, Any]:
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
            answer = await client.get(url)
            answer.raise_for_status()
            found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NotSignedIn(f"The provider does not answer ({type(error).__name__}); try again.") from error
    if not isinstance(found, dict):
        raise NotSignedIn("The provider's answer can't be read.")
    return found
