"""What a call costs, and what follows from it."""

from __future__ import annotations

import time

import pytest

from services.inference.cost import Cost, fit, measure


def test_the_fit_finds_both_parts() -> None:
    sizes = (1, 2, 4, 8)
    cost = fit(sizes, [0.002 * n + 0.005 for n in sizes])
    assert (cost.per_film, cost.per_call) == pytest.approx((0.002, 0.005))


@pytest.mark.parametrize(
    ("sizes", "seconds"), [((1, 2, 4), (1.0, 2.1, 4.4)), ((1,), (3.0,)), ((1, 2, 4), (4.0, 3.0, 2.0))]
)
def test_no_part_is_ever_below_zero(sizes: tuple[int, ...], seconds: tuple[float, ...]) -> None:
    cost = fit(sizes, seconds)
    assert cost.per_film >= 0
    assert cost.per_call >= 0
    assert cost.seconds(1) > 0


def test_where_every_film_costs_the_same_nothing_is_combined_and_nothing_waits() -> None:
    cost = Cost(per_film=0.009, per_call=0.0)
    assert cost.useful_batch(64) == 1
    assert cost.worth_waiting(1) == 0


def test_where_the_call_is_dear_films_are_combined_up_to_95_percent_of_the_throughput() -> None:
    cost = Cost(per_film=0.001, per_call=0.002)
    useful = cost.useful_batch(64)
    assert useful == 38
    assert useful / cost.seconds(useful) >= 0.95 / cost.per_film > (useful - 2) / cost.seconds(useful - 2)
    assert cost.useful_batch(16) == 16


@pytest.mark.parametrize("films", [1, 2, 4])
def test_waiting_is_worth_it_exactly_as_long_as_all_films_together_are_done_sooner(films: int) -> None:
    cost = Cost(per_film=0.0005, per_call=0.005)

    def apart(t: float) -> float:
        first = cost.seconds(films)
        return films * first + (first - t) + cost.seconds(1)

    def together(t: float) -> float:
        return films * (t + cost.seconds(films + 1)) + cost.seconds(films + 1)

    limit = cost.worth_waiting(films)
    assert together(0.9 * limit) < apart(0.9 * limit)
    assert together(1.1 * limit) > apart(1.1 * limit)


def test_a_measurement_ends_near_its_budget_even_for_a_slow_model() -> None:
    calls: list[int] = []

    def run(films: int) -> None:
        calls.append(films)
        time.sleep(0.02 * films)

    cost = measure(run, largest=64, budget_seconds=0.05)
    assert max(calls) <= 4
    assert len(calls) < 8
    assert cost.per_film > 0.01
