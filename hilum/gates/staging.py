"""The staging gate as a command: both served endpoints, one labelled set, one record.

    python -m hilum.gates.staging --active URL --candidate URL --set STORE --out STORE [--release DIGEST]
        [--plan FILE] [--attempt N] [--s3-endpoint URL]

Exit codes: 0 pass, 1 fail, 2 inconclusive, 3 error, 64 wrong use. The record is written whatever came out: JSON and
HTML under `gates/RELEASE/staging-ATTEMPT`. An error (a service that can't be reached, a set that is damaged) rejects
nothing; the promoter tries again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import numpy as np

from hilum.clients.base import over_network
from hilum.clients.inference import InferenceClient, Refused, Unavailable
from hilum.gates.accuracy import accuracy_checks
from hilum.gates.contract import bad_input_checks, contract_checks, metric_of
from hilum.gates.film_set import BadSet, FilmSet, load_set
from hilum.gates.keep import keep
from hilum.gates.plan import BadPlan, GatePlan, load_plan
from hilum.gates.record import Check, GateRecord, combine
from hilum.gates.replay import LEAST_AT_ONCE, Side, empty_side, labels_of, replay, shared_findings, throughput
from hilum.gates.speed import speed_checks
from hilum.gates.staging_figures import figures_of
from hilum.gates.timeline import TIMELINE, entry
from hilum.storage.blobs import BlobsUnavailable
from hilum.storage.open import open_blobs

EXIT = {"pass": 0, "fail": 1, "inconclusive": 2, "error": 3}
READY_SECONDS = 90.0


@dataclass(frozen=True)
class Asked:
    """What to judge."""

    active: str
    candidate: str
    release: str
    attempt: int


async def judge(asked: Asked, films: FilmSet, plan: GatePlan) -> GateRecord:
    """The record of one staging attempt; what can't be asked becomes a check that says error, never an exception."""
    started = datetime.now(UTC)
    checks: list[Check] = []
    figures: dict[str, object] = {}
    digests = {"active": "", "candidate": asked.release}
    async with over_network(asked.active) as left, over_network(asked.candidate) as right:
        try:
            async with asyncio.timeout(plan.staging.deadline_minutes * 60):
                await _ask(asked, (left, right), films, plan, checks, figures, digests)
        except (Unavailable, Refused, httpx.HTTPError, BadSet, BlobsUnavailable) as error:
            checks.append(Check("the run", "completed", "error", f"{type(error).__name__}: {error}"[:300]))
        except TimeoutError:
            checks.append(Check("the run", "completed", "error", f"over {plan.staging.deadline_minutes:g} minutes"))
    return GateRecord(
        environment="staging",
        release=digests["candidate"],
        active=digests["active"],
        attempt=asked.attempt,
        plan=plan.name,
        plan_digest=plan.digest,
        started=started,
        ended=datetime.now(UTC),
        checks=tuple(checks),
        figures={**figures, "set": films.digest, "films": len(films.films)},
    )


async def _ask(
    asked: Asked,
    https: tuple[httpx.AsyncClient, httpx.AsyncClient],
    films: FilmSet,
    plan: GatePlan,
    checks: list[Check],
    figures: dict[str, object],
    digests: dict[str, str],
) -> None:
    clients = InferenceClient(https[0]), InferenceClient(https[1])
    steps: list[dict[str, str]] = []
    figures[TIMELINE] = steps

    def step(name: str) -> None:
        steps.append(entry(datetime.now(UTC), name))

    step("both ready")
    for client in clients:
        await until_ready(client)
    step("contract and label order")
    infos = await clients[0].model(), await clients[1].model()
    digests["active"] = infos[0].release.digest
    digests["candidate"] = asked.release or infos[1].release.digest
    checks += await contract_checks(clients[1], https[1], infos[0], asked.release)
    step("bad input")
    checks += await bad_input_checks(clients[1], https[1])
    if combine(checks) == "fail":
        # Nothing else that it says could be trusted, and staging is free for the next one sooner.
        return
    # The active release's answers are not judged. But a service that has opened such inputs holds more memory
    # afterwards: asked of the candidate alone, they made the same network hold 1.4 to 1.5 times as much.
    await bad_input_checks(clients[0], https[0])
    findings = shared_findings(*infos)
    count = len(films.films)
    sides = empty_side(infos[0], findings, count), empty_side(infos[1], findings, count)

    async def sample() -> None:
        for side, http in zip(sides, https, strict=True):
            held = await metric_of(http, "process_resident_memory_bytes")
            if held is not None:
                side.memory.append(held)

    step("replay of the labelled films")
    await replay(clients, sides, films, plan.staging.requests, sample)
    step("throughput")
    await throughput(clients, sides, films, at_once_of(await metric_of(https[1], "hilum_workers")))
    step("statistics")
    started = await metric_of(https[1], "hilum_start_seconds")
    checks += speed_checks(*sides, plan, started or None)
    checks += _scored(*sides)
    people, groups = [f.patient for f in films.films], [f.groups for f in films.films]
    labels = labels_of(films, findings)
    checks += accuracy_checks(*sides, labels, people, groups, plan)
    figures.update(figures_of(*sides, labels))


def at_once_of(workers: float | None) -> int:
    """As many films as make a service of so many workers busy and let others wait, that it may combine: its full load.

    Its queue (32 by default) must hold those that wait: a request that is told to come back is no answer.
    """
    count = int(workers or 0)
    return max(LEAST_AT_ONCE, count + min(count, 16))


def _scored(active: Side, candidate: Side) -> list[Check]:
    """Films that the active release scores and the candidate does not."""
    ours, theirs = (np.isfinite(s.scores).all(axis=1) for s in (candidate, active))
    n, lost = int(theirs.sum()), int((theirs & ~ours).sum())
    if n == 0:
        return [Check("films scored", "share lost", "error", "the active release scored no film of the set")]
    share, bound = lost / n, 0.02
    metric = "share the candidate alone does not score"
    bad = share > bound and lost > 2
    return [Check("films scored", metric, "fail" if bad else "pass", f"{lost} films", share, bound, n)]


async def until_ready(client: InferenceClient) -> None:
    """A pod that Kubernetes has just called ready may be a moment away; raises Unavailable after a while."""
    for _ in range(int(READY_SECONDS)):
        ready = await client.ready()
        if ready.ready:
            return
        await asyncio.sleep(1)
    raise Unavailable(f"not ready after {READY_SECONDS:.0f} s: {'; '.join(ready.reasons)}")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hilum.gates.staging", description=__doc__.splitlines()[0])
    parser.add_argument("--active", required=True, help="base URL of the release in service")
    parser.add_argument("--candidate", required=True, help="base URL of the candidate (preview)")
    parser.add_argument(
        "--set", required=True, help="store with the labelled set: s3://bucket/prefix or file:///folder"
    )
    parser.add_argument("--out", required=True, help="store for the record")
    parser.add_argument("--release", default="", help="digest that the candidate must serve")
    parser.add_argument("--attempt", type=int, default=1)
    parser.add_argument("--plan", default="", help="what this site's plan says otherwise (TOML)")
    parser.add_argument("--s3-endpoint", default="", help="S3 endpoint other than AWS's own")
    given = parser.parse_args(arguments)
    try:
        plan = load_plan(given.plan or None)
        films = load_set(open_blobs(given.set, given.s3_endpoint))
        out = open_blobs(given.out, given.s3_endpoint)
    except (BadPlan, BadSet, BlobsUnavailable, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return EXIT["error"]
    record = asyncio.run(judge(Asked(given.active, given.candidate, given.release, given.attempt), films, plan))
    print("\n".join([record.verdict, *record.reasons]), flush=True)  # noqa: T201
    try:
        print(f"record: {keep(record, out)}")  # noqa: T201
    except BlobsUnavailable as error:
        # A verdict that nobody can read later decides nothing.
        print(f"error: the record could not be kept: {error}", file=sys.stderr)  # noqa: T201
        return EXIT["error"]
    return EXIT[record.verdict]


if __name__ == "__main__":
    sys.exit(main())
