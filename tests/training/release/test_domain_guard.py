"""The guard that a release build fits: the pose head is learnt, its limits keep within the budget."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from hilum.release.pose import KINDS, MIRRORED, REFUSED, SIDE, UPRIGHT, PoseHead
from training.release.budget import Budget
from training.release.domain import Frames, fit_domain
from training.release.pose import FRAME_SIDE, changed, shrunk, train_head, with_limits


def chests(count: int, side: int, seed: int) -> np.ndarray:
    """Drawn chests (N, side, side), 0..1: two dark lungs, a bright spine and neck, the heart on the viewer's right."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    films = np.empty((count, side, side), dtype=np.float32)
    for k in range(count):
        j = rng.normal(0, 0.02, 8)

        def blob(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
            return np.exp(-((((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2) ** 2))

        film = 0.7 - 0.5 * blob(0.28 + j[0], 0.45 + j[1], 0.17, 0.3) - 0.5 * blob(0.72 + j[2], 0.45 + j[3], 0.17, 0.3)
        film += 0.35 * blob(0.6 + j[4], 0.6 + j[5], 0.16, 0.15) + 0.2 * blob(0.5, 0.1, 0.05, 0.6) - 0.5 * (y < 0.08)
        films[k] = np.clip(film + rng.normal(0, 0.03, film.shape), 0, 1)
    return films


@cache
def trained() -> PoseHead:
    return train_head(chests(200, FRAME_SIDE, 1), steps=150)


def limited(everyone: int = 2) -> tuple[PoseHead, np.ndarray]:
    return with_limits(trained(), chests(400, SIDE, 2), Budget(everyone), Budget(4))


@pytest.mark.parametrize(
    ("kind", "as_it_should_be"),
    [
        (UPRIGHT, lambda film: film),
        ("turned left", np.rot90),
        ("upside down", lambda film: np.rot90(film, 2)),
        ("turned right", lambda film: np.rot90(film, -1)),
        (MIRRORED, lambda film: film[:, ::-1]),
    ],
)
def test_a_changed_film_is_of_the_kind_that_it_is_called(kind: str, as_it_should_be: object) -> None:
    frames = chests(40, FRAME_SIDE, 3)
    kinds = torch.full((40,), KINDS.index(kind))
    # Of what is turned, three in ten are mirrored as well: the middle of all is what was asked for.
    seen = np.median(changed(torch.from_numpy(frames), kinds, 5).numpy(), axis=0)
    expected = as_it_should_be(chests(1, SIDE, 3)[0])  # type: ignore[operator]
    others = [np.rot90(chests(1, SIDE, 3)[0], turns) for turns in range(4)]
    likeness = np.corrcoef(seen.ravel(), expected.ravel())[0, 1]
    assert likeness > 0.7
    assert likeness >= max(np.corrcoef(seen.ravel(), other.ravel())[0, 1] for other in others) - 1e-6


def test_a_negative_is_dark_where_the_film_is_bright() -> None:
    frames = torch.from_numpy(chests(60, FRAME_SIDE, 3))
    seen = changed(frames, torch.full((60,), KINDS.index("negative")), 5).numpy().mean(axis=0)
    assert np.corrcoef(seen.ravel(), chests(60, SIDE, 3).mean(axis=0).ravel())[0, 1] < -0.5


@pytest.mark.parametrize("kind", ["turned left", "upside down", "turned right", "negative"])
def test_other_patients_films_that_hang_wrongly_are_refused_with_their_kind(kind: str) -> None:
    films = chests(60, 128, 9)
    turned = {
        "turned left": np.rot90(films, 1, (1, 2)),
        "upside down": np.rot90(films, 2, (1, 2)),
        "turned right": np.rot90(films, -1, (1, 2)),
        "negative": 1 - films,
    }[kind]
    head, _ = limited()
    excess, kinds = head.excess(head.log_odds(np.ascontiguousarray(turned)[:, np.newaxis]))
    assert ((excess > 1) & (kinds == KINDS.index(kind))).mean() > 0.9


def test_a_mirrored_film_is_warned_of_and_upright_ones_are_not() -> None:
    films = chests(60, 128, 9)[:, np.newaxis]
    head, _ = limited()
    assert head.mirrored(head.log_odds(np.ascontiguousarray(films[..., ::-1]))).mean() > 0.9
    assert head.mirrored(head.log_odds(films)).mean() < 0.05
    assert (head.excess(head.log_odds(films))[0] > 1).mean() < 0.05


def test_a_few_films_of_the_data_that_hang_wrongly_do_not_move_the_limits() -> None:
    held_out = chests(400, SIDE, 2)
    held_out[[7, 90]] = held_out[[7, 90], ::-1, ::-1]
    spoilt, given_up = with_limits(trained(), held_out, Budget(2), Budget(4))
    sound, _ = limited()
    assert np.flatnonzero(given_up).tolist() == [7, 90]
    column = KINDS.index("upside down")
    assert spoilt.limits[column] < sound.limits[column] + 1.0


def test_the_same_films_give_the_same_head_whatever_was_drawn_before() -> None:
    frames = chests(50, FRAME_SIDE, 1)
    first = train_head(frames, steps=3)
    torch.rand(7)
    state = torch.get_rng_state()
    again = train_head(frames, steps=3)
    assert all(np.array_equal(a, b) for a, b in zip(first.arrays().values(), again.arrays().values(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_budget_is_spent_on_the_largest_values_and_on_no_group_too_much() -> None:
    values = np.array([1.0, 9.0, 8.0, 7.0, 2.0, 3.0])
    few = np.array([False, True, True, False, False, False])
    assert np.flatnonzero(Budget(2).spend(values)).tolist() == [1, 2]
    assert np.flatnonzero(Budget(3, {"few": few}, {"few": 1}).spend(values)).tolist() == [1]
    assert not Budget(0).spend(values).any()
    budget = Budget.of(1000, {"few": np.arange(1000) < 50}, (0.005, 0.02))
    assert (budget.everyone, dict(budget.each)) == (5, {"few": 1})
    left = budget.without(np.arange(1000) < 2)
    assert (left.everyone, dict(left.each)) == (3, {"few": 0})


def embeddings(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 20)).astype(np.float32)


def test_the_whole_guard_refuses_no_more_chest_films_than_it_may() -> None:
    held_out, films = embeddings(400, 2), chests(400, SIDE, 2)
    held_out[200:203] += 9
    films[10] = films[10, ::-1]
    groups = {"children": np.arange(400) < 100}
    frames = Frames(chests(200, FRAME_SIDE, 1), films)
    domain = fit_domain(embeddings(600, 1), held_out, np.arange(400), groups, (0.01, 0.02), 8, 50, frames, steps=150)
    assert domain.statistics.pose is not None
    refused = domain.refused(held_out, films[:, np.newaxis])
    assert np.flatnonzero(refused).tolist() == [10, 200, 201, 202]
    assert domain.false_refusal.value == pytest.approx(refused.mean())
    turned = np.ascontiguousarray(films[:, ::-1, ::-1])[:, np.newaxis]
    assert domain.refused(held_out, turned).mean() > 0.9
    assert domain.refused(held_out + 9, films[:, np.newaxis]).all()


@pytest.mark.parametrize("frames", [None, Frames(chests(30, FRAME_SIDE, 1), chests(60, SIDE, 2))])
def test_too_few_held_out_films_give_no_head(frames: Frames | None) -> None:
    domain = fit_domain(embeddings(60, 1), embeddings(60, 2), np.arange(60), {}, (0.005, 0.02), 8, 50, frames)
    assert domain.statistics.pose is None
    assert not domain.refused(embeddings(60, 2), np.zeros((60, 1, SIDE, SIDE), np.float32)).any()


def test_stored_frames_are_shrunk_by_area_and_sampled_with_a_fixed_seed() -> None:
    stored = (chests(30, 128, 4) * 65535).astype(np.uint16)
    small = shrunk(stored, SIDE)
    assert small.shape == (30, SIDE, SIDE)
    assert np.allclose(small, stored.reshape(30, SIDE, 4, SIDE, 4).mean(axis=(2, 4)) / 65535, atol=1e-5)
    assert np.array_equal(shrunk(stored, SIDE, most=7), shrunk(stored, SIDE, most=7))
    assert len(shrunk(stored, SIDE, most=7)) == 7


def test_every_refused_kind_has_a_limit_above_even_odds() -> None:
    head, _ = limited()
    assert all(head.limits[KINDS.index(kind)] > 0 for kind in (*REFUSED, MIRRORED))
