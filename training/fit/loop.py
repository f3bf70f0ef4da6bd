"""Fit one network from its first step, or from its last checkpoint, to its last."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from hilum.release import InputSpec
from training.config import BadRecipe, Recipe
from training.fit import checkpoint
from training.fit.events import EpochEnded, Listener, Noted, Stepped, ignore
from training.fit.fitting import Fitting, fingerprint_of
from training.fit.place import Place
from training.fit.plan import Plan, make_plan
from training.fit.prefetch import Prefetch
from training.fit.schedule import learning_rate_at
from training.fit.sets import TrainingSet, ValidationSet
from training.fit.usage import Usage
from training.fit.validate import validation_auroc
from training.network.film_net import FilmNet

Resume = Literal["no", "last", "best"]
_PROFILED = (5, 10)  # steps before the profile starts, and steps in it


class LossNotFinite(RuntimeError):
    """The loss became NaN or infinite; the text names the step and the remedy."""


@dataclass
class _Run:
    """Where a run stands beside the weights."""

    step: int = 0
    smoothed: float = 0.0
    drawn: torch.Tensor | None = None
    best_auroc: float = -math.inf
    best_step: int = 0
    epochs_without: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "best"}


def _checked(recipe: Recipe, validation: ValidationSet | None, place: Place) -> None:
    if recipe.training.precision == "fp16" and place.device.type != "cuda":
        raise BadRecipe('training.precision: "fp16" needs a GPU; say "bf16" or "fp32"')
    if recipe.training.early_stopping is not None and (validation is None or not len(validation.labels)):
        raise BadRecipe("training.early_stopping needs validation films: raise split.validation, or leave it out")


def fit(
    data: TrainingSet,
    recipe: Recipe,
    member: int = 0,
    *,
    validation: ValidationSet | None = None,
    folder: Path | None = None,
    resume: Resume = "last",
    place: Place | None = None,
    listen: Listener = ignore,
    profile: bool = False,
) -> FilmNet:
    """Train network number `member` (seed `recipe.seed + member`) and return its averaged weights, adapters merged.

    With `folder`, checkpoints are written there and `resume` says which is gone on from: the last, the best so far, or
    none. With early stopping the best epoch's weights are returned. `profile` writes a trace of ten steps to `folder`.
    Every worker of `place` calls this alike. Raises LossNotFinite, BadRecipe, NoWeights, BadCheckpoint.
    """
    place = place or Place()
    _checked(recipe, validation, place)
    seed = recipe.seed + member
    torch.manual_seed(seed)
    # Workers see other films of a batch, so they change them otherwise; worker 0 does as a single one would.
    generator = torch.Generator().manual_seed(seed + 1_000_003 * place.rank)
    plan = make_plan(data, recipe, np.random.default_rng(seed))
    fitting, run = Fitting(data, recipe, member, place), _Run()
    if place.rank > 0:
        torch.manual_seed(seed + 1_000_003 * place.rank)
    fingerprint = fingerprint_of(data, recipe, member)
    if folder is not None and resume != "no":
        _restore(folder, resume, fingerprint, fitting, run, generator, place, listen)
        if recipe.training.early_stopping is None:
            run.best = {}
    loop = _Loop(recipe, plan, fitting, run, place, validation, data.findings, folder, fingerprint, listen)
    min_std = InputSpec(height=recipe.data.input_size, width=recipe.data.input_size).min_std
    with ExitStack() as stack:
        profiler = stack.enter_context(_profiler(place)) if profile and folder is not None else None
        steps = plan.steps[run.step :]
        batches = stack.enter_context(Prefetch(data, steps, recipe.augmentation, min_std, generator, place))
        for step, ready in batches:
            loss = fitting.step(step.phase, ready, learning_rate_at(run.step, len(plan.steps), recipe.training.warm_up))
            run.drawn = ready[-1].drawn
            loop.after(loss, step.films, step.phase.size, batches)
            if profiler is not None:
                profiler.step()
            if loop.stopped:
                break
    if profiler is not None and folder is not None and place.rank == 0:
        folder.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(folder / "trace.json"))
        listen(Noted(f"profile: {folder / 'trace.json'} (open it at ui.perfetto.dev or chrome://tracing)"))
    return _final(fitting, run)


def _final(fitting: Fitting, run: _Run) -> FilmNet:
    network = fitting.averaged.network
    if run.best:
        network.load_state_dict(run.best)
    network.merge_adapters()
    network.freeze_first(0)
    final: FilmNet = network.to("cpu", memory_format=torch.contiguous_format)
    final.eval()
    return final


def _profiler(place: Place) -> Any:
    activities = [torch.profiler.ProfilerActivity.CPU]
    if place.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    before, steps = _PROFILED
    return torch.profiler.profile(
        activities=activities, schedule=torch.profiler.schedule(wait=before - 1, warmup=1, active=steps, repeat=1)
    )


def _restore(
    folder: Path,
    resume: Resume,
    fingerprint: str,
    fitting: Fitting,
    run: _Run,
    generator: torch.Generator,
    place: Place,
    listen: Listener,
) -> None:
    best = checkpoint.read(folder / checkpoint.BEST, fingerprint)
    state = best if resume == "best" else checkpoint.read(folder / checkpoint.LAST, fingerprint)
    if state is None:
        return
    fitting.restore(state)
    for name, value in state["run"].items():
        setattr(run, name, value)
    if run.best_step and best is not None:
        run.best = best["averaged"]["network"]
    if run.drawn is not None and place.rank == 0:
        generator.set_state(run.drawn)
    elif place.rank > 0:
        # Only worker 0's state is kept: the others draw anew, by the step they go on from.
        generator.manual_seed(generator.initial_seed() + 7_919 * run.step)
    listen(Noted(f"goes on from step {run.step}"))


class _Loop:
    """What is done after each step: report, validate at an epoch's end, stop early, write checkpoints."""

    def __init__(
        self,
        recipe: Recipe,
        plan: Plan,
        fitting: Fitting,
        run: _Run,
        place: Place,
        validation: ValidationSet | None,
        findings: tuple[str, ...],
        folder: Path | None,
        fingerprint: str,
        listen: Listener,
    ) -> None:
        self._recipe, self._plan, self._fitting, self._run, self._place = recipe, plan, fitting, run, place
        self._validation, self._findings, self._folder = validation, findings, folder
        self._fingerprint, self._listen = fingerprint, listen
        self._usage = Usage(place.device)
        self._films, self._started, self._waited = 0, time.perf_counter(), 0.0
        self.stopped = False

    def after(self, loss: float, films: int, size: int, batches: Prefetch) -> None:
        """Account for one step; raises LossNotFinite."""
        run, steps = self._run, len(self._plan.steps)
        if not math.isfinite(loss):
            raise LossNotFinite(
                f"the loss is {loss} at step {run.step} of {steps}: lower training.learning_rate "
                f"(now {self._recipe.training.learning_rate:g})"
                + (', or say training.precision: "bf16"' if self._recipe.training.precision == "fp16" else "")
            )
        run.smoothed = loss if run.step == 0 else 0.98 * run.smoothed + 0.02 * loss
        run.step += 1
        self._films += films
        self._listen(Stepped(run.step, steps, run.smoothed))
        if (epoch := self._plan.epochs.get(run.step)) is not None:
            self._end_epoch(epoch, size, batches)
        if run.step in self._plan.checkpoints:
            self._write(checkpoint.LAST)

    def _end_epoch(self, epoch: int, size: int, batches: Prefetch) -> None:
        seconds, waited = time.perf_counter() - self._started, batches.waited_seconds - self._waited
        figures = {
            "loss": self._run.smoothed,
            "learning_rate": self._fitting.learning_rate,
            "films_per_second": self._films / seconds,
            "epoch_seconds": seconds,
            "waiting_for_data_share": waited / seconds,
        } | self._usage.figures()
        if self._validation is not None and len(self._validation.labels):
            better = self._place.rank == 0 and self._validate(self._validation, size, figures)
            if self._place.agreed(better):
                self._write(checkpoint.BEST)
            early = self._recipe.training.early_stopping
            patience = early is not None and self._run.epochs_without >= early.patience
            self.stopped = self._place.agreed(patience)
        self._listen(EpochEnded(epoch, self._run.step, figures))
        if self.stopped:
            self._listen(Noted(f"stopped after epoch {epoch}: no gain; the weights of step {self._run.best_step} stay"))
        self._films, self._started, self._waited = 0, time.perf_counter(), batches.waited_seconds

    def _validate(self, validation: ValidationSet, size: int, figures: dict[str, float]) -> bool:
        run, early = self._run, self._recipe.training.early_stopping
        started = time.perf_counter()
        network = self._fitting.averaged.network
        each = validation_auroc(network, validation, size, self._min_std(), self._place.device)
        figures |= {f"auroc/{n}": float(v) for n, v in zip(self._findings, each, strict=True) if math.isfinite(v)}
        figures["validation_seconds"] = time.perf_counter() - started
        if np.isnan(each).all():
            return False
        mean = figures["auroc"] = float(np.nanmean(each))
        better = mean > run.best_auroc + (early.minimum_gain if early else 0.0)
        run.epochs_without = 0 if better else run.epochs_without + 1
        if better:
            run.best_auroc, run.best_step = mean, run.step
            if early is not None:
                run.best = {name: value.clone() for name, value in network.state_dict().items()}
        return better

    def _min_std(self) -> float:
        side = self._recipe.data.input_size
        return InputSpec(height=side, width=side).min_std

    def _write(self, name: str) -> None:
        if self._folder is None or self._place.rank != 0:
            return
        state = self._fitting.state() | {"run": self._run.state(), "fingerprint": self._fingerprint}
        try:
            checkpoint.write(self._folder / name, state)
        except checkpoint.NotWritten as error:
            self._listen(Noted(f"checkpoint {error}; training goes on, and the last good checkpoint stands"))
