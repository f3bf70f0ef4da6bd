"""The out-of-domain distance."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from hilum.release import domain


@pytest.fixture
def statistics() -> domain.DomainStatistics:
    rng = np.random.default_rng(1)
    basis = rng.normal(size=(12, 40))
    films = rng.normal(size=(600, 12)) @ basis + 0.05 * rng.normal(size=(600, 40))
    return domain.fit(films.astype(np.float32), components=12)


def alike(count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    basis = rng.normal(size=(12, 40))
    rng = np.random.default_rng(2)
    return np.asarray(rng.normal(size=(count, 12)) @ basis + 0.05 * rng.normal(size=(count, 40)), dtype=np.float32)


def test_a_typical_film_lies_at_about_one(statistics: domain.DomainStatistics) -> None:
    distances = statistics.distances(alike(500))
    assert distances.shape == (500,)
    assert 0.8 < float(np.median(distances)) < 1.2


def test_a_film_off_the_learnt_directions_lies_far_away(statistics: domain.DomainStatistics) -> None:
    strange = np.random.default_rng(3).normal(size=(50, 40)).astype(np.float32) * 3
    assert statistics.distances(strange).min() > 3 * statistics.distances(alike(500)).max()


def test_a_film_far_along_a_learnt_direction_is_seen_too(statistics: domain.DomainStatistics) -> None:
    far = statistics.mean + 20 * statistics.scale[0] * statistics.components[0]
    assert statistics.distances(far[np.newaxis])[0] > 3


def test_statistics_are_read_back_as_written(statistics: domain.DomainStatistics, tmp_path: Path) -> None:
    domain.write(statistics, tmp_path / "domain.npz")
    films = alike(5)
    read = domain.read(tmp_path / "domain.npz")
    assert np.array_equal(read.distances(films), statistics.distances(films))
    assert np.array_equal(
        domain.read(BytesIO((tmp_path / "domain.npz").read_bytes())).distances(films), statistics.distances(films)
    )


def bad_files(statistics: domain.DomainStatistics) -> dict[str, bytes]:
    def npz(**arrays: object) -> bytes:
        stream = BytesIO()
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        return stream.getvalue()

    whole = {"mean": statistics.mean, "components": statistics.components, "scale": statistics.scale}
    return {
        "empty": b"",
        "text": b"hello",
        "torn zip": npz(**whole, residual_scale=1.0)[:200],
        "an array missing": npz(**whole),
        "pickled": npz(mean=np.array([object()], dtype=object), components=1, scale=1, residual_scale=1),
        "shapes": npz(
            mean=statistics.mean[:5], components=statistics.components, scale=statistics.scale, residual_scale=1
        ),
    }


@pytest.mark.parametrize("defect", ["empty", "text", "torn zip", "an array missing", "pickled", "shapes"])
def test_broken_statistics_are_one_error(statistics: domain.DomainStatistics, defect: str) -> None:
    with pytest.raises(ValueError, match=r"read|fit|pickle|load"):
        domain.read(BytesIO(bad_files(statistics)[defect]))
