"""Canary's gate: the reading room judges its rows, Prometheus is asked beside it, and both become one record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import httpx

from hilum.gates import BadRecord, Check, GateRecord
from services.promoter.prometheus import Prometheus
from services.promoter.promotion import Promotion


class Evidence:
    """The reading room at `url`, asked with a token; `prometheus` None: technical figures are not asked for here."""

    def __init__(self, url: str, token: Callable[[], str], prometheus: Prometheus | None) -> None:
        self._token = token
        self._prometheus = prometheus
        self._client = httpx.Client(base_url=url, timeout=120, trust_env=False)

    def __call__(self, promotion: Promotion, now: datetime) -> GateRecord:
        """Judge what canary answered since this attempt's state began. No answer is an error, never a fail."""
        record = self._rows(promotion, now)
        if self._prometheus is None:
            return record
        return replace(record, checks=(*record.checks, *self._prometheus.checks(promotion, now)), ended=now)

    def _rows(self, promotion: Promotion, now: datetime) -> GateRecord:
        params = {
            "live": promotion.base["production"].digest,
            "shadow": promotion.candidate.digest,
            "since": promotion.since.isoformat(),
            "attempt": str(promotion.attempt),
            "figures": "true",
        }
        try:
            token = self._token()
            # A header that ends in a space is none that may be sent: a room that asks for no token gets none.
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = self._client.get("/v1/evidence/gate", params=params, headers=headers)
            if answer.is_success:
                return GateRecord.from_json(answer.content)
            why = f"it answered {answer.status_code}: {answer.text[:200]}"
        except (httpx.HTTPError, OSError, BadRecord) as error:
            why = f"{type(error).__name__} {error}"
        check = Check("evidence", "answer of the reading room", "error", why[:400])
        live, shadow = params["live"], params["shadow"]
        return GateRecord("canary", shadow, live, promotion.attempt, "", "", promotion.since, now, (check,))
