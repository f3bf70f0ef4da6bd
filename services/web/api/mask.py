"""`PUT /v1/mask`: hide or show patients' identity in this session."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from services.web.identity import need, signed_in
from services.web.identity.service import Identity

router = APIRouter(prefix="/v1/mask", tags=["session"])


class Mask(BaseModel):
    """Body and answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    masked: bool


@router.put("", summary="Hide or show patients' identity", dependencies=[Depends(need("reader", "lead", "admin"))])
async def set_mask(request: Request, body: Mask) -> Mask:
    """Remembered for the session. Showing it again is a row of its own in the audit log, written first."""
    identity: Identity = request.app.state.identity
    person = signed_in(request)
    if not body.masked:
        address = request.client.host if request.client else ""
        await identity.trail.record_unmask(person, address)
    await asyncio.to_thread(identity.mask, person, masked=body.masked)
    return body
