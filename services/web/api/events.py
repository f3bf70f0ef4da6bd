"""`GET /v1/events`: server-sent events that say when the list changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from hilum.problems import Problem
from services.web.context import WebDep

router = APIRouter(include_in_schema=False)
# An id is a number that the database gave; more digits are not one.
MAX_DIGITS = 18


@router.get("/v1/events")
async def events(web: WebDep, last_event_id: Annotated[str | None, Header()] = None) -> StreamingResponse:
    """An event `list` each time something in the list changed, at most one in a poll; what changed is in the list
    itself. A page that comes back says what it heard last (`Last-Event-ID`). 503: ask for the list now and then.
    """
    if web.hub.listeners >= web.settings.list_listeners or web.hub.closing:
        raise Problem(
            503,
            "too-many-listeners",
            "As many pages listen as this process tells; ask for the list now and then instead.",
            headers={"Retry-After": "30"},
        )
    known = last_event_id if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else None
    seen = int(known) if known and len(known) <= MAX_DIGITS else None
    return StreamingResponse(
        web.hub.stream(seen),
        media_type="text/event-stream",
        # nginx would else keep events until a buffer is full.
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )
