"""Status, commands, records."""

from __future__ import annotations

import re
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from hilum.problems import Problem, documented
from hilum.wire_promotion import Command, CommandIn, PromotionStatus
from services.promoter import metrics, tokens
from services.promoter.bundle import BadBundle
from services.promoter.git import GitUnavailable
from services.promoter.machine import Event
from services.promoter.promoter import CannotAct
from services.promoter.promotion import BadState
from services.promoter.records import RecordsUnavailable
from services.promoter.service import ServiceDep, utc_now
from services.promoter.states import Kind
from services.promoter.tokens import Holder
from services.promoter.views import status

router = APIRouter(prefix="/v1/promotion", tags=["promotion"])
log = structlog.get_logger("hilum.promoter.audit")
_KEY = re.compile(r"gates/[0-9a-f]{64}/(staging|canary|production)-[0-9a-z-]+\.(json|html)")
MEDIA = {"json": "application/json", "html": "text/html; charset=utf-8"}


def may_read(request: Request, service: ServiceDep) -> Holder:
    """Who asks, with the right to read."""
    return tokens.holder(service.settings.promoter_tokens, request.headers.get("authorization", ""), "read")


def may_act(request: Request, service: ServiceDep) -> Holder:
    """Who asks, with the right to act."""
    return tokens.holder(service.settings.promoter_tokens, request.headers.get("authorization", ""), "act")


@router.get("", responses=documented(_401="no token", _503="nothing is known yet"))
def get_status(service: ServiceDep, _: Annotated[Holder, Depends(may_read)]) -> PromotionStatus:
    """Where the promotion stands, by the last turn."""
    view = service.promoter.view
    if view is None:
        raise Problem(503, "not-known-yet", f"Nothing is known yet: {'; '.join(service.reasons()) or 'starting'}.")
    return status(view, service.promoter.parts.rules, utc_now())


@router.post(
    "/{command}", responses=documented(_401="no token", _403="not this token's right", _409="not possible now")
)
def act(
    command: Command, body: CommandIn, service: ServiceDep, who: Annotated[Holder, Depends(may_act)]
) -> PromotionStatus:
    """Approve, hold, resume, reject or roll back: committed to Git when this answers."""
    if body.by and body.by != who.name and "for" not in who.rights:
        raise Problem(403, "not-for-others", f"The token of {who.name} acts in that name alone.")
    by = body.by or who.name
    try:
        view = service.promoter.act(Event(Kind(command), body.reason, by=by))
    except CannotAct as error:
        raise Problem(409, "not-possible-now", f"{error}.") from error
    except (BadState, BadBundle) as error:
        raise Problem(409, "broken-state", f"{error}.") from error
    except GitUnavailable as error:
        raise Problem(503, "git-unavailable", f"{error}; try again.", headers={"Retry-After": "5"}) from error
    log.info("acted", command=command, by=by, token=who.name, reason=body.reason, commit=view.commit)
    metrics.show(view, utc_now())
    return status(view, service.promoter.parts.rules, utc_now())


@router.get("/records/{key:path}", responses=documented(_401="no token", _404="no such record"))
def record(key: str, service: ServiceDep, _: Annotated[Holder, Depends(may_read)]) -> Response:
    """A gate's record as it was kept, or its HTML."""
    if not _KEY.fullmatch(key):
        raise Problem(404, "no-such-record", "No record has such a key.")
    try:
        text = service.promoter.parts.records.text(key)
    except RecordsUnavailable as error:
        raise Problem(503, "records-unavailable", f"{error}; try again.") from error
    if text is None:
        raise Problem(404, "no-such-record", "No record is kept under this key.")
    return Response(text, media_type=MEDIA[key.rpartition(".")[2]])
