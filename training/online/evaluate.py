"""`hilum evaluate-online`: films, pace, results and gauges put together."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.clients.base import over_network
from hilum.clients.inference import InferenceClient
from training.data.manifest import BadData
from training.online.films import LabelledFilm
from training.online.results import Result, ResultFile
from training.online.stream import Pace, stream
from training.online.tally import Tally


class NotReady(Exception):
    """The service can't score now, or another release answers than before; the text says what to do."""


@dataclass(frozen=True)
class Streamed:
    """What was found. `sent` now, `before` in an earlier part of the same stream; `summary` is what is written."""

    sent: int
    before: int
    tally: Tally
    summary: dict[str, Any]


def evaluate_online(
    url: str,
    films: list[LabelledFilm],
    out: Path,
    pace: Pace,
    tally: Tally,
    tick: Callable[[Result], None] = lambda result: None,
) -> Streamed:
    """Stream `films` through the service at `url`; results go to `out` (JSON lines), the summary to `out` + .json.

    Films with a final result in `out` are not sent again. Raises NotReady before the first film, BadData where `out`
    is another file or was made with another release.
    """
    results = ResultFile(out)
    done = {each.film: each for each in results.read() if each.final}
    digest = asyncio.run(_release(url))
    earlier = {each.release for each in done.values() if each.release} - {digest}
    if earlier:
        raise BadData(
            f"{out.name} holds answers of release {', '.join(sorted(earlier))}, and {digest} is served now: give the "
            "new release a file of its own by --out"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    results.repair()
    wanted = {film.key for film in films}
    for each in done.values():
        if each.film in wanted:
            tally.add(each)
    rest = [film for film in films if film.key not in done]
    reasons: Counter[str] = Counter()

    def keep(result: Result) -> None:
        results.append(result)
        tally.add(result)
        if result.outcome != "scored":
            reasons[f"{result.outcome}: {result.reason}"] += 1
        tick(result)

    asyncio.run(_send(url, rest, pace, keep))
    outcomes: Counter[str] = Counter()
    for (_, _, outcome), count in tally.outcomes.items():
        outcomes[outcome] += count
    summary = {
        "url": url,
        "release": digest,
        "films": dict(sorted(outcomes.items())),
        "not_scored": dict(reasons.most_common(20)),
        "datasets": tally.to_json(),
    }
    out.with_name(f"{out.name}.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return Streamed(len(rest), len(films) - len(rest), tally, summary)


async def _release(url: str) -> str:
    client = InferenceClient(over_network(url))
    readiness = await client.ready()
    if not readiness.ready:
        raise NotReady(f"the service at {url} is not ready: {'; '.join(readiness.reasons)}")
    return (await client.model()).release.digest


async def _send(url: str, films: list[LabelledFilm], pace: Pace, keep: Callable[[Result], None]) -> None:
    connections = over_network(url)
    async with connections:
        await stream(InferenceClient(connections), films, pace, keep)
