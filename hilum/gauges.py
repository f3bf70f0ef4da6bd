"""Gauges that are set anew from rows each time the metrics page is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Generic, TypeVar

from prometheus_client import Gauge

Labels = tuple[str, ...]
T = TypeVar("T")


class Patience(Generic[T]):
    """Lets a metrics page wait for rows no longer than `seconds`.

    Prometheus gives a page up after 10 s, which is what a connection to a database without a host takes: the page would
    be missing, with all that needs no rows, and the service would be called down.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running: Future[T] | None = None

    def wait(self, look: Callable[[], T]) -> T:
        """Run `look` in a thread of its own, one at a time: who comes meanwhile gets what the one that runs finds.

        Raises TimeoutError where it has not ended in time (it goes on), and whatever `look` raises.
        """
        with self._lock:
            if self._running is None or self._running.done():
                self._running = Future()
                threading.Thread(target=_run, args=(look, self._running), daemon=True).start()
            running = self._running
        return running.result(self._seconds)


def _run(look: Callable[[], T], ended: Future[T]) -> None:
    try:
        ended.set_result(look())
    except BaseException as error:
        ended.set_exception(error)


def replace_series(gauge: Gauge, values: Mapping[Labels, float]) -> None:
    """Make `values` the gauge's only series; one that stays is there all the time.

    Clearing first and setting then would leave a moment without any: another scraper that asks in it sees the series
    gone, and an alert that waits for minutes begins its wait anew.
    """
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
    for metric in gauge.collect():
        for sample in metric.samples:
            there = tuple(sample.labels.values())
            if there not in values:
                _remove(gauge, there)


def _remove(gauge: Gauge, labels: Labels) -> None:
    try:
        gauge.remove(*labels)
    except KeyError:
        # Another page that was asked for at the same time has done it.
        return
