"""Batches made ready in a thread: while the network works on one, the next ones are read, changed and standardised.

torch and numpy let go of Python's lock in their loops, so a thread is enough, and no film is copied between processes.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import torch

from training.config import Augmentation
from training.data.store import pixels_of
from training.fit.augment import augment, standardise
from training.fit.place import Place
from training.fit.plan import Step
from training.fit.sets import TrainingSet

AHEAD = 3


@dataclass(frozen=True)
class Batch:
    """Films (b, 1, S, S) standardised, targets (b, K), weights (b,), sources (b,): this worker's part of a batch.

    `share` is the batch's part of its step; `drawn` is the state of the random changes after it.
    """

    films: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    sources: torch.Tensor
    share: float
    drawn: torch.Tensor
    ready: Any = None

    def to_current_stream(self) -> Batch:
        """Make the GPU's work on this batch wait until it is ready."""
        if self.ready is not None:
            stream = torch.cuda.current_stream()
            stream.wait_event(self.ready)
            for part in (self.films, self.targets, self.weights, self.sources):
                part.record_stream(stream)
        return self


class Prefetch:
    """The batches of `steps` in order; use as a context, then iterate. `waited_seconds` is how long that blocked."""

    def __init__(
        self,
        data: TrainingSet,
        steps: Sequence[Step],
        how: Augmentation,
        min_std: float,
        generator: torch.Generator,
        place: Place,
    ) -> None:
        self._data, self._steps, self._how, self._min_std = data, steps, how, min_std
        self._generator, self._place = generator, place
        self._ready: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="prefetch", daemon=True)
        self.waited_seconds = 0.0

    def __enter__(self) -> Prefetch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def __iter__(self) -> Iterator[tuple[Step, list[Batch]]]:
        for step in self._steps:
            batches = []
            for _ in step.batches:
                started = time.perf_counter()
                found = self._ready.get()
                self.waited_seconds += time.perf_counter() - started
                if isinstance(found, BaseException):
                    raise found
                if found is None:
                    return
                batches.append(found.to_current_stream())
            yield step, batches

    def _put(self, item: Batch | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._ready.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def _work(self) -> None:
        try:
            cuda = self._place.device.type == "cuda"
            stream = torch.cuda.Stream(self._place.device) if cuda else None
            with torch.cuda.stream(stream) if stream is not None else nullcontext():
                for step in self._steps:
                    for films in step.batches:
                        if not self._put(self._make(step, films)):
                            return
        except BaseException as error:
            self._put(error)

    def _make(self, step: Step, films: Any) -> Batch:
        place, data = self._place, self._data
        own = films[place.rank :: place.workers]
        device = place.device
        pixels = torch.from_numpy(pixels_of(np.asarray(data.frames[own])))[:, None].to(device, non_blocking=True)
        changed = standardise(augment(pixels, step.phase.size, self._how, self._generator), self._min_std)
        return Batch(
            films=changed.contiguous(memory_format=torch.channels_last),
            targets=torch.as_tensor(data.targets[own]).to(device),
            weights=torch.as_tensor(data.weights[own]).to(device),
            sources=torch.as_tensor(data.sources[own]).to(device),
            # The mean over workers times their number is the sum: a last batch may fall unequally to them.
            share=len(own) * place.workers / step.films,
            drawn=self._generator.get_state(),
            ready=torch.cuda.current_stream().record_event() if device.type == "cuda" else None,
        )
