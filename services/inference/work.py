"""A bounded number of films in work, a bounded number waiting; the event loop stays free."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Busy(Exception):
    """Every worker is taken and the queue is full."""


@dataclass(frozen=True)
class Waited(Generic[T]):
    """A result, and how long its work waited for a thread."""

    result: T
    queue_seconds: float


class WorkQueue:
    """Runs blocking work in `workers` threads; at most `queue` calls wait, the next is refused with Busy."""

    def __init__(self, workers: int, queue: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="score")
        self._room = workers + queue
        self._inside = 0

    async def run(self, work: Callable[[], T]) -> Waited[T]:
        """Run `work` in a thread; raises Busy at once where there is no room, and what `work` raises."""
        if self._inside >= self._room:
            raise Busy
        asked = time.perf_counter()
        context = contextvars.copy_context()

        def timed() -> Waited[T]:
            waited = time.perf_counter() - asked
            return Waited(context.run(work), waited)

        self._inside += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, timed)
        # Counted down when the thread is done, not when the caller gives up: a cancelled call still takes its thread.
        future.add_done_callback(self._leave)
        return await asyncio.shield(future)

    def _leave(self, future: asyncio.Future[Any]) -> None:
        self._inside -= 1
        if not future.cancelled():
            future.exception()

    def close(self) -> None:
        """Wait for the work under way; drop what only waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
