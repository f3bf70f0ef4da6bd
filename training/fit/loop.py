"""Fit one network: AdamW, warm-up and cosine, averaged weights, phases of growing size and frozen early blocks."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from training.config import Phase, Recipe
from training.data.manifest import Film, label_matrix, patients_of
from training.data.store import Store, pixels_of
from training.fit.augment import augment, standardise
from training.fit.loss import SourceIntercept, masked_loss, positive_weights
from training.network.film_net import FilmNet, imagenet_weights

SOURCES = ("nih", "kermany")
Indices = npt.NDArray[np.int64]


class LossNotFinite(RuntimeError):
    """The loss became NaN or infinite; the text names the step."""


@dataclass(frozen=True)
class TrainingSet:
    """Films of the training split with their frames (N, H, W), labels (N, K), patients (N,) and sources (N,)."""

    frames: Store
    labels: npt.NDArray[np.int8]
    patients: Indices
    sources: Indices

    @staticmethod
    def of(films: Sequence[Film], frames: Store) -> TrainingSet:
        """Gather `films` and their `frames`."""
        sources = np.array([SOURCES.index(film.source) for film in films], dtype=np.int64)
        return TrainingSet(frames, label_matrix(films), patients_of(films), sources)


def draw_epoch(data: TrainingSet, recipe: Recipe, rng: np.random.Generator) -> Indices:
    """A shuffled epoch: at most `films_per_patient` films of a patient, at most `films` of a source.

    A patient followed up 137 times would else weigh as much as 137 patients.
    """
    order = rng.permutation(len(data.labels))
    rank = np.empty(len(order), dtype=np.int64)
    by_patient = np.argsort(data.patients[order], kind="stable")
    sorted_patients = data.patients[order][by_patient]
    starts = np.flatnonzero(np.r_[True, sorted_patients[1:] != sorted_patients[:-1]])
    counts = np.diff(np.r_[starts, len(order)])
    rank[by_patient] = np.arange(len(order)) - np.repeat(starts, counts)
    kept = order[rank < recipe.data.films_per_patient]
    caps: dict[str, int | None] = {source.kind: source.films for source in recipe.data.sources}
    parts = [kept[data.sources[kept] == number][: caps.get(name)] for number, name in enumerate(SOURCES)]
    return np.asarray(rng.permutation(np.concatenate(parts)))


def learning_rate_at(step: int, steps: int, warm_up: float) -> float:
    """Share of the peak rate: linear warm-up over the first `warm_up` share of steps, then a cosine to 1 %."""
    rising = max(1, int(steps * warm_up))
    if step < rising:
        return (step + 1) / rising
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class Averaged:
    """Exponential moving average of a network's weights and of its batch-norm statistics."""

    def __init__(self, network: FilmNet, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.decay = decay
        self.steps = 0

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def update(self, network: FilmNet) -> None:
        """Draw the average towards `network`; early on the average is short, so that the start is forgotten."""
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        theirs = network.state_dict()
        for name, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                value.lerp_(theirs[name], 1 - keep)


def _optimiser(network: FilmNet, intercept: SourceIntercept, recipe: Recipe) -> torch.optim.Optimizer:
    backbone = list(network.backbone.parameters())
    groups = [
        {"params": [p for p in backbone if p.ndim > 1], "lr": recipe.training.learning_rate},
        {"params": [p for p in backbone if p.ndim <= 1], "lr": recipe.training.learning_rate, "weight_decay": 0.0},
        {"params": list(network.head.parameters()), "lr": recipe.training.head_learning_rate},
        {"params": list(intercept.parameters()), "lr": recipe.training.head_learning_rate, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.training.weight_decay)
    for group in optimiser.param_groups:
        group["peak"] = group["lr"]
    return optimiser


def _batches(data: TrainingSet, recipe: Recipe, rng: np.random.Generator) -> list[tuple[Phase, Indices]]:
    batches = []
    for phase in recipe.training.phases:
        films = np.concatenate([draw_epoch(data, recipe, rng) for _ in range(math.ceil(phase.epochs))])
        films = films[: max(2, int(len(films) * phase.epochs / math.ceil(phase.epochs)))]
        cuts = range(0, len(films), recipe.training.batch)
        # A last batch of one film has no batch statistics.
        batches += [(phase, films[c : c + recipe.training.batch]) for c in cuts if len(films) - c > 1]
    return batches


def fit(
    data: TrainingSet,
    recipe: Recipe,
    seed: int,
    min_std: float,
    report: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    watch: Callable[[int, int, FilmNet], None] = lambda step, steps, network: None,
) -> FilmNet:
    """Train one network and return its averaged weights.

    After each step `report` gets step, steps and smoothed loss, `watch` gets step, steps and the averaged network.
    Raises LossNotFinite.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    weights = imagenet_weights(recipe.network.backbone) if recipe.network.weights == "imagenet" else None
    network = FilmNet(
        recipe.network.backbone, data.labels.shape[1], recipe.network.dropout, recipe.network.drop_path, weights
    )
    network = network.to(memory_format=torch.channels_last).train()
    intercept = SourceIntercept(data.labels, torch.as_tensor(data.sources), len(SOURCES))
    with torch.no_grad():
        network.head.weight.mul_(0.1)
        network.head.bias.copy_(intercept.base)
    positive = positive_weights(
        data.labels, recipe.training.positive_weight_power, recipe.training.positive_weight_limit
    )
    optimiser = _optimiser(network, intercept, recipe)
    averaged = Averaged(network, recipe.training.ema)
    batches = _batches(data, recipe, rng)
    smoothed = 0.0
    for step, (phase, films) in enumerate(batches):
        network.freeze_first(phase.frozen_blocks)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * learning_rate_at(step, len(batches), recipe.training.warm_up)
        pixels = torch.from_numpy(pixels_of(data.frames[films]))[:, None]
        batch = standardise(augment(pixels, phase.size, recipe.augmentation, generator), min_std)
        logits = network.train_logits(batch.contiguous(memory_format=torch.channels_last))
        logits = logits + intercept(torch.as_tensor(data.sources[films]))
        loss = masked_loss(logits, torch.as_tensor(data.labels[films]), positive, recipe.training.label_smoothing)
        if not torch.isfinite(loss):
            raise LossNotFinite(f"the loss is {loss.item()} at step {step} of {len(batches)}: lower learning_rate")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        averaged.update(network)
        smoothed = loss.item() if step == 0 else 0.98 * smoothed + 0.02 * loss.item()
        report(step + 1, len(batches), smoothed)
        watch(step + 1, len(batches), averaged.network)
    averaged.network.freeze_first(0)
    final: FilmNet = averaged.network.to(memory_format=torch.contiguous_format)
    return final
