"""Train the members of an ensemble side by side, one process with one thread each.

Two processes of one thread give more films a second than one of two threads, above all on cores that others use: nobody
waits at a barrier for a thread that was sent off its core.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from training.config import Recipe
from training.fit.loop import TrainingSet, fit
from training.network.film_net import FilmNet

# glibc gives freed blocks back to the kernel and faults them in again at each step; keeping them is 1.3 times as fast.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
REPORT_EVERY = 10


class MemberFailed(RuntimeError):
    """A training process ended with an error; its text is repeated."""


def _train(member: int, data: TrainingSet, recipe: Recipe, min_std: float, out: Path, messages: Any) -> None:
    torch.set_num_threads(1)

    def report(step: int, steps: int, loss: float) -> None:
        if step % REPORT_EVERY == 0 or step == steps:
            messages.put((member, step, steps, loss))

    try:
        network = fit(data, recipe, recipe.seed + member, min_std, report)
        torch.save(network.state_dict(), out)
        messages.put((member, "done", 0, 0.0))
    except Exception as error:
        messages.put((member, "failed", 0, f"{type(error).__name__}: {error}"))
        raise


def train_members(
    data: TrainingSet,
    recipe: Recipe,
    min_std: float,
    scratch: Path,
    report: Callable[[int, int, int, float], None],
) -> list[FilmNet]:
    """Train `recipe.network.members` networks; `report` gets member, step, steps and loss. Raises MemberFailed."""
    os.environ.update(_KEEP_MEMORY)
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    files = [scratch / f"member{n}.pt" for n in range(recipe.network.members)]
    processes = [
        context.Process(target=_train, args=(n, data, recipe, min_std, file, messages), daemon=True)
        for n, file in enumerate(files)
    ]
    for process in processes:
        process.start()
    try:
        _follow(processes, messages, report)
    finally:
        for process in processes:
            process.terminate()
            process.join()
    networks = []
    for file in files:
        network = FilmNet(recipe.network.backbone, data.labels.shape[1], recipe.network.dropout, 0.0, None)
        network.load_state_dict(torch.load(file, weights_only=True))
        networks.append(network.eval())
    return networks


def _follow(processes: Sequence[BaseProcess], messages: Any, report: Callable[[int, int, int, float], None]) -> None:
    done: set[int] = set()
    while len(done) < len(processes):
        try:
            member, step, steps, loss = messages.get(timeout=2)
        except queue.Empty:
            for number, process in enumerate(processes):
                if number not in done and process.exitcode is not None:
                    raise MemberFailed(f"member {number} ended with exit status {process.exitcode}") from None
            continue
        if step == "failed":
            raise MemberFailed(f"member {member}: {loss}")
        if step == "done":
            done.add(member)
        else:
            report(member, step, steps, loss)
