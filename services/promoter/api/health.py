"""Alive, ready with reasons, and the registry's webhook."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hilum.wire import Readiness
from services.promoter.service import ServiceDep

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready, with the reasons"}})
def ready(service: ServiceDep, response: Response) -> Readiness:
    """Whether turns are made: Git answers, and its state can be read."""
    reasons = service.reasons()
    response.status_code = 503 if reasons else 200
    return Readiness(ready=not reasons, reasons=reasons)


@router.post("/v1/webhook", status_code=202)
async def webhook(service: ServiceDep) -> dict[str, str]:
    """The registry says that something changed: look now. What is said is not believed, so nobody needs a token."""
    service.wake.set()
    return {"status": "looking"}
