"""Gauges set anew from rows: what stays is never away, what is gone is gone."""

from __future__ import annotations

import threading

from prometheus_client import CollectorRegistry, Gauge

from hilum.gauges import replace_series


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
