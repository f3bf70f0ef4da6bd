"""The search ranks trials by validation AUROC; its space is checked before anything starts."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.training.fit.sets import NOTHING, TINY, learnable_set, validation_of
from training.config import BadRecipe, Recipe
from training.fit.search import TABLE, check_space, search


def searched(space: dict[str, object], trials: int = 2) -> Recipe:
    return TINY.changed(
        augmentation=NOTHING.model_dump(),
        training__label_smoothing=0.0,
        training__phases=[{"epochs": 3, "size": 64}],
        search={"trials": trials, "parallel": 2, "space": space},
    )


@pytest.mark.slow
def test_a_network_that_learns_is_ranked_above_one_that_can_not(tmp_path: Path) -> None:
    data = learnable_set()
    recipe = searched({"training.head_learning_rate": [0.0, 2e-3], "training.learning_rate": [0.0, 1e-3]}, trials=6)
    trials = search(data, validation_of(data), recipe, tmp_path)
    assert len(trials) == 6
    assert trials[0].best_auroc >= trials[-1].best_auroc
    assert trials[0].values["training.learning_rate"] > 0
    with (tmp_path / TABLE).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["best_auroc"]) == trials[0].best_auroc
    assert not (tmp_path / "search.pkl").exists()


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        ({}, "no search.space"),
        ({"training.learning_rat": [1.0]}, "no field training.learning_rat"),
        ({"nothing.there": [1.0]}, "no field nothing.there"),
        ({"training.learning_rate": []}, "a list, or one of"),
        ({"training.learning_rate": {"log": [0.0, 1.0]}}, "a list, or one of"),
        ({"training.learning_rate": {"uniform": [1.0]}}, "a list, or one of"),
        ({"network.dropout": [0.1, 1.5]}, "network.dropout"),
    ],
)
def test_a_space_that_can_not_be_searched_is_refused_by_name(space: dict[str, object], complaint: str) -> None:
    with pytest.raises(BadRecipe, match=complaint):
        check_space(searched(space))
