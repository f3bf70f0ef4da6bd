"""Alive and ready."""

from __future__ import annotations

import socket
from functools import cache

from fastapi import APIRouter, Response

from hilum.wire import Readiness
from services.inference.serving import ServingDep

router = APIRouter(tags=["health"])


@cache
def _instance() -> str:
    """Host name and address of this pod: `inference-7945884b4-mx2xk 10.42.0.7`; no address where there is none."""
    host = socket.gethostname()
    try:
        return f"{host} {socket.gethostbyname(host)}"
    except OSError:
        return host


@router.get("/healthz", summary="Alive")
async def alive(response: Response) -> dict[str, str]:
    """The process answers; it need not be ready. `Hilum-Instance` says which of several answered, and where it is."""
    response.headers["Hilum-Instance"] = _instance()
    return {"status": "alive"}


@router.get("/readyz", summary="Ready", responses={503: {"model": Readiness}})
async def ready(serving: ServingDep, response: Response) -> Readiness:
    """200 once a verified release is served, else 503 with the reason."""
    response.status_code = 200 if serving.reason is None else 503
    return Readiness(ready=serving.reason is None, reasons=[] if serving.reason is None else [serving.reason])
