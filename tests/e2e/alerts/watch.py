"""What Prometheus and the receiver say, and what readers and senders do meanwhile."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from typing import Any

import httpx

from tests.e2e.alerts.faults import FILMS
from tests.e2e.alerts.site import WATCH, Site
from tests.e2e.cluster.site import forwarded


class Watch:
    """A way to Prometheus and one to the receiver; each is opened again where it broke."""

    def firing(self) -> dict[str, float]:
        """Alerts that fire now, each with the time since when its expression holds."""
        found: dict[str, float] = {}
        for alert in self._get("prometheus", 9090, "/api/v1/alerts")["data"]["alerts"]:
            # Of this hospital, or of the cluster; other namespaces' environments are not ours.
            if alert["state"] == "firing" and alert["labels"].get("environment", "production") == "production":
                at = _seconds(alert["activeAt"])
                name = alert["labels"]["alertname"]
                found[name] = min(at, found.get(name, at))
        return found

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The vector that an expression gives now."""
        answer = self._get("prometheus", 9090, "/api/v1/query", query=expression)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def received(self) -> list[dict[str, Any]]:
        """What the receiver was sent so far."""
        found: list[dict[str, Any]] = self._get("receiver", 8080, "/")
        return found

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._ways: dict[str, str] = {}

    def _get(self, service: str, port: int, path: str, **query: str) -> Any:
        for attempt in range(5):
            try:
                if service not in self._ways:
                    self._ways[service] = self._stack.enter_context(forwarded(WATCH, service, port))
                return httpx.get(self._ways[service] + path, params=query, timeout=30, trust_env=False).json()
            except (httpx.HTTPError, AssertionError, json.JSONDecodeError):
                self._ways.pop(service, None)
                time.sleep(2 * attempt)
        raise AssertionError(f"{service} can't be asked")

    def close(self) -> None:
        """Close the ways."""
        self._stack.close()


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.split(".", 1)[0].rstrip("Z") + "+00:00").timestamp()


class Traffic:
    """Pages are opened and films are sent, a few a second, until it is stopped; what fails is Prometheus's to count."""

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
                    film = FILMS[number % len(FILMS)].read_bytes() + uuid.uuid4().bytes
                    client.post("/v1/studies", files={"file": film}, data={"accession": uuid.uuid4().hex[:8]})
