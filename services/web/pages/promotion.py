"""`/promotion`: the way of a release to production, its evidence, and what a lead may do about it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from hilum.clients.promoter import PromoterClient, Refused, Unavailable
from hilum.problems import Problem
from hilum.wire_promotion import Command, NoteOut, PromotionOut, PromotionStatus
from services.web.context import Web, WebDep, utc_now
from services.web.identity.access import Need, need
from services.web.pages.intervals import figure, intervals
from services.web.pages.render import page, shell
from services.web.pages.words import duration

LEADS: Need = need("lead", "admin")
router = APIRouter(include_in_schema=False, dependencies=[Depends(LEADS)])
WAY = ("staging", "canary-shadow", "canary-exposed", "awaiting-approval", "production", "guarded", "done")
WORDS = {
    "staging": "Staging",
    "canary-shadow": "Canary, in shadow",
    "canary-exposed": "Canary, exposed",
    "awaiting-approval": "Approval",
    "production": "Production",
    "guarded": "Guarded",
    "done": "Done",
    "waiting": "No promotion under way",
    "held": "Held",
    "interrupted": "Interrupted",
    "rejected": "Rejected",
    "expired": "Expired",
    "superseded": "Superseded",
    "rolled-back": "Rolled back",
}
ACTIONS: dict[Command, str] = {
    "approve": "Approve for production",
    "hold": "Hold",
    "resume": "Resume",
    "rollback": "Roll back",
    "reject": "Reject",
}
POSSIBLE: dict[str, tuple[Command, ...]] = {
    "awaiting-approval": ("approve", "hold", "reject"),
    "staging": ("hold", "reject"),
    "canary-shadow": ("hold", "reject"),
    "canary-exposed": ("hold", "reject"),
    "production": ("hold", "rollback", "reject"),
    "guarded": ("hold", "rollback", "reject"),
    "interrupted": ("resume", "reject"),
    "held": ("resume", "reject"),
}
# The page of a record draws with styles of its own; it may do nothing else.
RECORD_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"


@dataclass(frozen=True)
class Span:
    """A state of the timeline as a bar: its place and width in per cent, and how long it took."""

    state: str
    left: float
    width: float
    seconds: float


def promoter_of(request: Request) -> PromoterClient:
    """The line to the promoter; raises a 404 problem where there is none."""
    found: PromoterClient | None = request.app.state.promoter
    if found is None:
        raise Problem(404, "no-promoter", "This site has no promoter: HILUM_PROMOTER_URL is not set.")
    return found


Promoter = Annotated[PromoterClient, Depends(promoter_of)]


def spans(of: PromotionOut, now: datetime) -> list[Span]:
    """How long it stood in each state until `now`, or until its end."""
    steps: list[NoteOut] = []
    for note in of.timeline:
        if not steps or steps[-1].state != note.state:
            steps.append(note)
    ends = [*(step.at for step in steps[1:]), now if of.state not in ENDED else steps[-1].at]
    whole = max((ends[-1] - steps[0].at).total_seconds(), 1.0)
    return [
        Span(
            step.state,
            round(100 * (step.at - steps[0].at).total_seconds() / whole, 2),
            round(100 * (end - step.at).total_seconds() / whole, 2),
            (end - step.at).total_seconds(),
        )
        for step, end in zip(steps, ends, strict=True)
    ]


ENDED = frozenset({"done", "rejected", "expired", "superseded", "rolled-back"})


def possible(found: PromotionStatus) -> tuple[Command, ...]:
    """The commands that mean something now."""
    if found.current is None:
        return ("rollback",) if found.ended and found.ended[0].state == "done" else ()
    offered = POSSIBLE.get(found.current.state, ())
    if found.current.approved_by:
        offered = tuple(each for each in offered if each != "approve")
    if found.current.state == "held" and found.current.back_to in {"production", "guarded"}:
        return ("resume", "rollback", "reject")
    return offered


@router.get("/promotion")
async def promotion_page(
    request: Request, web: WebDep, promoter: Promoter, told: Annotated[str, Query(max_length=300)] = ""
) -> Response:
    """Where the promotion stands. Where the promoter does not answer, the page says so."""
    found: PromotionStatus | None = None
    away = ""
    try:
        found = await promoter.status()
    except (Unavailable, Refused) as error:
        away = error.detail
    return await asyncio.to_thread(_page, web, found, away, told)


def _page(web: Web, found: PromotionStatus | None, away: str, told: str) -> Response:
    now = utc_now()
    shown = None if found is None else found.current or (found.ended[0] if found.ended else None)
    context: dict[str, Any] = {
        "found": found,
        "away": away,
        "told": told,
        "shown": shown,
        "way": WAY,
        "words": WORDS,
        "actions": ACTIONS,
        "possible": possible(found) if found else (),
        "checks": intervals(found.record) if found else [],
        "spans": spans(shown, now) if shown else [],
        "passed": _passed(shown),
        "figure": figure,
        "duration": duration,
    }
    with web.read() as session:
        return page("promotion.html", **shell(web, session), place="promotion", **context)


def _passed(shown: PromotionOut | None) -> set[str]:
    """States of the way that it has left behind it."""
    if shown is None:
        return set()
    seen = {note.state for note in shown.timeline}
    return seen - {shown.state} | ({"done"} if shown.state == "done" else set())


@router.post("/promotion/{command}")
async def act(
    command: Command, web: WebDep, promoter: Promoter, reason: Annotated[str, Form(min_length=3, max_length=1000)]
) -> Response:
    """Do it in the name of who is signed in, and come back to the page."""
    try:
        await promoter.act(command, reason, by=web.reader)
        told = f"{ACTIONS[command]}: done, and committed."
    except Refused as error:
        told = f"Not done: {error.detail}"
    except Unavailable as error:
        told = f"The promoter does not answer ({error.detail}); whether it was done shows here when it does."
    return RedirectResponse(f"/promotion?{urlencode({'told': told[:300]})}", status_code=303)


@router.get("/promotion/records/{key:path}")
async def record(key: str, promoter: Promoter) -> Response:
    """A gate's record, or its page."""
    try:
        content, media_type = await promoter.record(key)
    except Refused as error:
        raise Problem(404, "no-such-record", "No record is kept under this key.") from error
    except Unavailable as error:
        raise Problem(503, "promoter-away", f"The promoter does not answer: {error.detail}") from error
    headers = {"content-security-policy": RECORD_POLICY} if media_type.startswith("text/html") else {}
    return Response(content, media_type=media_type, headers=headers)
