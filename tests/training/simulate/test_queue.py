"""The queue agrees with queueing theory where theory has an answer, and reads by its keys."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.simulate.plan import Shift
from training.simulate.queue import DAY, WEEK, Roster, serve


def erlang_c_wait(rate: float, mean: float, readers: int) -> float:
    """Mean wait of M/M/c, first come first served (Erlang C)."""
    load = rate * mean
    full = load**readers / math.factorial(readers) / (1 - load / readers)
    wait = full / (sum(load**n / math.factorial(n) for n in range(readers)) + full)
    return wait * mean / (readers - load)


@pytest.mark.parametrize(("readers", "utilisation"), [(1, 0.6), (3, 0.8)])
def test_first_come_first_served_is_the_m_m_c_formula(readers: int, utilisation: float) -> None:
    mean, roster = 5.0, Roster.of([Shift(readers=readers)])
    rate = utilisation * readers / mean
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        arrivals = np.cumsum(rng.exponential(1 / rate, 12_000))
        waits = serve(arrivals, rng.exponential(mean, 12_000), [(a,) for a in arrivals], roster)
        found.append(waits[2000:].mean())
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    expected = erlang_c_wait(rate, mean, readers)
    assert error < 0.08 * expected
    assert abs(np.mean(found) - expected) < 3.5 * error


def test_the_smallest_key_is_read_first_and_nobody_is_interrupted() -> None:
    arrivals, minutes = np.array([0.0, 1.0, 2.0, 3.0]), np.full(4, 10.0)
    waits = serve(arrivals, minutes, [(0,), (9,), (5,), (1,)], Roster.of([Shift(readers=1)]))
    np.testing.assert_allclose(waits, [0, 29, 18, 7])


def test_nobody_reads_outside_the_shift_but_a_study_begun_is_finished() -> None:
    roster = Roster.of([Shift(readers=1, start=8, end=9)])
    arrivals = np.array([0.0, 8 * 60 + 50.0, 8 * 60 + 51.0])
    waits = serve(arrivals, np.array([5.0, 30.0, 5.0]), [(a,) for a in arrivals], roster)
    np.testing.assert_allclose(waits, [480.0, 0.0, DAY + 8 * 60 - (8 * 60 + 51)])


def test_a_shift_past_midnight_goes_on_into_the_next_day_and_week() -> None:
    roster = Roster.of([Shift(readers=1, start=20, end=30, days=(6,))])
    assert roster.minutes == 600
    assert roster.starts_from(0, 6 * DAY) == 6 * DAY + 20 * 60
    assert roster.starts_from(0, WEEK + 60) == WEEK + 60
    assert roster.starts_from(0, WEEK + 7 * 60) == WEEK + 6 * DAY + 20 * 60
