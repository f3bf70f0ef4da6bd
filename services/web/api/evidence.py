"""`/v1/evidence`: the paired figures of two releases, and a verdict by a plan."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AfterValidator

from hilum.evidence import Plan, collect, judge
from hilum.problems import Problem
from services.web.context import Web, WebDep, utc_now
from services.web.evidence.plans import as_plan, store_plan, stored_plan
from services.web.evidence.rows import Scope, gather
from services.web.evidence.wire import EvidenceOut, PlanBody, StoredPlan
from services.web.identity.access import need

router = APIRouter(
    prefix="/v1/evidence",
    tags=["evidence"],
    dependencies=[Depends(need("lead", "admin", scope="evidence:read"))],
)
# Without a plan nothing is judged, and fewer draws will do.
PLAIN_DRAWS = 400
# One call at a time in a process: it is minutes of arithmetic at worst, and no reader may wait for it.
_TURN = threading.Lock()
TURN_SECONDS = 20.0


def _zoned(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("give a time with its zone, e.g. 2026-11-21T00:00:00Z")
    return value


Digest = Annotated[str, Query(pattern=r"^[0-9a-f]{64}$", description="Digest of a release.")]
Moment = Annotated[datetime, AfterValidator(_zoned)]
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


def _scope(
    live: Digest,
    shadow: Digest,
    since: Annotated[Moment | None, Query(description="Studies that arrived from then on.")] = None,
    until: Annotated[Moment | None, Query(description="Studies that arrived before.")] = None,
    site: Annotated[str | None, Query(max_length=128, description="One site.")] = None,
    finding: Annotated[list[str] | None, Query(max_length=64, description="These findings alone; repeated.")] = None,
) -> Scope:
    return Scope(live, shadow, since, until, site, tuple(finding or ()))


ScopeDep = Annotated[Scope, Depends(_scope)]


@router.get("", summary="Paired figures of two releases")
def evidence(
    web: WebDep,
    scope: ScopeDep,
    plan: Annotated[str | None, Query(max_length=64, description="Name of a stored plan.")] = None,
) -> EvidenceOut:
    """Agreement, shift, band moves, and both releases against reads, blind and others apart; with a plan, a verdict."""
    if plan is None:
        return _answer(web, scope, None, None)
    with web.read() as session:
        row = stored_plan(session, plan)
    return _answer(web, scope, as_plan(row), plan)


@router.post("", summary="The same, judged by the plan in the body")
def judged(web: WebDep, scope: ScopeDep, body: PlanBody) -> EvidenceOut:
    """Nothing is stored. A plan that is to be trusted was stored before: `PUT /v1/evidence/plans/NAME`."""
    return _answer(web, scope, body.plan(), None)


@router.put(
    "/plans/{name}",
    summary="Store a plan, once",
    responses={201: {"model": StoredPlan}},
    dependencies=[Depends(need("lead", "admin"))],
)
def put_plan(web: WebDep, name: Name, body: PlanBody, response: Response) -> StoredPlan:
    """201 where it is new, 200 where this very plan is stored, 409 where another is."""
    plan = body.plan()
    with web.write() as session:
        row, new = store_plan(session, name, plan, utc_now())
    response.status_code = 201 if new else 200
    return StoredPlan(name=name, digest=row.digest, stored_at=row.stored_at, plan=row.payload)


@router.get("/plans/{name}", summary="A stored plan")
def get_plan(web: WebDep, name: Name) -> StoredPlan:
    """The plan and when it was stored."""
    with web.read() as session:
        row = stored_plan(session, name)
    return StoredPlan(name=name, digest=row.digest, stored_at=row.stored_at, plan=row.payload)


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """One computation at a time; raises a 503 problem where the wait is too long."""
    if not _TURN.acquire(timeout=TURN_SECONDS):
        raise Problem(503, "evidence-busy", "Evidence is being computed; try again.", headers={"Retry-After": "20"})
    try:
        yield
    finally:
        _TURN.release()


def _answer(web: Web, scope: Scope, plan: Plan | None, name: str | None) -> EvidenceOut:
    if scope.live == scope.shadow:
        raise Problem(422, "same-release", "live and shadow are the same release; there is nothing to compare.")
    with turn():
        with web.read() as session:
            found = gather(session, scope)
        if plan is None:
            figures = collect(found.pairs, draws=PLAIN_DRAWS)
        else:
            figures = collect(
                found.pairs, draws=plan.draws, seed=plan.seed, alpha=plan.alpha, min_positives=plan.min_positives
            )
    now = utc_now()
    said = None if plan is None else judge(figures, plan, missing_share=found.missing_share, now=now)
    return EvidenceOut(
        live=scope.live,
        shadow=scope.shadow,
        live_precision=found.live_precision,
        shadow_precision=found.shadow_precision,
        since=scope.since,
        until=scope.until,
        site=scope.site,
        computed_at=now,
        expected=found.expected,
        missing=found.missing,
        missing_share=found.missing_share,
        exposed=found.exposed,
        evidence=figures,
        judgement=said,
        verdict=None if said is None else said.verdict,
        plan=name,
    )
