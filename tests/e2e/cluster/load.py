"""People and senders who go on while something is changed: 2 films a second, 100 clicks a minute, no second try."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.cluster.kube import wait_until
from tests.e2e.cluster.site import Site, ledger, listed, send

FILM_SECONDS = 0.5
CLICK_SECONDS = 0.6
# What a page of the reading room asks for at a click of the list; the fourth click gives a read.
LABELS = {"Effusion": 1, "Edema": 0}


@dataclass
class Load:
    """What was asked and what was acknowledged. `tolerated` says which failures are none: while a store is away."""

    site: Site
    prefix: str
    tolerated: Callable[[httpx.Response], bool] = lambda _: False
    films: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    clicks: int = 0
    turned_away: int = 0
    failures: list[str] = field(default_factory=list)
    # When the first good answer came after the last that was turned away, on the monotonic clock.
    last_away: float = 0.0
    slowest: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _clients: list[httpx.Client] = field(default_factory=list)

    def _again(self, ask: Callable[[int], None], pause: float) -> None:
        due = time.monotonic()
        for number in itertools.count():
            if self._stop.is_set():
                return
            began = time.monotonic()
            try:
                ask(number)
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}"[:300])
            self.slowest = max(self.slowest, time.monotonic() - began)
            due += pause
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _took(self, answer: httpx.Response) -> bool:
        if answer.status_code < 400:
            return True
        if self.tolerated(answer):
            self.turned_away += 1
            self.last_away = time.monotonic()
        else:
            self.failures.append(f"{answer.request.method} {answer.url.path}: {answer.status_code} {answer.text[:150]}")
        return False

    def _films(self) -> None:
        client = self._clients[0]

        def one(number: int) -> None:
            accession, answer = send(client, self.prefix, number)
            if self._took(answer):
                self.films.append(accession)

        self._again(one, FILM_SECONDS)

    def _clicks(self) -> None:
        client = self._clients[1]
        studies: list[dict[str, Any]] = []

        def one(number: int) -> None:
            self.clicks += 1
            if number % 4 == 0 or not studies:
                answer = client.get("/v1/studies", params={"limit": "50"})
                if self._took(answer):
                    studies[:] = [study for study in answer.json()["studies"] if study["status"] != "waiting"]
                return
            uid = studies[number % len(studies)]["uid"]
            if number % 4 != 3:
                self._took(client.get(f"/studies/{uid}" if number % 2 else f"/v1/studies/{uid}"))
                return
            shown = client.get(f"/v1/studies/{uid}")
            if self._took(shown):
                key = uuid.uuid4().hex
                body = {"labels": LABELS, "answer_version": shown.json()["answer_version"]}
                kept = client.post(f"/v1/studies/{uid}/reads", json=body, headers={"Idempotency-Key": key})
                if self._took(kept):
                    self.reads.append(kept.json()["read"]["id"])

        self._again(one, CLICK_SECONDS)

    def __enter__(self) -> Load:
        # Signed in before anything goes away.
        self._clients = [self.site.client(retries=0) for _ in range(2)]
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._films, self._clicks)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def accounted(self, seconds: float = 300) -> str:
        """Every film and read that was acknowledged is there; none failed. Fails with what is missing."""
        assert self.failures == [], f"{len(self.failures)} failed, the first: {self.failures[:3]}"
        client = self.site.client()
        there = listed(client)
        assert [film for film in self.films if film not in there] == [], "films that were acknowledged are not listed"

        def arrived() -> bool:
            return {read["id"] for read in ledger()} >= set(self.reads)

        took = wait_until("the reads in the ledger", arrived, seconds)
        return (
            f"{len(self.films)} films and {len(self.reads)} reads acknowledged, all there (ledger after {took:.0f} s); "
            f"{self.clicks} clicks, 0 failed, the slowest answer {self.slowest:.1f} s"
        )
