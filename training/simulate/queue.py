"""The reading room as a queue: studies come, readers on shift take the next one by a given order, nothing is put back.

A reader who is reading finishes, even past the end of the shift; then the next shift's readers go on. Waits run from
arrival to the start of the first read.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.simulate.plan import DAYS, HOURS, Shift

Array = npt.NDArray[np.float64]
WEEK = float(DAYS * HOURS * 60)
DAY = float(HOURS * 60)


@dataclass(frozen=True)
class Roster:
    """When each reader reads: `spans` per reader, (start, end) in minutes of the week, in order, apart."""

    spans: tuple[tuple[tuple[float, float], ...], ...]

    @classmethod
    def of(cls, shifts: Sequence[Shift]) -> Roster:
        """One reader per place of every shift."""
        answer = []
        for shift in shifts:
            spans = []
            for day in sorted(shift.days):
                start, end = day * DAY + shift.start * 60, day * DAY + shift.end * 60
                spans.append((start, min(end, WEEK)))
                if end > WEEK:
                    spans.append((0.0, end - WEEK))
            answer += [tuple(_joined(sorted(spans)))] * shift.readers
        return cls(tuple(answer))

    @property
    def minutes(self) -> float:
        """Readers' minutes in a week."""
        return sum(end - start for reader in self.spans for start, end in reader)

    def starts_from(self, reader: int, moment: float) -> float:
        """The first moment at or after `moment` (minutes since Monday 0:00) when `reader` may begin a study."""
        week, inside = divmod(moment, WEEK)
        for start, end in self.spans[reader]:
            if inside < end:
                return week * WEEK + max(inside, start)
        return (week + 1) * WEEK + self.spans[reader][0][0]


def _joined(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    joined = [spans[0]]
    for start, end in spans[1:]:
        if start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def serve(arrivals: Array, minutes: Array, keys: Sequence[Sequence[float]], roster: Roster) -> Array:
    """Waits (N,) in minutes of studies that come at `arrivals` (N,), ascending, and take `minutes` (N,) to read.

    Of the studies that wait, the reader takes the one with the smallest key; equal keys go by arrival.
    """
    waits = np.empty(len(arrivals))
    free = [(roster.starts_from(reader, 0.0), reader) for reader in range(len(roster.spans))]
    heapq.heapify(free)
    waiting: list[tuple[Sequence[float], int]] = []
    come, when, last = 0, arrivals.tolist(), minutes.tolist()
    for _ in range(len(when)):
        moment, reader = heapq.heappop(free)
        # Idle readers are brought forward to the next arrival before one of them is chosen.
        while not waiting and come < len(when) and moment < when[come]:
            heapq.heappush(free, (roster.starts_from(reader, when[come]), reader))
            moment, reader = heapq.heappop(free)
        while come < len(when) and when[come] <= moment:
            heapq.heappush(waiting, (keys[come], come))
            come += 1
        _, study = heapq.heappop(waiting)
        waits[study] = moment - when[study]
        heapq.heappush(free, (roster.starts_from(reader, moment + last[study]), reader))
    return waits
