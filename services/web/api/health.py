"""Alive, ready, metrics, self-test."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from hilum.gauges import Patience
from hilum.storage import DatabaseUnavailable
from hilum.telemetry import metrics_answer
from services.web import waits
from services.web.context import WebDep, utc_now
from services.web.metrics import forget_gauges, refresh_gauges
from services.web.readiness import look
from services.web.selftest import run_self_test
from services.web.wire import HealthOut, SelfTestOut, StepOut

router = APIRouter(tags=["health"])
_patience: Patience[None] = Patience(3.0)


@router.get("/healthz", summary="Alive")
async def alive() -> dict[str, str]:
    """The process answers; it need not be ready."""
    return {"status": "alive"}


@router.get("/readyz", summary="Ready", responses={503: {"model": HealthOut}})
async def ready(web: WebDep, response: Response) -> HealthOut:
    """200 where films and reads can be taken, else 503 with the reasons; `warnings` name what else is wrong."""
    health = await look(web)
    response.status_code = 200 if health.ready else 503
    return HealthOut.model_validate(health)


@router.get("/metrics", include_in_schema=False)
def metrics(web: WebDep, request: Request) -> Response:
    """Prometheus page; the worklist's gauges are read from the rows now, NaN where they can't be."""

    def look_at_rows() -> None:
        with web.read() as session:
            refresh_gauges(session, utc_now())
            waits.refresh(session, web.policy, utc_now())

    try:
        _patience.wait(look_at_rows)
    except (DatabaseUnavailable, TimeoutError):
        forget_gauges()
        waits.forget()
    return metrics_answer(request)


@router.post("/v1/self-test", summary="Run a built-in film through every part")
async def self_test(web: WebDep) -> SelfTestOut:
    """Nothing of it stays. 200 also where a step failed: `ok` says it."""
    steps = await run_self_test(web)
    return SelfTestOut(ok=all(step.ok for step in steps), steps=[StepOut.model_validate(step) for step in steps])
