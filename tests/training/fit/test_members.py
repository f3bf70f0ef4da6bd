"""Members are trained in processes of their own; what goes wrong there is said here."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from training.config import CONFIGS, read_recipe
from training.fit.loop import TrainingSet
from training.fit.members import MemberFailed, train_members

TINY = read_recipe(CONFIGS / "tiny.yaml")


def _data(films: int) -> TrainingSet:
    rng = np.random.default_rng(0)
    return TrainingSet(
        frames=rng.integers(0, 65535, (films, 64, 64), dtype=np.uint16),
        labels=rng.integers(0, 2, (films, 3)).astype(np.int8),
        patients=np.arange(films),
        sources=np.zeros(films, dtype=np.int64),
    )


def test_an_error_in_a_member_is_repeated_with_its_reason(tmp_path: Path) -> None:
    wild = TINY.changed(training__learning_rate=1e30, training__warm_up=0.0)
    with pytest.raises(MemberFailed, match=r"LossNotFinite.*at step"):
        train_members(_data(24), wild, 0.02, tmp_path, lambda *progress: None)
    assert not multiprocessing.active_children()


def test_a_killed_member_ends_the_run_instead_of_hanging_it(tmp_path: Path) -> None:
    def kill_one(member: int, step: int, steps: int, loss: float) -> None:
        for process in multiprocessing.active_children()[:1]:
            process.kill()

    with pytest.raises(MemberFailed, match="ended with exit status -9"):
        train_members(_data(4000), TINY, 0.02, tmp_path, kill_one)
    assert not multiprocessing.active_children()
