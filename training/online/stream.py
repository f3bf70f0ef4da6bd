"""Send films at their time, keep every answer, never stop at a bad one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hilum.clients.inference import InferenceClient, Refused, Unavailable
from hilum.wire import Prediction
from training.online.films import LabelledFilm
from training.online.results import Outcome, Result

ATTEMPTS = 4
WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Pace:
    """`times`: seconds at which films come, divided by `speed_up`; at most `at_once` wait for their answers."""

    times: Iterator[float]
    speed_up: float = 1.0
    at_once: int = 16


async def stream(
    client: InferenceClient, films: list[LabelledFilm], pace: Pace, keep: Callable[[Result], None]
) -> None:
    """Send `films` in order; `keep` gets each result as it comes, from this thread.

    A service that is behind is not flooded: the next film waits until one of `at_once` is answered, as a sender does.
    """
    free = asyncio.Semaphore(pace.at_once)
    start = time.monotonic()

    async def one(film: LabelledFilm) -> None:
        try:
            keep(await ask(client, film))
        finally:
            free.release()

    async with asyncio.TaskGroup() as group:
        for film, at in zip(films, pace.times, strict=False):
            await asyncio.sleep(max(0.0, start + at / pace.speed_up - time.monotonic()))
            await free.acquire()
            group.create_task(one(film))


async def ask(client: InferenceClient, film: LabelledFilm) -> Result:
    """One film's result; away means ask again a few times."""
    begun = time.monotonic()

    def result(outcome: Outcome, reason: str = "", answer: Prediction | None = None) -> Result:
        findings = answer.findings if answer is not None else []
        return Result(
            film=film.key,
            dataset=film.dataset,
            outcome=outcome,
            reason=reason,
            release=answer.release.digest if answer is not None else "",
            labels=film.labels,
            probabilities={each.name: each.probability for each in findings},
            present=tuple(each.name for each in findings if each.present),
            seconds=round(time.monotonic() - begun, 4),
        )

    try:
        data = await asyncio.to_thread(film.path.read_bytes)
    except OSError as error:
        return result("unreadable", error.strerror or type(error).__name__)
    last = ""
    for attempt in range(ATTEMPTS):
        try:
            answer = await client.predict(data, film.path.name)
        except Refused as error:
            kind: Outcome = "not_scorable" if error.kind == "not-scorable" else "refused"
            return result(kind, f"{error.kind or error.status}: {error.detail}"[:300])
        except Unavailable as error:
            last = error.detail
            if attempt < ATTEMPTS - 1:
                wait = error.retry_after_seconds or WAIT_SECONDS * 2**attempt
                await asyncio.sleep(min(wait, LONGEST_WAIT_SECONDS))
            continue
        if not answer.domain.in_domain:
            return result("out_of_domain", answer.domain.reason or "", answer)
        return result("scored", "", answer)
    return result("unavailable", last[:300])
