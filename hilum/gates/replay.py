"""Both served endpoints asked the same films in turn: what they answered, and how long each took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np

from hilum.clients.inference import InferenceClient, Refused, Unavailable
from hilum.gates.film_set import FilmSet, LabelledFilm
from hilum.gates.sequential import Array
from hilum.gates.technical import Times
from hilum.wire import ModelInfo, Prediction

TRIES = 3
# Films at once where the service does not say how many it takes.
LEAST_AT_ONCE = 4


@dataclass
class Side:
    """One endpoint's answers: `scores` (N, K) in the order of `findings`, NaN where a film was not scored.

    `margin` (N,): acute margin in logits. `seconds`: of each answered request. `failed` of `asked` requests had no
    answer although the film could be answered (5xx, no connection). `company`: by how much the probabilities of a film
    sent beside others differed at most from those that it had alone, one a film.
    """

    info: ModelInfo
    findings: tuple[str, ...]
    scores: Array
    margin: Array
    seconds: list[float] = field(default_factory=list)
    asked: int = 0
    failed: int = 0
    blocks: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    company: list[float] = field(default_factory=list)

    @property
    def times(self) -> Times | None:
        """Mean and spread of the answered requests."""
        if len(self.seconds) < 2:
            return None
        seconds = np.array(self.seconds)
        return Times(len(seconds), float(seconds.mean()), float((seconds**2).mean()))

    @property
    def alert(self) -> Array:
        """Alert points (K,)."""
        points = {f.name: f.alert for f in self.info.findings}
        return np.array([points[name] for name in self.findings])


def empty_side(info: ModelInfo, findings: tuple[str, ...], count: int) -> Side:
    """A side before the first film."""
    return Side(info, findings, np.full((count, len(findings)), np.nan), np.full(count, np.nan))


def shared_findings(active: ModelInfo, candidate: ModelInfo) -> tuple[str, ...]:
    """Findings that both established, in the active release's order."""
    theirs = {f.name for f in candidate.findings if f.established}
    return tuple(f.name for f in active.findings if f.established and f.name in theirs)


async def replay(
    clients: tuple[InferenceClient, InferenceClient],
    sides: tuple[Side, Side],
    films: FilmSet,
    requests: int,
    sample_memory: Callable[[], Awaitable[None]],
) -> None:
    """Ask each film of both, the first asked changing from film to film; go round again until `requests` are made.

    The first round's answers are kept. Both sides see the same films under the same load, so that what the machine does
    meanwhile befalls both. Memory is sampled ten times.
    """
    count = len(films.films)
    total = max(count, requests)
    # The first film of a process pays for what is loaded late.
    done = 0
    every = max(1, total // 10)
    while done < total:
        for at, (_, data) in enumerate(films.bytes_of()):
            if done >= total:
                break
            for which in (0, 1) if done % 2 == 0 else (1, 0):
                await _one(clients[which], sides[which], data, at, first=done < count)
            done += 1
            if done % every == 0:
                await sample_memory()


async def _one(client: InferenceClient, side: Side, data: bytes, at: int, *, first: bool) -> None:
    side.asked += 1
    began = time.perf_counter()
    try:
        answer = await client.predict(data)
    except Refused:
        return
    except Unavailable:
        side.failed += 1
        if first:
            await _again(client, side, data, at)
        return
    side.seconds.append(time.perf_counter() - began)
    if first:
        _keep(side, answer, at)


async def _again(client: InferenceClient, side: Side, data: bytes, at: int) -> None:
    """A film that failed is asked again, so that a hiccup is counted as an error and not as a missing score."""
    for _ in range(TRIES):
        await asyncio.sleep(0.2)
        try:
            _keep(side, await client.predict(data), at)
        except Unavailable:
            continue
        except Refused:
            return
        return


def _keep(side: Side, answer: Prediction, at: int) -> None:
    given = {f.name: f.probability for f in answer.findings}
    if given:
        side.scores[at] = [given.get(name, np.nan) for name in side.findings]
        side.margin[at] = np.nan if answer.acute_margin is None else answer.acute_margin


async def throughput(
    clients: tuple[InferenceClient, InferenceClient],
    sides: tuple[Side, Side],
    films: FilmSet,
    at_once: int = LEAST_AT_ONCE,
    rounds: int = 6,
) -> None:
    """Blocks of films sent `at_once` at a time, to one side after the other: seconds per block.

    What fails only here, or is answered otherwise than alone, is a fault that a film at a time does not show.
    """
    data = list(enumerate(one for _, one in films.bytes_of()))[: max(16, 2 * at_once)]
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            began = time.perf_counter()
            gate = asyncio.Semaphore(at_once)

            async def send(at: int, one: bytes, which: int = which, gate: asyncio.Semaphore = gate) -> None:
                async with gate:
                    await _beside_others(clients[which], sides[which], one, at)

            await asyncio.gather(*(send(at, one) for at, one in data))
            sides[which].blocks.append(time.perf_counter() - began)


async def _beside_others(client: InferenceClient, side: Side, data: bytes, at: int) -> None:
    side.asked += 1
    try:
        answer = await client.predict(data)
    except Unavailable:
        side.failed += 1
        return
    except Refused:
        return
    given = {f.name: f.probability for f in answer.findings}
    if given and np.isfinite(side.scores[at]).all():
        beside = np.array([given.get(name, np.nan) for name in side.findings])
        side.company.append(float(np.abs(beside - side.scores[at]).max()))


def labels_of(films: FilmSet, findings: tuple[str, ...]) -> Array:
    """(N, K): 1, 0, or NaN where nobody knows."""
    return np.array([[_label(f, name) for name in findings] for f in films.films], dtype=np.float64)


def _label(film: LabelledFilm, name: str) -> float:
    return float(film.labels.get(name, np.nan))
