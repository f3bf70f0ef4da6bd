"""Gauges set anew from rows: what stays is never away, what is gone is gone."""

from __future__ import annotations

import threading
import time

import pytest
from prometheus_client import CollectorRegistry, Gauge

from hilum.gauges import Patience, replace_series


def test_a_series_that_is_gone_is_gone() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("sites", "Films.", ["site", "release"], registry=registry)
    replace_series(gauge, {("north", "a"): 1.0, ("south", "a"): 2.0})
    replace_series(gauge, {("south", "a"): 3.0})
    assert registry.get_sample_value("sites", {"site": "south", "release": "a"}) == 3.0
    assert registry.get_sample_value("sites", {"site": "north", "release": "a"}) is None


def test_two_scrapers_at_the_same_time_never_miss_a_series() -> None:
    gauge = Gauge("sites", "Films.", ["site"], registry=None)
    values = {(f"site {n}",): float(n) for n in range(20)}
    replace_series(gauge, values)
    over = threading.Event()

    def refresh() -> None:
        while not over.is_set():
            replace_series(gauge, values)

    other = threading.Thread(target=refresh)
    other.start()
    seen = {len(metric.samples) for _ in range(2000) for metric in gauge.collect()}
    over.set()
    other.join()
    assert seen == {20}


def test_a_page_waits_no_longer_than_its_patience_and_what_it_waited_for_goes_on() -> None:
    asked: list[int] = []
    answer = threading.Event()

    def look() -> str:
        asked.append(1)
        answer.wait(20)
        return "rows"

    patience: Patience[str] = Patience(0.2)
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            patience.wait(look)
    assert time.monotonic() - began < 10
    answer.set()
    assert patience.wait(look) == "rows"
    # Three pages that gave up, and one that got it, looked twice at most.
    assert len(asked) <= 2


def test_what_a_look_raises_is_raised_to_the_page() -> None:
    def broken() -> None:
        raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        Patience[None](1.0).wait(broken)
