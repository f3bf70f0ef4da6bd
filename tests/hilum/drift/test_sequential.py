"""The detector's promises, on made numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.drift import bets
from hilum.drift.quality import NAMES, quality
from hilum.drift.ranks import ranks
from hilum.drift.sequential import watch

BASELINE, THRESHOLD = 400, 2000.0


def _strata(count: int) -> np.ndarray:
    return np.zeros(count, dtype=np.int64)


def test_every_bet_pays_one_on_average_while_nothing_changes() -> None:
    assert np.allclose(bets.TABLE.mean(axis=1), 1.0)
    assert (bets.TABLE > 0).all()


def test_ranks_are_uniform_and_independent_whatever_the_values_with_ties_too() -> None:
    chance = np.random.default_rng(1)
    for values in (chance.lognormal(0, 3, 4000), (chance.random(4000) < 0.01).astype(float)):
        found = ranks(values, _strata(4000), 5)
        # What is as all before it has no place.
        found = found[np.isfinite(found)]
        assert len(found) > 3800
        shares = np.histogram(found, np.linspace(0, 1, 11))[0] / len(found)
        assert np.abs(shares - 0.1).max() < 0.02
        assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.05


def test_a_number_that_is_none_has_no_rank_and_disturbs_nobody() -> None:
    values = np.array([1.0, np.nan, 2.0, np.inf, 3.0])
    found = ranks(values, _strata(5), 5)
    assert np.isnan(found[[0, 1, 3]]).all()  # the first has none before it
    assert np.isfinite(found[[2, 4]]).all()
    assert found[2] > 1 / 2
    assert found[4] > 2 / 3


def test_false_alarms_are_no_more_frequent_than_stated() -> None:
    """A mean time of 2,000 films between alarms: in 40 runs of 2,000, at most 63 % where times are exponential."""
    chance = np.random.default_rng(2)
    alarmed = 0
    for run in range(40):
        shared = chance.normal(size=(BASELINE + 2000, 1))
        columns = chance.normal(size=(BASELINE + 2000, 5)) + shared
        streams = {f"s{k}": columns[:, k] for k in range(5)}
        seen = watch(streams, _strata(len(columns)), BASELINE, THRESHOLD, seed=run, stop=True)
        alarmed += seen.alarm_at is not None
    assert alarmed <= 0.63 * 40


@pytest.mark.parametrize("change", [lambda x: x + 0.8, lambda x: x - 0.8, lambda x: x * 2, lambda x: x * 0.4])
def test_a_change_of_one_stream_among_twenty_is_found_and_named(change: object) -> None:
    chance = np.random.default_rng(3)
    columns = chance.normal(size=(BASELINE + 700, 20))
    columns[BASELINE + 400 :, 7] = change(columns[BASELINE + 400 :, 7])  # type: ignore[operator]
    streams = {f"s{k}": columns[:, k] for k in range(20)}
    seen = watch(streams, _strata(len(columns)), BASELINE, 22_200.0, stop=True)
    assert seen.alarm_at is not None
    assert 400 < seen.alarm_at < 700
    assert max(seen.shares, key=lambda name: seen.shares[name]) == "s7"
    assert seen.began_at is not None
    assert 350 < seen.began_at <= seen.alarm_at


def test_a_rare_thing_that_becomes_common_is_found_within_a_few_dozen_films() -> None:
    chance = np.random.default_rng(4)
    values = (chance.random(BASELINE + 300) < 0.003).astype(float)
    values[BASELINE + 200 :] = chance.random(100) < 0.3
    seen = watch({"outside": values}, _strata(len(values)), BASELINE, 22_200.0, stop=True)
    assert seen.alarm_at is not None
    assert 200 <= seen.alarm_at < 260


def test_what_all_films_have_is_no_evidence_however_long_it_lasts() -> None:
    """Were it ranked by chance, some seed would raise an alarm of nothing; at every site the same one."""
    values = np.zeros(BASELINE + 5000)
    for seed in range(5):
        seen = watch({"device/rare": values}, _strata(len(values)), BASELINE, 100.0, seed=seed)
        assert seen.evidence.max() == 0
    values[-30:] = 1
    assert watch({"device/rare": values}, _strata(len(values)), BASELINE, 22_200.0).alarm_at is not None


def test_night_films_that_differ_from_day_films_are_no_change_of_the_films() -> None:
    chance = np.random.default_rng(5)
    night = (np.arange(BASELINE + 1500) // 150) % 2
    values = chance.normal(size=len(night)) + 2.0 * night
    together = watch({"s": values}, _strata(len(values)), BASELINE, 22_200.0, stop=True)
    apart = watch({"s": values}, night.astype(np.int64), BASELINE, 22_200.0, stop=True)
    assert together.alarm_at is not None
    assert apart.alarm_at is None


def test_without_streams_nothing_is_said() -> None:
    seen = watch({}, _strata(5), 2, THRESHOLD)
    assert seen.alarm_at is None
    assert len(seen.evidence) == 0


def test_quality_tells_light_sharpness_and_borders_apart() -> None:
    chance = np.random.default_rng(6)
    frame = (0.3 + 0.4 * chance.random((128, 128))).astype(np.float32)
    bordered = frame.copy()
    bordered[:8] = 0.0
    plain, dark, edged = quality(frame), quality(frame * 0.5), quality(bordered)
    assert tuple(plain) == NAMES
    assert dark["brightness"] == pytest.approx(plain["brightness"] / 2, rel=1e-4)
    assert dark["sharpness"] == pytest.approx(plain["sharpness"], rel=1e-3)
    assert (plain["border"], edged["border"]) == (0.0, pytest.approx(8 / 128))
    assert edged["black"] == pytest.approx(8 / 128, abs=1e-3)
    assert np.isfinite(list(quality(np.zeros((128, 128), dtype=np.float32)).values())).all()
