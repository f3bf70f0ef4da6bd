"""Alive, and ready with reasons."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hilum.wire import Readiness
from services.feedback.service import FeedbackDep

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready, with the reasons"}})
def ready(feedback: FeedbackDep, response: Response) -> Readiness:
    """Whether a read can be kept now."""
    reasons = feedback.reasons()
    response.status_code = 503 if reasons else 200
    return Readiness(ready=not reasons, reasons=reasons)
