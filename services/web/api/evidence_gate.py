"""`/v1/evidence/gate`: the canary gate's judgement of rows, as a gate record."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from hilum.evidence import collect
from hilum.gates import GateRecord
from hilum.gates.plan import BadPlan, GatePlan, load_plan
from hilum.gates.shadow import shadow_checks
from hilum.gates.shadow_figures import figures_of
from hilum.problems import Problem, documented
from services.web.api.evidence import PLAIN_DRAWS, ScopeDep, turn
from services.web.context import WebDep, utc_now
from services.web.evidence.rows import gather
from services.web.identity.access import need

router = APIRouter(
    prefix="/v1/evidence",
    tags=["evidence"],
    dependencies=[Depends(need("lead", "admin", scope="evidence:read"))],
)


def _plan(path: str) -> GatePlan:
    try:
        return load_plan(path or None)
    except BadPlan as error:
        raise Problem(500, "bad-gate-plan", f"The gate plan of this site can't be used: {error}.") from None


@router.get(
    "/gate",
    summary="The canary gate's judgement of the rows",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {}}, "description": "A gate record (docs/promotion.md)"},
        **documented(_503="evidence is being computed"),
    },
)
def gate(
    web: WebDep,
    scope: ScopeDep,
    attempt: Annotated[int, Query(ge=1, le=10_000, description="Which attempt of the candidate this is.")] = 1,
    figures: Annotated[bool, Query(description="With what the plots are drawn from.")] = False,
) -> Response:
    """Sequential tests over the pairs and the blind reads in the order in which they came; look as often as you like.

    `verdict` is pass, fail or inconclusive. What needs Prometheus (errors, latency) is judged beside it.
    """
    if scope.live == scope.shadow:
        raise Problem(422, "same-release", "live and shadow are the same release; there is nothing to compare.")
    plan = _plan(web.settings.gate_plan)
    started = utc_now()
    with turn(), web.read() as session:
        found = gather(session, scope)
        checks = shadow_checks(found.pairs, plan, found.missing_share, scope.site)
        drawn = figures_of(found.pairs, collect(found.pairs, draws=PLAIN_DRAWS)) if figures else {}
    record = GateRecord(
        environment="canary",
        release=scope.shadow,
        active=scope.live,
        attempt=attempt,
        plan=plan.name,
        plan_digest=plan.digest,
        started=started,
        ended=utc_now(),
        checks=tuple(checks),
        figures=drawn,
    )
    return Response(record.to_json(), media_type="application/json")
