"""Fitting one network: the loss falls, seeds hold, steps are planned, resumed runs end where whole ones do."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.fit.sets import NOTHING, TINY, learnable_set, random_set, validation_of
from training.config import BadRecipe, Recipe
from training.fit import checkpoint
from training.fit.events import EpochEnded, Event, Noted, Stepped
from training.fit.loop import LossNotFinite, fit

LEARNABLE = TINY.changed(
    data__films_per_patient=99,
    augmentation=NOTHING.model_dump(),
    training__label_smoothing=0.0,
    training__phases=[{"epochs": 6, "size": 64}],
)


class Killed(RuntimeError):
    """Stands for the end of a process in the middle of a run."""


def same(first: torch.nn.Module, second: torch.nn.Module, atol: float = 0.0) -> bool:
    theirs = second.state_dict()
    return all(torch.allclose(value, theirs[name], atol=atol, rtol=0) for name, value in first.state_dict().items())


def test_the_loss_falls_on_films_that_can_be_learnt() -> None:
    losses: list[float] = []
    fit(learnable_set(), LEARNABLE, listen=lambda e: losses.append(e.loss) if isinstance(e, Stepped) else None)
    assert losses[-1] < 0.75 * losses[0]


def test_the_same_seed_trains_the_same_network() -> None:
    first, second, third = (fit(random_set(), TINY, member).head.weight for member in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_step_and_remedy() -> None:
    with pytest.raises(LossNotFinite, match=r"at step \d+ of \d+: lower training\.learning_rate"):
        fit(random_set(), TINY.changed(training__learning_rate=1e30, training__warm_up=0.0))


def test_a_run_killed_between_checkpoints_ends_with_the_weights_of_a_whole_run(tmp_path: Path) -> None:
    recipe = TINY.changed(training__phases=[{"epochs": 4, "size": 64}])
    steps: list[int] = []

    def kill_at_eight(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 8:
            raise Killed

    whole = fit(random_set(), recipe, validation=validation_of(random_set()))
    with pytest.raises(Killed):
        fit(random_set(), recipe, validation=validation_of(random_set()), folder=tmp_path, listen=kill_at_eight)

    def note(event: Event) -> None:
        if isinstance(event, Stepped):
            steps.append(event.step)

    resumed = fit(random_set(), recipe, validation=validation_of(random_set()), folder=tmp_path, listen=note)
    assert 0 < steps[0] - 1 < 8
    assert steps == list(range(steps[0], 13))
    assert same(whole, resumed)


def test_a_run_can_go_on_from_its_best_checkpoint(tmp_path: Path) -> None:
    recipe = LEARNABLE.changed(training__early_stopping={"patience": 9, "minimum_gain": 0.01})
    data = learnable_set(24)
    fit(data, recipe, validation=validation_of(data), folder=tmp_path)
    best = torch.load(tmp_path / checkpoint.BEST, weights_only=True)["run"]["step"]
    last = torch.load(tmp_path / checkpoint.LAST, weights_only=True)["run"]["step"]
    assert best < last
    notes: list[str] = []
    fit(
        data,
        recipe,
        validation=validation_of(data),
        folder=tmp_path,
        resume="best",
        listen=lambda e: notes.append(e.text) if isinstance(e, Noted) else None,
    )
    assert f"goes on from step {best}" in notes


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    fit(random_set(), TINY, folder=tmp_path)
    with pytest.raises(checkpoint.BadCheckpoint, match="another recipe or other data"):
        fit(random_set(), TINY.changed(training__weight_decay=0.5), folder=tmp_path)


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """The kernel refuses to let any file grow beyond `limit` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_training_goes_on_with_the_last_good_checkpoint_when_the_disk_is_full(tmp_path: Path) -> None:
    recipe = TINY.changed(training__phases=[{"epochs": 2, "size": 64}])
    notes: list[str] = []

    def kill_at_four(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 4:
            raise Killed

    with pytest.raises(Killed):
        fit(random_set(), recipe, folder=tmp_path, listen=kill_at_four)
    good = (tmp_path / checkpoint.LAST).read_bytes()
    with full_disk(100_000):
        fit(
            random_set(),
            recipe,
            folder=tmp_path,
            listen=lambda e: notes.append(e.text) if isinstance(e, Noted) else None,
        )
    assert any(re.search(r"last\.pt was not written, \d+ MiB are free: .*; training goes on", n) for n in notes), notes
    assert (tmp_path / checkpoint.LAST).read_bytes() == good
    assert not list(tmp_path.glob(".*.part"))


def test_early_stopping_ends_the_run_and_keeps_the_best_weights(tmp_path: Path) -> None:
    recipe = LEARNABLE.changed(
        training__phases=[{"epochs": 12, "size": 64}], training__early_stopping={"patience": 2, "minimum_gain": 0.001}
    )
    data = learnable_set(24)
    epochs: list[EpochEnded] = []
    network = fit(
        data,
        recipe,
        validation=validation_of(data),
        folder=tmp_path,
        listen=lambda e: epochs.append(e) if isinstance(e, EpochEnded) else None,
    )
    scores = [epoch.figures["auroc"] for epoch in epochs]
    assert len(scores) < 12
    assert max(scores[:-2]) >= max(scores[-2:])
    best = torch.load(tmp_path / checkpoint.BEST, weights_only=True)["averaged"]["network"]
    assert torch.equal(network.state_dict()["head.weight"], best["head.weight"])


def test_early_stopping_without_validation_films_is_refused() -> None:
    with pytest.raises(BadRecipe, match=r"split\.validation"):
        fit(random_set(), TINY.changed(training__early_stopping={"patience": 1}))


def test_an_epoch_reports_pace_waiting_use_and_auroc_per_finding() -> None:
    events: list[Event] = []
    fit(random_set(), TINY, validation=validation_of(random_set()), listen=events.append)
    (epoch,) = [event for event in events if isinstance(event, EpochEnded)]
    wanted = {"loss", "learning_rate", "films_per_second", "waiting_for_data_share", "auroc", "auroc/Effusion"}
    assert wanted | {"system/process_cpu_percent", "system/process_memory_mib"} <= set(epoch.figures)
    assert 0 <= epoch.figures["waiting_for_data_share"] <= 1


def layer_normed(recipe: Recipe) -> Recipe:
    """A network without batch statistics or chance, so that the way a batch is cut makes no difference."""
    return recipe.changed(
        network__backbone="test_convnext",
        network__dropout=0.0,
        network__drop_path=0.0,
        data__films_per_patient=99,
        augmentation=NOTHING.model_dump(),
    )


def test_accumulated_batches_make_the_step_of_one_large_batch() -> None:
    recipe = layer_normed(TINY)
    large = fit(random_set(30), recipe.changed(training__batch=16))
    small = fit(random_set(30), recipe.changed(training__batch=4, training__accumulate=4))
    other = fit(random_set(30), recipe.changed(training__batch=4))
    assert same(large, small, atol=1e-4)
    assert not same(large, other, atol=1e-4)


def test_bfloat16_trains_and_gives_finite_single_precision_weights() -> None:
    network = fit(random_set(), TINY.changed(training__precision="bf16"))
    assert network.head.weight.dtype == torch.float32
    assert torch.isfinite(network.head.weight).all()


def test_fp16_without_a_gpu_is_refused_with_the_remedy() -> None:
    with pytest.raises(BadRecipe, match="bf16"):
        fit(random_set(), TINY.changed(training__precision="fp16"))


def test_a_film_of_weight_nought_teaches_nothing() -> None:
    data, wrong = random_set(), random_set()
    data.weights[::3] = wrong.weights[::3] = 0.0
    wrong.targets[::3] = 1 - wrong.targets[::3]
    plain = TINY.changed(training__positive_weight_power=0.0, training__source_offset=False)
    first, second = (fit(each, plain).head.weight for each in (data, wrong))
    assert torch.allclose(first, second, atol=2e-2)


def test_a_profile_writes_a_trace(tmp_path: Path) -> None:
    recipe = TINY.changed(training__phases=[{"epochs": 7, "size": 64}])
    fit(random_set(), recipe, folder=tmp_path, profile=True)
    assert "conv2d" in (tmp_path / "trace.json").read_text(encoding="utf-8")


def test_films_of_noise_have_a_validation_score_near_one_half() -> None:
    events: list[Event] = []
    validation = validation_of(random_set(200))
    rng = np.random.default_rng(9)
    validation.labels[:] = rng.integers(0, 2, validation.labels.shape)
    fit(random_set(), TINY, validation=validation, listen=events.append)
    (epoch,) = [event for event in events if isinstance(event, EpochEnded)]
    assert 0.35 < epoch.figures["auroc"] < 0.65
