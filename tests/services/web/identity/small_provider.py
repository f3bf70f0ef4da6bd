"""A small OpenID provider for tests: real HTTP, real signatures, and every way to be wrong that a test asks for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.responses import JSONResponse, RedirectResponse, Response

CLIENT = "hilum"


@dataclass
class SmallProvider:
    """`claims` go into the next ID token over the right ones (None: left out); `forge` changes how it is signed."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    published: list[RSAKey] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    forge: str = ""
    asked_for_keys: int = 0
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def about(self) -> dict[str, Any]:
        """Discovery."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/end",
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """The person said yes: the code, which remembers what was asked."""
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return code

    def token(self, code: str, verifier: str) -> str | None:
        """The ID token for a code, once, to who holds the verifier."""
        asked = self._codes.pop(code, None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != digest or asked["code_challenge_method"] != "S256":
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "person-1", "iat": now, "exp": now + 60, "nonce": asked["nonce"],
            "preferred_username": "anna", "roles": ["hilum-reader", "something else"], **self.claims,
        }  # fmt: skip
        return self.signed({name: value for name, value in claims.items() if value is not None})

    def signed(self, claims: dict[str, Any]) -> str:
        """As the provider signs, or as somebody else would."""
        kid = {"kid": "one"}
        if self.forge == "none":
            return f"{_part({'alg': 'none', **kid})}.{_part(claims)}."
        if self.forge == "public key as secret":
            text = f"{_part({'alg': 'HS256', **kid})}.{_part(claims)}"
            mac = hmac.digest(self.key.as_pem(private=False), text.encode(), "sha256")
            return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        if self.forge == "another key":
            other = RSAKey.generate_key(2048, kid)
            return jwt.encode({"alg": "RS256", **kid}, claims, other)
        token = jwt.encode({"alg": "RS256", "kid": str(self.key.kid)}, claims, self.key)
        if self.forge == "changed":
            top, body, signature = token.split(".")
            changed = json.loads(base64.urlsafe_b64decode(body + "=="))
            changed["roles"] = ["hilum-admin"]
            return f"{top}.{_part(changed)}.{signature}"
        return token


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def make_app(provider: SmallProvider) -> FastAPI:
    """The provider over HTTP."""
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    def about() -> dict[str, Any]:
        return provider.about()

    @app.get("/keys")
    def keys() -> dict[str, Any]:
        provider.asked_for_keys += 1
        return {"keys": [key.as_dict(private=False) for key in provider.published or [provider.key]]}

    @app.get("/authorize")
    def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        back = urlencode({"code": provider.authorize(asked), "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", status_code=303)

    @app.post("/token")
    async def token(request: Request) -> Response:
        body = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        made = provider.token(body.get("code", ""), body.get("code_verifier", ""))
        if made is None:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": made})

    return app


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
