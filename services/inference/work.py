"""A bounded number of films in work and a bounded number waiting, by turns, each with a deadline.

Nothing here knows of films or HTTP: blocking work goes in, its result comes out, or Busy says why not.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal, TypeVar, cast

from services.inference.turns import Turns

T = TypeVar("T")
# full: no place in the queue. deadline: it would not be done in time. late: it waited too long. turns: its client has
# most of the queue, and another one came. draining: the process is ending.
Reason = Literal["full", "deadline", "late", "turns", "draining"]
REASONS: tuple[Reason, ...] = ("full", "deadline", "late", "turns", "draining")
# How fast the expected duration follows the measured ones.
_FOLLOW = 0.1
# Calls are planned for this share of the deadline: how long one takes is a mean, and its answer still has to travel.
_PLANNED = 0.8
# A call that waited less than this share of its deadline is begun, whatever it is expected to take: else one slow
# film would make the next ones seem hopeless, and no film would ever show otherwise.
_PATIENCE = 0.1


class Busy(Exception):
    """The work was not begun. `retry_after_seconds`: when there should be room."""

    def __init__(self, reason: Reason, retry_after_seconds: int = 1) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True)
class Waited(Generic[T]):
    """A result, how long its work waited for a thread, and when that began with it (time.perf_counter)."""

    result: T
    queue_seconds: float
    began: float


@dataclass(eq=False)
class _Job:
    client: str
    kind: str
    size: int
    work: Callable[[], Any]
    asked: float
    deadline: float
    expected: float
    future: Future[Waited[Any]]


class WorkQueue:
    """Runs blocking work in `workers` threads; at most `queue` calls wait, the clients by turns.

    A call is refused at once where the calls before it leave no hope of `deadline_seconds`, by the mean duration of
    its kind so far. `shed` is told the reason of each refusal.
    """

    def __init__(
        self,
        workers: int,
        queue: int,
        deadline_seconds: float = math.inf,
        shed: Callable[[Reason], object] = lambda _: None,
    ) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="score")
        self._workers = workers
        self._places = queue
        self._deadline_seconds = deadline_seconds
        self._shed = shed
        self._lock = threading.Lock()
        self._turns: Turns[_Job] = Turns()
        self._running = 0
        self._begun = 0
        self._mean: dict[str, float] = {}
        self._closed = False

    @property
    def workers(self) -> int:
        """How many calls can have a thread at once."""
        return self._workers

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        return len(self._turns)

    @property
    def running(self) -> int:
        """How many calls have a thread, or are just about to."""
        return self._running

    @property
    def begun(self) -> int:
        """How many calls were given a thread so far."""
        return self._begun

    def check_room(self, client: str = "", kind: str = "film") -> None:
        """Raise Busy where a call of `client` would not be taken now: asked before a body is read."""
        with self._lock:
            refusal = self._refusal(client, kind, 1)
        if refusal is not None:
            self._shed(refusal.reason)
            raise refusal

    async def run(self, work: Callable[[], T], *, client: str = "", kind: str = "film", size: int = 1) -> Waited[T]:
        """Run `work` in a thread; raises Busy, and what `work` raises. A cancelled call that waits is dropped."""
        return await asyncio.wrap_future(self.submit(work, client=client, kind=kind, size=size))

    def submit(
        self, work: Callable[[], T], *, client: str = "", kind: str = "film", size: int = 1
    ) -> Future[Waited[T]]:
        """The same without an event loop. `kind` and `size` say whose durations this one's is expected to follow."""
        now = time.perf_counter()
        with self._lock:
            if refusal := self._refusal(client, kind, size):
                self._shed(refusal.reason)
                raise refusal
            evicted = self._turns.pop_last(self._turns.longest()) if self._full() else None
            run = partial(contextvars.copy_context().run, work)
            expected = self._mean.get(kind, 0.0) * size
            job = _Job(client, kind, size, run, now, now + _PLANNED * self._deadline_seconds, expected, Future())
            self._turns.push(client, job)
        if evicted is not None:
            self._refuse(evicted, "turns")
        # Weakly: a future keeps its callbacks, and the two would keep each other, with the film, until a collection.
        job.future.add_done_callback(partial(self._left, weakref.ref(job)))
        # A ticket for whoever has the turn when a thread is free, not for this very job.
        self._pool.submit(self._next)
        return cast("Future[Waited[T]]", job.future)

    def _full(self) -> bool:
        free = max(self._workers - self._running, 0)
        return len(self._turns) >= self._places + free

    def _refusal(self, client: str, kind: str, size: int) -> Busy | None:
        if self._closed:
            return Busy("draining", 5)
        free = self._workers - self._running - len(self._turns)
        if free > 0:
            return None
        mean = self._mean.get(kind, 0.0)
        delay = mean * (self._turns.before(client) + 1) / self._workers
        retry = max(1, min(math.ceil(mean * len(self._turns) / self._workers), 30))
        if self._full() and (
            not len(self._turns) or self._turns.waiting(self._turns.longest()) <= self._turns.waiting(client) + 1
        ):
            return Busy("full", retry)
        if delay + mean * size > _PLANNED * self._deadline_seconds:
            return Busy("deadline", retry)
        return None

    def _next(self) -> None:
        with self._lock:
            job = self._turns.pop()
            if job is None or not job.future.set_running_or_notify_cancel():
                return
            self._running += 1
            self._begun += 1
        began = time.perf_counter()
        waited = began - job.asked
        if began + job.expected > job.deadline and waited > _PATIENCE * self._deadline_seconds:
            self._done(job, None)
            self._refuse(job, "late")
            return
        try:
            result = job.work()
        except BaseException as error:
            self._done(job, time.perf_counter() - began)
            job.future.set_exception(error)
            return
        self._done(job, time.perf_counter() - began)
        job.future.set_result(Waited(result, waited, began))

    def _done(self, job: _Job, seconds: float | None) -> None:
        """Give the place back before the caller hears of it: he may call again at once."""
        with self._lock:
            self._running -= 1
            if seconds is not None:
                each = seconds / job.size
                mean = self._mean.get(job.kind, each)
                self._mean[job.kind] = mean + _FOLLOW * (each - mean)

    def _refuse(self, job: _Job, reason: Reason) -> None:
        try:
            job.future.set_exception(Busy(reason))
        except InvalidStateError:
            return  # Its caller left in this moment.
        self._shed(reason)

    def _left(self, job: weakref.ref[_Job], future: Future[Any]) -> None:
        if future.cancelled() and (waits := job()) is not None:
            with self._lock:
                self._turns.remove(waits.client, waits)

    def close(self) -> None:
        """Wait for the work under way; refuse what only waits."""
        with self._lock:
            self._closed = True
            left = list(iter(self._turns.pop, None))
        for job in left:
            self._refuse(job, "draining")
        self._pool.shutdown(wait=True)
