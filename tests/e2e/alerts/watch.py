"""What Prometheus and the receiver say, and what readers and senders do meanwhile."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import Any

import httpx

from tests.e2e.alerts.reading import film, read_all
from tests.e2e.alerts.site import WATCH, Site
from tests.e2e.promotion.ground import address


class Watch:
    """One Prometheus and its receiver, asked at their Services' own addresses, which this host reaches."""

    def __init__(self, namespace: str = WATCH) -> None:
        self._namespace = namespace
        self._ways: dict[str, str] = {}
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Any]] = {}

    def firing(self) -> dict[str, float]:
        """Alerts of this hospital that fire now, each with the time since when its expression holds."""
        found: dict[str, float] = {}
        for alert in self._lately("prometheus", 9090, "/api/v1/alerts")["data"]["alerts"]:
            if alert["state"] == "firing" and ours(alert["labels"]):
                at = _seconds(alert["activeAt"])
                name = alert["labels"]["alertname"]
                found[name] = min(at, found.get(name, at))
        return found

    def fired_at(self, alert: str) -> float:
        """When an alert that fires now began to, by Prometheus's own record: a run may have begun after that."""
        first = f'min_over_time(timestamp(ALERTS{{alertname="{alert}",alertstate="firing"}})[2h:5s])'
        return min((float(series["value"][1]) for series in self.query(first)), default=time.time())

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """The vector that an expression gives now, or gave `at` a time (seconds since 1970)."""
        when = {} if at is None else {"time": f"{at:.0f}"}
        answer = self._get("prometheus", 9090, "/api/v1/query", query=expression, **when)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def received(self) -> list[dict[str, Any]]:
        """What the receiver was sent so far."""
        found: list[dict[str, Any]] = self._lately("receiver", 8080, "/")
        return [one for one in found if ours({k: one[k] for k in ("namespace", "sans") if one.get(k)})]

    def _lately(self, service: str, port: int, path: str) -> Any:
        """What came within the last two seconds, else what comes now: many faults ask at the same time."""
        with self._lock:
            at, found = self._kept.get(service, (0.0, None))
            if time.time() - at > 2:
                found = self._get(service, port, path)
                self._kept[service] = (time.time(), found)
            return found

    def _get(self, service: str, port: int, path: str, **query: str) -> Any:
        error: Exception | None = None
        for attempt in range(6):
            try:
                if service not in self._ways:
                    self._ways[service] = address(self._namespace, service, port)
                answer = httpx.get(self._ways[service] + path, params=query, timeout=30, trust_env=False)
                return answer.raise_for_status().json()
            except (httpx.HTTPError, AssertionError, KeyError, json.JSONDecodeError) as caught:
                error = caught
                self._ways.pop(service, None)
                time.sleep(2 * attempt)
        raise AssertionError(f"{service} of {self._namespace} can't be asked: {error}")


def ours(labels: dict[str, str]) -> bool:
    """Whether an alert is about this hospital: what names no namespace is scraped here alone, or is the cluster's."""
    if "sans" in labels:
        return labels["sans"].endswith("mon.test")
    return labels.get("namespace", "mon-").startswith(("mon-", "promo-"))


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.split(".", 1)[0].rstrip("Z") + "+00:00").timestamp()


class Traffic:
    """Pages are opened, films sent and critical ones read, until it is stopped; what fails is Prometheus's to count."""

    def __init__(self, site: Site) -> None:
        self._site, self._over = site, threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _go(self) -> None:
        number = 0
        while not self._over.wait(0.5):
            number += 1
            with contextlib.suppress(httpx.HTTPError, AssertionError):
                client = self._site.client()
                client.get("/")
                client.get("/v1/studies")
                if number % 10 == 0:
                    client.post("/v1/studies", files={"file": film(number)}, data={"accession": f"T{number}"})
                if number % 5 == 0 and not self._site.nobody_reads.is_set():
                    read_all(self._site, band="critical")
