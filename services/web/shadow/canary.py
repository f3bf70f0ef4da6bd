"""Canary's inference as one process sees it: a client with a hard time limit, a bounded queue, and whether it is away.

Shadow work has no right to anything that the live path needs: it has threads of its own, waits in memory in a queue
that drops what is too much (rows say what is owed, and backfill asks again), and holds no connection while it waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from hilum.clients.base import Refused, Unavailable
from hilum.clients.inference import InferenceClient
from hilum.wire import ModelInfo, Prediction
from services.web.shadow.metrics import ASKED, CANARY_AWAY, QUEUE
from services.web.signal import Signal

# So many failures in a row are an outage, not a study that canary fails on.
OUTAGE = 3
T = TypeVar("T")


def shadow_threads() -> ThreadPoolExecutor:
    """Threads for rows and bytes of shadow work alone."""
    return ThreadPoolExecutor(2, "shadow")


@dataclass
class Canary:
    """`model` is the release that canary showed last, None before its first answer.

    `same`: it is production's very release, so that there is nothing to compare and nobody to expose.
    `away_since`: since when it has not answered, None while it does.
    """

    client: InferenceClient
    timeout_seconds: float
    queue_length: int
    threads: ThreadPoolExecutor = field(default_factory=shadow_threads)
    waiting: Signal = field(default_factory=Signal)
    model: ModelInfo | None = None
    same: bool = False
    failures: int = 0
    away_since: datetime | None = None
    _queue: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_away(self) -> bool:
        """Whether nobody should wait for an answer now."""
        return self.failures >= OUTAGE

    @property
    def room(self) -> int:
        """How many more studies the queue takes."""
        return self.queue_length - len(self._queue)

    def offer(self, study_uid: str) -> bool:
        """Put a study into the queue, from any thread, at once; False (and counted) where the queue is full."""
        with self._lock:
            if study_uid not in self._queue and len(self._queue) >= self.queue_length:
                ASKED.labels("shed").inc()
                return False
            self._queue[study_uid] = None
            QUEUE.set(len(self._queue))
        self.waiting.set()
        return True

    def take(self) -> str | None:
        """The study that has waited longest."""
        with self._lock:
            if not self._queue:
                return None
            uid, _ = self._queue.popitem(last=False)
            QUEUE.set(len(self._queue))
            return uid

    async def predict(
        self, data: bytes, name: str, now: Callable[[], datetime], limit_seconds: float | None = None
    ) -> Prediction:
        """Canary's score of a film within its time limit (or a shorter one), of a release that `model` then names.

        Raises Unavailable or Refused; both count towards an outage unless the refusal is about the film.
        """
        limit = min(limit_seconds or self.timeout_seconds, self.timeout_seconds)
        try:
            async with asyncio.timeout(limit):
                prediction = await self.client.predict(data, name, features=True)
                if self.model is None or self.model.release != prediction.release:
                    self.model = await self.client.model()
                if self.model.release != prediction.release:
                    raise Unavailable("canary's release changes at this moment")
        except TimeoutError:
            self._failed(now())
            raise Unavailable(f"canary did not answer within {limit:g} s") from None
        except Unavailable:
            self._failed(now())
            raise
        except Refused as error:
            if error.status not in ABOUT_THE_FILM:
                self._failed(now())
                raise Unavailable(f"canary refuses to be asked: {error.status} {error.detail}") from error
            self._succeeded()
            raise
        self._succeeded()
        return prediction

    async def learn(self, now: Callable[[], datetime]) -> ModelInfo:
        """Ask which release canary serves, within its time limit. Raises Unavailable."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                self.model = await self.client.model()
        except (TimeoutError, Unavailable, Refused) as error:
            self._failed(now())
            raise Unavailable(f"canary does not say which release it serves: {error}") from error
        self._succeeded()
        return self.model

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` in shadow's own threads."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    def _failed(self, now: datetime) -> None:
        self.failures += 1
        self.away_since = self.away_since or now
        CANARY_AWAY.set(1)

    def _succeeded(self) -> None:
        self.failures, self.away_since = 0, None
        CANARY_AWAY.set(0)


# What inference says of the film itself; every other refusal is about the way there.
ABOUT_THE_FILM = frozenset({400, 413, 415, 422})
