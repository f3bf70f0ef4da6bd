"""Idle connections are closed by who uses them, never by the service in the moment of a request."""

from __future__ import annotations

from services.feedback.__main__ import KEEP_ALIVE_SECONDS as FEEDBACK
from services.web.__main__ import KEEP_ALIVE_SECONDS as WEB

# Traefik's forwardingTimeouts.idleConnTimeout and httpx's keepalive_expiry, as their documentation says.
TRAEFIK_SECONDS, HTTPX_SECONDS = 90, 5


def test_the_service_keeps_an_idle_connection_longer_than_whoever_asks_it() -> None:
    assert WEB > TRAEFIK_SECONDS
    assert FEEDBACK > HTTPX_SECONDS
