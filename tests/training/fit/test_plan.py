"""Which films make which step."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.fit.sets import TINY, random_set
from training.config import BadRecipe, Recipe
from training.fit.plan import draw_epoch, make_plan
from training.fit.schedule import learning_rate_at


def with_kermany(films: int) -> Recipe:
    """The tiny recipe with at most `films` of Kermany's in an epoch."""
    nih, kermany = TINY.model_dump()["data"]["sources"]
    return TINY.changed(data__sources=[nih, {**kermany, "films": films}])


def test_an_epoch_takes_no_more_of_a_patient_or_of_kermany_than_the_recipe_says() -> None:
    data = random_set(80)
    recipe = with_kermany(5).changed(data__films_per_patient=3)
    drawn = draw_epoch(data, recipe, np.random.default_rng(1))
    assert len(set(drawn)) == len(drawn)
    assert np.bincount(data.patients[drawn]).max() <= 3
    assert (data.sources[drawn] == 1).sum() == 5


def test_another_epoch_takes_other_films_of_a_patient() -> None:
    recipe = TINY.changed(data__films_per_patient=2)
    rng = np.random.default_rng(1)
    assert set(draw_epoch(random_set(80), recipe, rng)) != set(draw_epoch(random_set(80), recipe, rng))


def test_the_learning_rate_rises_then_falls_to_nearly_nought() -> None:
    rates = [learning_rate_at(step, 100, 0.1) for step in range(100)]
    assert rates[0] < rates[5] < rates[9]
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 0.02


def test_epochs_and_checkpoints_end_where_the_recipe_says() -> None:
    recipe = with_kermany(99).changed(
        training__checkpoint_every=0.5,
        training__phases=[{"epochs": 2, "size": 64}, {"epochs": 1, "size": 96}],
    )
    plan = make_plan(random_set(64), recipe, np.random.default_rng(0))
    assert len(plan.steps) == 24
    assert dict(plan.epochs) == {8: 1, 16: 2, 24: 3}
    assert plan.checkpoints == {4, 8, 12, 16, 20, 24}
    assert [step.phase.size for step in plan.steps] == [64] * 16 + [96] * 8


def test_accumulation_cuts_the_same_films_into_smaller_batches() -> None:
    whole = make_plan(random_set(60), TINY.changed(training__batch=8), np.random.default_rng(0))
    cut = make_plan(random_set(60), TINY.changed(training__batch=2, training__accumulate=4), np.random.default_rng(0))
    for first, second in zip(whole.steps, cut.steps, strict=True):
        assert np.array_equal(np.concatenate(first.batches), np.concatenate(second.batches))
    assert max(len(batch) for step in cut.steps for batch in step.batches) == 2


def test_too_few_films_for_the_workers_are_refused() -> None:
    with pytest.raises(BadRecipe, match="no step for 16 workers"):
        make_plan(random_set(24), TINY.changed(training__workers=16), np.random.default_rng(0))
