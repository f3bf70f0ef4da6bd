"""Calls of several threads, combined into calls of the model where the model is then faster.

The thread that finds a free lane calls the model itself, so that one film at a time costs no hand-over. While all
lanes are busy, films gather; who is next takes them along. It waits for more only where `Cost.worth_waiting` says
that everybody gains by it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.inference.cost import Cost
from services.inference.sessions import Array, Session

# How fast the expected gap between two films follows the measured ones.
_FOLLOW = 0.2
# Larger calls are cut, so that the model's working memory stays what it was for a small one.
_SMALLEST_CUT = 8


@dataclass(eq=False)
class _Call:
    outputs: tuple[str, ...]
    batch: Array
    turn: threading.Event = field(default_factory=threading.Event)
    results: list[Array] | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.results is not None or self.error is not None


class Batching:
    """A session that combines. At most `lanes` calls of `session` run at once; `observe` is told the films of each."""

    def __init__(
        self,
        session: Session,
        cost: Cost,
        *,
        lanes: int,
        largest: int,
        observe: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.provider = session.provider
        self.cost = cost
        self.limit = cost.useful_batch(largest)
        self._session = session
        self._cut = max(self.limit, min(largest, _SMALLEST_CUT))
        self._lanes = lanes
        self._observe = observe
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._waiting: deque[_Call] = deque()
        self._leading = 0
        self._gathering = 0
        self._last = 0.0
        self._gap = 1.0

    @property
    def waiting(self) -> int:
        """How many calls wait for a lane."""
        return len(self._waiting)

    def run(self, outputs: Sequence[str], batch: Array) -> list[Array]:
        """Run `batch` (n, 1, H, W), perhaps together with others; each array of the answer has n rows."""
        call = _Call(tuple(outputs), batch)
        with self._lock:
            now = time.perf_counter()
            self._gap += _FOLLOW * (min(now - self._last, 1.0) - self._gap)
            self._last = now
            leads = self._leading < self._lanes and not (self._gathering and len(batch) < self.limit)
            if leads:
                self._leading += 1
            else:
                self._waiting.append(call)
                self._came.notify()
        if not leads:
            call.turn.wait()
        if not call.done:
            self._lead(call)
        if call.error is not None:
            raise call.error
        assert call.results is not None  # noqa: S101 - a call without an error is done
        return call.results

    def _lead(self, own: _Call) -> None:
        together = [own]
        try:
            if self.limit > 1:
                self._gather(together)
            self._call(together)
        except Exception as error:
            for call in together:
                call.error = error
        finally:
            with self._lock:
                if self._waiting:
                    # The next one leads: this thread has an answer to bring home.
                    self._waiting.popleft().turn.set()
                else:
                    self._leading -= 1
            for call in together[1:]:
                call.turn.set()

    def _gather(self, together: list[_Call]) -> None:
        with self._lock:
            films = self._take(together)
            while films < self.limit:
                worth = self.cost.worth_waiting(films)
                if self._gap >= worth:
                    return
                self._gathering += 1
                came = self._came.wait(worth)
                self._gathering -= 1
                before, films = films, self._take(together)
                if not came or films == before:
                    return

    def _take(self, together: list[_Call]) -> int:
        """Take along who waits, in order, as far as the outputs are the same and the limit allows."""
        films = sum(len(call.batch) for call in together)
        while self._waiting:
            call = self._waiting[0]
            if call.outputs != together[0].outputs or films + len(call.batch) > self.limit:
                break
            together.append(self._waiting.popleft())
            films += len(call.batch)
        return films

    def _call(self, together: list[_Call]) -> None:
        whole = together[0].batch if len(together) == 1 else np.concatenate([call.batch for call in together])
        names = together[0].outputs
        parts = []
        for at in range(0, len(whole), self._cut):
            part = whole[at : at + self._cut]
            self._observe(len(part))
            parts.append(self._session.run(names, part))
        arrays = parts[0] if len(parts) == 1 else [np.concatenate(rows) for rows in zip(*parts, strict=True)]
        at = 0
        for call in together:
            end = at + len(call.batch)
            call.results = arrays if len(together) == 1 else [array[at:end] for array in arrays]
            at = end
