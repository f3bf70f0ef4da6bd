"""Errors and latency of canary, from Prometheus. What it does not answer, or answers with no number, is no figure."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import httpx

from hilum.gates import Check
from hilum.gates.plan import GatePlan
from hilum.gates.shadow import QUESTIONS
from hilum.gates.technical import Times, error_check, latency_check, times_of_buckets
from services.promoter.promotion import Promotion

ROUTE = 'service="inference",route="/v1/predict"'
LEAST_SECONDS = 60


class PrometheusUnavailable(Exception):
    """Prometheus does not answer: nothing is known."""


class Prometheus:
    """Prometheus at `url`; `plan` holds the bounds."""

    def __init__(self, url: str, plan: GatePlan) -> None:
        self._plan = plan
        self._client = httpx.Client(base_url=url, timeout=20, trust_env=False)

    def checks(self, promotion: Promotion, now: datetime) -> tuple[Check, ...]:
        """The two questions of canary's plan, over the time of this state."""
        seconds = int((now - promotion.since).total_seconds())
        if seconds < LEAST_SECONDS:
            return (Check("errors", "share of requests that failed", "inconclusive", "too early to ask Prometheus"),)
        try:
            requests = self.one(f'sum(increase(hilum_requests_total{{environment="canary",{ROUTE}}}[{seconds}s]))')
            # No series of failures is no failure only where there are requests.
            failed = self.one(
                f'sum(increase(hilum_requests_total{{environment="canary",{ROUTE},status=~"5.."}}[{seconds}s]))'
            )
            ours, theirs = self._times("canary", seconds), self._times("production", seconds)
        except PrometheusUnavailable as error:
            return (Check("errors", "share of requests that failed", "error", str(error)),)
        plan = self._plan
        alpha, beta = plan.canary.false_abort / QUESTIONS, plan.errors.miss
        if failed is None and requests is not None:
            failed = 0.0
        return (
            error_check(requests, failed, plan.canary.error_rate, alpha, beta),
            latency_check(ours, theirs, plan.canary.latency, alpha, beta),
        )

    def _times(self, environment: str, seconds: int) -> Times | None:
        of = f'{{environment="{environment}",{ROUTE}}}[{seconds}s]'
        buckets = {}
        for series in self._ask(f"sum by (le) (increase(hilum_request_seconds_bucket{of}))"):
            buckets[float(series["metric"]["le"])] = float(series["value"][1])
        total = self.one(f"sum(increase(hilum_request_seconds_sum{of}))")
        return None if total is None else times_of_buckets(buckets, total)

    def one(self, query: str) -> float | None:
        """The one finite number that answers `query`; None: there is none. Raises PrometheusUnavailable."""
        found = self._ask(query)
        value = float(found[0]["value"][1]) if len(found) == 1 else math.nan
        return value if math.isfinite(value) else None

    def _ask(self, query: str) -> list[dict[str, Any]]:
        try:
            answer = self._client.post("/api/v1/query", data={"query": query})
            document = answer.json()
            result = document["data"]["result"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise PrometheusUnavailable(f"Prometheus: {type(error).__name__} {error}"[:300]) from error
        return result if isinstance(result, list) else []
