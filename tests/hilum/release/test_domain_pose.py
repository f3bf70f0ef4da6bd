"""How a film hangs: the head's arithmetic, its limits, its place in the domain's file, and what the guard says."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from hilum.release import domain
from hilum.release.pose import KINDS, MIRRORED, REFUSED, SIDE, UPRIGHT, PoseHead, thumbnails

RNG = np.random.default_rng(4)


def random_head(limit: float = 2.0) -> PoseHead:
    def layer(*shape: int) -> tuple[np.ndarray, np.ndarray]:
        weight = RNG.normal(0, 0.3, shape).astype(np.float32)
        return weight, RNG.normal(0, 0.1, shape[0]).astype(np.float32)

    convolutions = (layer(4, 1, 5, 5), layer(6, 4, 3, 3), layer(8, 6, 3, 3))
    return PoseHead(
        convolutions,
        (layer(16, 8 * 16), layer(len(KINDS), 16)),
        np.full(len(KINDS), limit, dtype=np.float32),
    )


def biased_head(kind: str, log_odds: float) -> PoseHead:
    """A head that says `kind` of every film, with `log_odds` against upright."""
    logits = np.full(len(KINDS), -50.0, dtype=np.float32)
    logits[KINDS.index(UPRIGHT)], logits[KINDS.index(kind)] = 0.0, log_odds
    dense = ((np.zeros((len(KINDS), SIDE * SIDE), dtype=np.float32), logits),)
    return PoseHead((), dense, np.full(len(KINDS), 2.0, dtype=np.float32))


def statistics(pose: PoseHead | None) -> domain.DomainStatistics:
    return domain.DomainStatistics(
        np.zeros(4, np.float32), np.eye(2, 4, dtype=np.float32), np.ones(2, np.float32), 1.0, pose
    )


NEAR, FAR_AWAY = np.full((1, 4), 0.5, np.float32), np.full((1, 4), 9.0, np.float32)
FILM = RNG.normal(size=(1, 1, 64, 64)).astype(np.float32)


def test_the_head_in_numpy_is_the_network_in_torch() -> None:
    head, films = random_head(), RNG.normal(size=(5, 1, 128, 128)).astype(np.float32)
    values = torch.from_numpy(thumbnails(films))[:, None]
    for weight, bias in head.convolutions:
        padding = weight.shape[-1] // 2
        values = functional.relu(
            functional.conv2d(values, torch.from_numpy(weight), torch.from_numpy(bias), stride=2, padding=padding)
        )
    hidden = functional.relu(functional.linear(values.flatten(1), *map(torch.from_numpy, head.dense[0])))
    logits = functional.linear(hidden, *map(torch.from_numpy, head.dense[1])).numpy()
    expected = logits - np.logaddexp(logits[:, 0], logits[:, KINDS.index(MIRRORED)])[:, None]
    refused = [KINDS.index(kind) for kind in REFUSED]
    assert np.allclose(head.log_odds(films)[:, refused], expected[:, refused], atol=1e-4)


@pytest.mark.parametrize("side", [32, 64, 128, 100, 224])
def test_a_thumbnail_does_not_depend_on_the_films_size_range_or_brightness(side: int) -> None:
    ramp = np.add.outer(np.linspace(0, 1, side), np.linspace(0, 0.5, side)).astype(np.float32)[None, None]
    small = thumbnails(ramp)
    reference = np.add.outer(np.linspace(0, 1, 32), np.linspace(0, 0.5, 32))
    assert small.shape == (1, SIDE, SIDE)
    assert abs(float(small.mean())) < 1e-5
    assert np.corrcoef(small.ravel(), reference.ravel())[0, 1] > 0.999
    assert np.allclose(thumbnails(ramp * 7 - 3), small, atol=1e-4)


def test_a_flat_film_has_a_thumbnail_of_numbers() -> None:
    assert np.array_equal(thumbnails(np.full((1, 1, 64, 64), 3.0, np.float32)), np.zeros((1, SIDE, SIDE)))


@pytest.mark.parametrize("kind", REFUSED)
def test_a_film_that_hangs_wrongly_is_refused_with_the_reason(kind: str) -> None:
    (judged,) = statistics(biased_head(kind, 3.0)).judge(NEAR, FILM, 1.5)
    assert (judged.kind, judged.reason, judged.mirrored) == (kind, domain.REASONS[kind], False)
    assert judged.score > 1.5


def test_a_film_below_the_limit_is_scored() -> None:
    (judged,) = statistics(biased_head("negative", 1.9)).judge(NEAR, FILM, 1.5)
    assert judged.kind is None
    assert 0 < judged.score < 1.5


def test_a_mirrored_film_is_scored_with_a_warning() -> None:
    (judged,) = statistics(biased_head(MIRRORED, 3.0)).judge(NEAR, FILM, 1.5)
    assert (judged.kind, judged.mirrored) == (None, True)


@pytest.mark.parametrize("pose", [None, biased_head("part", -9.0), biased_head(MIRRORED, 9.0)])
def test_a_film_far_from_all_others_is_refused_however_it_hangs(pose: PoseHead | None) -> None:
    (judged,) = statistics(pose).judge(FAR_AWAY, FILM, 1.5)
    assert (judged.kind, judged.mirrored) == (domain.UNLIKE, False)
    assert judged.score == pytest.approx(float(statistics(None).distances(FAR_AWAY)[0]))


def test_a_distance_that_is_no_number_is_refused() -> None:
    with np.errstate(all="ignore"):
        (judged,) = statistics(None).judge(np.full((1, 4), np.nan, np.float32), FILM, 1.5)
    assert (judged.kind, judged.score) == (domain.UNLIKE, np.inf)


def test_the_score_exceeds_the_threshold_exactly_where_the_film_is_refused() -> None:
    head = random_head()
    whole = statistics(head)
    embeddings = RNG.normal(0, 1.3, (200, 4)).astype(np.float32)
    films = RNG.normal(size=(200, 1, 32, 32)).astype(np.float32)
    # Limits in the middle of what the head says, so that each kind refuses some.
    head.limits[:] = np.maximum(np.quantile(head.log_odds(films), 0.8, axis=0), 0.1)
    judged = whole.judge(embeddings, films, 1.2)
    assert {each.kind is None for each in judged} == {True, False}
    assert all((each.score > 1.2) == (each.kind is not None) for each in judged)


def test_the_head_is_read_back_as_written(tmp_path: Path) -> None:
    whole = statistics(random_head())
    domain.write(whole, tmp_path / "domain.npz")
    back = domain.read(tmp_path / "domain.npz")
    assert back.pose is not None
    assert whole.pose is not None
    assert np.array_equal(back.pose.log_odds(FILM), whole.pose.log_odds(FILM))
    assert np.array_equal(back.pose.limits, whole.pose.limits)


def test_a_file_without_a_head_is_read_as_before(tmp_path: Path) -> None:
    domain.write(statistics(None), tmp_path / "domain.npz")
    assert domain.read(tmp_path / "domain.npz").pose is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pose_limits", np.ones(3, np.float32)),
        ("pose_limits", np.zeros(len(KINDS), np.float32)),
        ("pose_dense_0_weight", np.ones((16, 9), np.float32)),
        ("pose_dense_1_weight", np.full((len(KINDS), 16), np.nan, np.float32)),
        ("pose_convolution_1_weight", np.ones((6, 3, 3, 3), np.float32)),
        ("pose_convolution_0_bias", None),
    ],
)
def test_a_broken_head_is_one_error(name: str, value: np.ndarray | None, tmp_path: Path) -> None:
    domain.write(statistics(random_head()), tmp_path / "domain.npz")
    with np.load(tmp_path / "domain.npz") as arrays:
        broken = {key: arrays[key] for key in arrays.files} | ({} if value is None else {name: value})
    if value is None:
        del broken[name]
    stream = BytesIO()
    np.savez(stream, **broken)
    stream.seek(0)
    with pytest.raises(ValueError, match=r"fit one another|can't be read|not finite"):
        domain.read(stream)
