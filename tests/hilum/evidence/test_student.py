"""Tails of Student's t beside SciPy's, which serving has not."""

from __future__ import annotations

import pytest
from scipy import stats

from hilum.evidence.student import beyond


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 50, 300])
def test_tails_are_those_of_scipy(freedom: int) -> None:
    for t in (-2.0, 0.0, 0.5, 2.0, 8.0):
        assert beyond(t, freedom) == pytest.approx(stats.t.sf(t, freedom), abs=1e-12)


def test_far_beyond_a_few_hundred_films_it_is_the_normal_distribution() -> None:
    assert beyond(3.0, 301) == pytest.approx(stats.norm.sf(3.0), abs=1e-12)
    with pytest.raises(ValueError, match="degrees"):
        beyond(1.0, 0)
