"""One site's report: what is told, and when there are not enough data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hilum.drift.compare import holm, ks, mean_shift, mmd, psi
from hilum.drift.films import Films
from hilum.drift.labels import prevalence
from hilum.drift.quality import NAMES
from hilum.drift.reads import calibration
from hilum.drift.site import Rules, films_a_day, judge
from hilum.release.pose import KINDS
from hilum.release.reference import LEVEL_EDGES, SCORE_EDGES, SPREAD_EDGES, count
from hilum.wire import PopulationOut, ReferenceOut, ReleaseRef

FINDINGS = ("Effusion", "Mass")
RULES = Rules(baseline=300, days=30, fewest_a_day=10)
DAY = 86_400.0


def films(number: int, a_day: float = 400.0, seed: int = 0, **changes: object) -> Films:
    """Films of one population, evenly over days from Monday, 5 January 1970."""
    chance = np.random.default_rng(seed)
    odds = chance.normal(-1, 1, (number, 2))
    made = Films(
        FINDINGS,
        4 * DAY + np.arange(number) * DAY / a_day,
        1 / (1 + np.exp(-odds)),
        chance.normal(1, 0.1, number),
        np.zeros(number),
        np.column_stack([chance.normal(0.5, 0.05, number) for _ in NAMES]),
        chance.normal(size=(number, 4)),
        chance.normal(-5, 1, (number, len(KINDS))),
        np.column_stack([chance.normal(5, 1, number), chance.choice([1.0, 1.2], number)]),
        np.where(chance.random(number) < 0.4, "AP", "PA"),
        np.full(number, "maker 12 bit"),
        np.zeros(number, dtype=np.int64),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def reference(scores_shift: float = 0.0) -> ReferenceOut:
    chance = np.random.default_rng(9)
    rows = [count(chance.normal(-1 + scores_shift, 1, 2000), SCORE_EDGES).tolist() for _ in FINDINGS]
    return ReferenceOut(
        release=ReleaseRef(name="r", version="1", digest="d", precision="fp32"),
        findings=list(FINDINGS),
        alerts=[0.7, 0.7],
        sensitivity=[0.8, 0.8],
        specificity=[0.9, 0.9],
        populations=[
            PopulationOut(
                name="made",
                films=2000,
                scores=rows,
                alerts=[0.05, 0.05],
                brightness=count(chance.normal(0.5, 0.05, 2000), LEVEL_EDGES).tolist(),
                contrast=count(chance.normal(0.5, 0.05, 2000), SPREAD_EDGES).tolist(),
                features_mean=[0.0] * 4,
                features_covariance=np.eye(4).tolist(),
            )
        ],
    )


def test_films_of_one_population_are_steady_and_near_the_release() -> None:
    found = judge(films(1000), reference(), RULES)
    assert (found.state, found.reason) == ("steady", "")
    assert found.films_a_day == 400
    assert found.threshold == 24_000
    assert found.population == "made"
    assert all(row.psi is None or row.psi < 0.1 for row in found.release)
    assert min(row.holm for row in found.window) > 0.01
    assert [round(each.value, 1) for each in found.labels] == [0.0, 0.0]


def test_a_change_is_found_dated_and_led_by_what_changed_and_its_films_are_shown() -> None:
    made = films(1000)
    light = made.light.copy()
    light[700:, NAMES.index("brightness")] += 0.1
    found = judge(replace(made, light=light), reference(), RULES)
    assert found.state == "drift"
    assert "input/brightness" in found.reason
    assert found.alarm_at is not None
    assert made.at[700] <= found.alarm_at <= made.at[740]
    assert found.began_at is not None
    assert abs(found.began_at - made.at[700]) < DAY / 10
    assert len(found.examples) == 6
    assert min(found.examples) >= 700
    assert max(value for _, value in found.curve) >= 1
    named = {(row.kind, row.part): row.holm for row in found.window}
    assert named[("input", "brightness")] < 0.01
    assert named[("score", "Effusion")] > 0.01


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (films(0), "0 of the 350 films"),
        (films(120), "120 of the 350 films"),
        (films(700, a_day=5), "5 films a day"),
        (films(700, probabilities=np.full((700, 2), np.nan)), "no film of this period has a score that is a number"),
    ],
    ids=["no film", "a new site", "five films a day", "NaN scores"],
)
def test_too_few_data_are_said_and_raise_no_alarm(made: Films, why: str) -> None:
    found = judge(made, reference(), RULES)
    assert found.state == "not enough data"
    assert why in found.reason
    assert found.alarm_at is None


def test_scores_that_are_no_numbers_among_others_stop_nothing() -> None:
    made = films(1000)
    chances = made.probabilities.copy()
    chances[::7] = np.nan
    assert judge(replace(made, probabilities=chances), reference(), RULES).state == "steady"


def test_a_release_without_reference_statistics_is_watched_all_the_same() -> None:
    found = judge(films(1000), None, RULES)
    assert (found.state, found.release, found.labels) == ("steady", (), ())
    older = replace(films(1000), light=np.full((1000, len(NAMES)), np.nan), places=np.zeros((1000, 0)))
    assert judge(older, reference(), RULES).state == "steady"


def test_a_site_far_from_the_release_is_steady_and_far() -> None:
    found = judge(films(1000), reference(scores_shift=1.5), RULES)
    assert found.state == "steady"
    assert all(row.psi > 0.25 and row.holm < 0.001 for row in found.release if row.kind == "score" and row.psi)


def test_a_clock_that_jumped_leaves_the_films_of_a_day_as_they_are() -> None:
    made = films(1000)
    jumped = made.at.copy()
    jumped[:3] -= 40 * 365 * DAY
    jumped[-3:] += 365 * DAY
    assert films_a_day(jumped) == pytest.approx(films_a_day(made.at), rel=0.01)
    assert judge(replace(made, at=np.sort(jumped)), reference(), RULES).state == "steady"


def test_a_view_that_becomes_common_and_a_new_device_are_found() -> None:
    made = films(1000)
    view = made.view.copy()
    view[600:] = "AP"
    assert "view/AP" in judge(replace(made, view=view), reference(), RULES).reason
    device = made.device.astype("<U24")
    device[700:] = "another 10 bit"
    found = judge(replace(made, device=device), reference(), RULES)
    assert found.state == "drift"
    assert "device/rare" in found.reason


def test_films_of_another_size_are_found_and_size_view_and_device_are_compared_with_the_first_films() -> None:
    made = films(1000)
    size = made.size.copy()
    size[700:, 0] = 1.0
    found = judge(replace(made, size=size), reference(), RULES)
    assert found.state == "drift"
    assert "input/size" in found.reason
    named = {(row.kind, row.part): row for row in found.window}
    assert named[("input", "size")].holm < 0.001
    assert (named[("input", "size")].psi or 0) > 0.25
    assert {("input", "shape"), ("input", "sharpness"), ("view", "AP"), ("device", "rare"), ("domain", "score")} <= set(
        named
    )
    assert all(row.holm > 0.01 for row in found.window if row.part != "size")
    unknown = judge(replace(made, size=np.full((1000, 2), np.nan)), reference(), RULES)
    assert unknown.state == "steady"
    assert "size" not in {row.part for row in unknown.window}


def test_psi_ks_and_holm_on_known_numbers() -> None:
    even = np.full(10, 100.0)
    assert psi(even, even) == pytest.approx(0.0, abs=1e-9)
    shifted = np.array([0, 0, 100, 100, 100, 100, 100, 100, 200, 200], dtype=float)
    assert psi(even, shifted) > 0.25
    assert ks(even, even) == 1.0
    assert ks(even, shifted) < 1e-6
    assert ks(even, np.zeros(10)) == 1.0
    found = holm([("a", "x", None, 0.01), ("a", "y", None, 0.04), ("a", "z", None, 0.03)])
    assert [row.holm for row in found] == pytest.approx([0.03, 0.06, 0.06])


def test_p_values_are_small_as_seldom_as_they_say() -> None:
    chance = np.random.default_rng(5)
    edges = np.linspace(-4, 4, 65)
    ps, means, mmds = [], [], []
    for _ in range(200):
        a, b = chance.normal(size=(2, 400))
        ps.append(ks(count(a, edges).astype(float), count(b, edges).astype(float)))
        rows = chance.normal(size=(400, 4))
        means.append(mean_shift(np.zeros(4), np.eye(4), 100_000, rows))
    mmds = [mmd(chance.normal(size=(60, 3)), chance.normal(size=(60, 3)), seed)[1] for seed in range(60)]
    assert np.mean(np.array(ps) < 0.05) <= 0.08
    assert 0.01 <= np.mean(np.array(means) < 0.05) <= 0.1
    assert np.mean(np.array(mmds) < 0.05) <= 0.15
    assert mmd(chance.normal(size=(60, 3)), chance.normal(1.5, 1, size=(60, 3)))[1] < 0.01
    assert mmd(np.zeros((3, 2)), np.zeros((3, 2))) == (0.0, 1.0)


def test_shares_are_estimated_from_calls_and_a_point_that_tells_nothing_gives_none() -> None:
    found = prevalence("Mass", 170, 1000, 0.8, 0.9)
    assert found is not None
    assert found.value == pytest.approx(0.1)
    assert found.low < 0.1 < found.high
    assert prevalence("Mass", 170, 1000, 0.5, 0.5) is None
    assert prevalence("Mass", 0, 0, 0.8, 0.9) is None
    none = prevalence("Mass", 0, 1000, 0.8, 0.9)
    assert none is not None
    assert (none.value, none.low) == (0.0, 0.0)


def test_calibration_is_seen_on_reads_and_too_few_say_nothing() -> None:
    chance = np.random.default_rng(6)
    p = chance.uniform(0.05, 0.5, 400)
    right = calibration("Mass", p, (chance.random(400) < p).astype(np.int64))
    assert right.low is not None
    assert right.high is not None
    assert right.low < 1 < right.high
    doubled = calibration("Mass", p, (chance.random(400) < np.minimum(2 * p, 1)).astype(np.int64))
    assert doubled.low is not None
    assert doubled.low > 1
    changed = np.concatenate([chance.random(200) < p[:200], chance.random(200) < np.minimum(2 * p[200:], 1)])
    late = calibration("Mass", p, changed.astype(np.int64))
    assert late.z is not None
    assert late.z > 3
    few = calibration("Mass", p[:20], np.ones(20, dtype=np.int64))
    assert (few.reads, few.ratio) == (20, None)
    blank = calibration("Mass", p, np.full(400, -1))
    assert (blank.reads, blank.ratio) == (0, None)
