"""One network in training: its weights, its averaged weights and its optimiser, one step at a time."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from training.config import BadRecipe, Phase, Recipe
from training.fit.loss import SourceIntercept, masked_loss, positive_weights
from training.fit.place import Place
from training.fit.prefetch import Batch
from training.fit.schedule import Averaged
from training.fit.sets import TrainingSet
from training.network.film_net import FilmNet, warm_start
from training.network.weights import RELEASE, weights_file

# What a checkpoint does not depend on.
_ELSEWHERE: dict[str, Any] = dict.fromkeys(("name", "version", "evaluation", "export", "search"), True)
_PACE = {"checkpoint_every", "threads", "parallel_members", "max_failures", "gpu", "workers"}


def fingerprint_of(data: TrainingSet, recipe: Recipe, member: int) -> str:
    """sha256 of all that the weights of network number `member` depend on."""
    tree = recipe.model_dump(mode="json", exclude=_ELSEWHERE | {"training": _PACE})
    return hashlib.sha256(json.dumps([tree, data.digest, member], sort_keys=True).encode()).hexdigest()


class _Scored(nn.Module):  # type: ignore[misc]
    """Network and intercept as one module, so that workers share the gradients of both."""

    def __init__(self, network: FilmNet, intercept: SourceIntercept) -> None:
        super().__init__()
        self.network, self.intercept = network, intercept

    def forward(self, films: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.network.train_logits(films) + self.intercept(sources))


class Fitting:
    """Everything that changes while network number `member` is trained; raises BadRecipe, NoWeights."""

    def __init__(self, data: TrainingSet, recipe: Recipe, member: int, place: Place) -> None:
        self._training, self._place = recipe.training, place
        self.network = _start(data, recipe, member)
        sources = torch.as_tensor(data.sources)
        self._intercept = SourceIntercept(data.targets, sources, len(data.source_names), recipe.training.source_offset)
        with torch.no_grad():
            self.network.head.weight.mul_(0.1)
            self.network.head.bias.copy_(self._intercept.base)
        if recipe.network.weights.startswith(RELEASE):
            file = weights_file(recipe.network.backbone, recipe.network.weights, member)
            assert file is not None  # noqa: S101 - "release:" is never random
            warm_start(self.network, file, data.findings)
        self.network.add_adapters(recipe.network)
        self.network = self.network.to(place.device, memory_format=torch.channels_last).train()
        self._scored: nn.Module = _Scored(self.network, self._intercept.to(place.device))
        self._shared: nn.Module = self._scored
        self._phase: Phase | None = None
        self._positive = positive_weights(
            data.targets, self._training.positive_weight_power, self._training.positive_weight_limit
        ).to(place.device)
        self._optimiser = _optimiser(self.network, self._intercept, recipe)
        half = self._training.precision == "fp16"
        self._scaler = torch.amp.GradScaler(place.device.type, enabled=half)
        self.averaged = Averaged(self.network, self._training.ema)

    @property
    def learning_rate(self) -> float:
        """The backbone's rate of the last step."""
        return float(self._optimiser.param_groups[0]["lr"])

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self.network.freeze_first(phase.frozen_blocks)
        if self._place.workers > 1:
            # Which weights are shared is settled when it is made, so it is made anew for each phase.
            self._shared = DistributedDataParallel(self._scored, process_group=self._place.group)

    def _arithmetic(self) -> AbstractContextManager[Any]:
        if self._training.precision == "fp32":
            return nullcontext()
        kind = torch.bfloat16 if self._training.precision == "bf16" else torch.float16
        cast: AbstractContextManager[Any] = torch.autocast(self._place.device.type, dtype=kind)
        return cast

    def _loss(self, batch: Batch) -> torch.Tensor:
        with self._arithmetic():
            logits = self._shared(batch.films, batch.sources)
        smoothing = self._training.label_smoothing
        return masked_loss(logits.float(), batch.targets, self._positive, smoothing, batch.weights) * batch.share

    def step(self, phase: Phase, batches: Sequence[Batch], rate: float) -> float:
        """One step of the optimiser over `batches` at `rate` of the peak learning rates; returns the loss.

        A loss that is not finite is returned and changes nothing.
        """
        if phase is not self._phase:
            self._enter(phase)
        for group in self._optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        self._optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._place.device)
        for number, batch in enumerate(batches, start=1):
            last = number == len(batches)
            waiting = nullcontext() if last or self._place.workers == 1 else self._shared.no_sync()
            with waiting:
                loss = self._loss(batch)
                self._scaler.scale(loss).backward()
            total += loss.detach()
        value = self._place.total(total) / self._place.workers
        if not math.isfinite(value):
            return value
        self._scaler.unscale_(self._optimiser)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.averaged.update(self.network)
        return value

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "intercept": self._intercept.state_dict(),
            "averaged": self.averaged.state(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "random": torch.get_rng_state(),
            "random_gpu": torch.cuda.get_rng_state(self._place.device) if self._place.device.type == "cuda" else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(state["network"])
        self._intercept.load_state_dict(state["intercept"])
        self.averaged.restore(state["averaged"])
        self._optimiser.load_state_dict(state["optimiser"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if state["random_gpu"] is not None and self._place.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_gpu"], self._place.device)


def _start(data: TrainingSet, recipe: Recipe, member: int) -> FilmNet:
    network = recipe.network
    later = network.weights.startswith(RELEASE)
    weights = None if later else weights_file(network.backbone, network.weights, member)
    return FilmNet(network.backbone, data.targets.shape[1], network.dropout, network.drop_path, weights, recipe.size)


def _optimiser(network: FilmNet, intercept: SourceIntercept, recipe: Recipe) -> torch.optim.Optimizer:
    training = recipe.training
    network.freeze_first(0)
    backbone = [parameter for parameter in network.backbone.parameters() if parameter.requires_grad]
    if not backbone:
        raise BadRecipe("network.lora leaves nothing of the backbone to learn")
    groups = [
        {"params": [p for p in backbone if p.ndim > 1], "lr": training.learning_rate},
        {"params": [p for p in backbone if p.ndim <= 1], "lr": training.learning_rate, "weight_decay": 0.0},
        {"params": list(network.head.parameters()), "lr": training.head_learning_rate},
        {"params": list(intercept.parameters()), "lr": training.head_learning_rate, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=training.weight_decay)
    for group in optimiser.param_groups:
        group["peak"] = group["lr"]
    return optimiser
