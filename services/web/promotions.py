"""The reading room's line to the promoter: what leads and admins see and do there, in their own names."""

from __future__ import annotations

import httpx

from hilum.clients.base import over_network
from hilum.clients.promoter import PromoterClient
from services.web.settings import WebSettings

ANSWER_SECONDS = 45.0


def client(settings: WebSettings, given: httpx.AsyncClient | None = None) -> PromoterClient | None:
    """The promoter's client by the settings; None: none is configured. Raises OSError where the token can't be read."""
    if not settings.promoter_url:
        return None
    token = settings.promoter_token.read_text(encoding="utf-8").strip() if settings.promoter_token else ""
    return PromoterClient(given or over_network(settings.promoter_url, answer_seconds=ANSWER_SECONDS), token)
