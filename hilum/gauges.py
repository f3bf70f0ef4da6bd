"""Gauges that are set anew from rows each time the metrics page is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Gauge

Labels = tuple[str, ...]


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
