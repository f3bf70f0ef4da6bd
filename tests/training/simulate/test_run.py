"""The simulation by Hilum's own urgency and due times: what it must show, and what a wrong plan is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hilum.triage import Band
from tests.training.evaluate.test_report import films_of, spec
from training.config import CONFIGS
from training.evaluate.film_set import Scored
from training.simulate.page import page
from training.simulate.plan import Arrivals, BadPlan, TriagePlan, read_plan
from training.simulate.run import FIRST_COME, HILUM, UNCAPPED, replicate, setting, simulate
from training.simulate.studies import Pool, arrivals, due_keys, pool_of

PLAN = read_plan(CONFIGS / "triage.yaml")
SHORT = PLAN.model_copy(update={"warm_up_days": 2, "days": 7, "cool_down_days": 2, "replications": 3})


@pytest.fixture(scope="module")
def pool() -> Pool:
    films, logits = films_of("adults", 600, 1)
    return pool_of(Scored(films, (spec("Effusion"), spec("Nodule"), spec("Edema")), logits), 0.5)


def test_critical_films_are_read_sooner_and_without_the_cap_somebody_waits_longest(pool: Pool) -> None:
    busy = SHORT.model_copy(update={"utilisations": (0.95,), "replications": 4})
    found = simulate(busy, pool)["utilisations"][0]
    against = found["against first come"]
    assert against[HILUM]["critical median"]["high"] < 0
    assert against[HILUM]["caught critical p95"]["high"] < 0
    longest = {name: found["orders"][name]["longest"]["value"] for name in (FIRST_COME, HILUM, UNCAPPED)}
    assert longest[UNCAPPED] > longest[HILUM] > 0


def test_the_readers_are_as_busy_as_was_asked(pool: Pool) -> None:
    at = setting(PLAN, pool, 0.8)
    assert at.roster.minutes == 60 * (2 * 9 * 5 + 15 * 7 + 9 * 7)
    work = at.per_week * 3.0 * np.exp(0.18) * (1 + 0.05 * 0.5)
    assert work / at.roster.minutes == pytest.approx(0.8)


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(pool: Pool) -> None:
    at = setting(SHORT, pool, 0.8)
    one, again, other = (replicate(SHORT, pool, at, seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_missed_films_are_critical_ones_outside_the_critical_band(pool: Pool) -> None:
    at = setting(SHORT, pool, 0.6)
    found = replicate(SHORT, pool, at, 1)
    assert 0 < found["missed"] < found["critical"] < found["studies"]


def test_due_times_are_those_of_the_triage_code(pool: Pool) -> None:
    from training.simulate.studies import draw

    rng = np.random.default_rng(0)
    day = draw(pool, np.zeros(400), 0.3, (), PLAN.reading, rng)
    for (due,), each in zip(due_keys(day, PLAN.policy()), day.urgencies, strict=True):
        wait = {Band.CRITICAL: 15, Band.URGENT: 240, Band.ROUTINE: 1440}[each.band]
        assert due == pytest.approx(wait * (1 - 0.25 * min(max(each.score, 0), 1)))


def test_arrivals_follow_the_hours() -> None:
    hours = Arrivals(hours=tuple(1.0 if hour == 9 else 0.0 for hour in range(24)))
    moments = arrivals(hours, 700, 28, np.random.default_rng(0))
    assert len(moments) == pytest.approx(2800, rel=0.1)
    assert set((moments // 60 % 24).astype(int)) == {9}
    assert (np.diff(moments) >= 0).all()


def test_the_page_shows_every_order_and_fetches_nothing(pool: Pool) -> None:
    text = page(json.loads(json.dumps(simulate(SHORT.model_copy(update={"replications": 2}), pool))))
    assert "hilum without the cap" in text
    assert "http" not in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("shifts: [{readers: 1}]\nutilisations: [1.2]", "utilisations.0"),
        ("shifts: [{readers: 0}]", "shifts.0.readers"),
        ("shifts: [{readers: 1, start: 9, end: 9}]", "ends after it starts"),
        ("shifts: [{readers: 1}]\narrivals: {hours: [1, 2]}", "arrivals.hours"),
        ("shifts: [{readers: 1}]\nreders: 2", "reders"),
        ("shifts: [{readers: 1}]\nwaits: {critical_minutes: 500}", "more urgent band"),
        ("shifts: [", "plan.yaml"),
    ],
)
def test_a_wrong_plan_is_told_which_field_to_mend(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadPlan, match=told):
        read_plan(path)


def test_films_of_which_none_is_critical_are_refused() -> None:
    films, logits = films_of("adults", 40, 1)
    with pytest.raises(ValueError, match="some must be, not all"):
        pool_of(Scored(films, (spec("Effusion", established=False), spec("Nodule")), logits[:, :2]), 0.5)


def test_a_plan_needs_shifts() -> None:
    with pytest.raises(ValueError, match="shifts"):
        TriagePlan.model_validate({})
