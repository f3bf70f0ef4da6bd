"""`POST /v1/studies/{uid}/close` and `/reopen`: somebody says that a study was reported elsewhere."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header

from services.web.api.paths import StudyUid
from services.web.api.studies import idempotency
from services.web.closing import Action, Order, carry_out
from services.web.context import Web, WebDep, utc_now
from services.web.identity.access import need
from services.web.studies import get_study
from services.web.wire import ClosureBody, StudyOut

router = APIRouter(prefix="/v1/studies/{uid}", tags=["worklist"])
# A reader, or another system by its token.
MAY = [Depends(need("reader", scope="studies:close"))]
Key = Annotated[str | None, Header(description="Any text, new for each order.")]


def _do(web: Web, uid: str, action: Action, body: ClosureBody, idempotency_key: str | None) -> StudyOut:
    key = idempotency(idempotency_key)
    order = Order(action, body.by, body.reason, web.reader)
    with web.write() as session:
        carry_out(session, uid, order, key=key, policy=web.policy, now=utc_now())
    with web.read() as session:
        return StudyOut.model_validate(get_study(session, uid, reader=web.reader).study)


@router.post("/close", summary="Say that a study was reported elsewhere", dependencies=MAY)
def close(web: WebDep, uid: StudyUid, body: ClosureBody, idempotency_key: Key = None) -> StudyOut:
    """It leaves the unread list and shows who closed it and why. It can still be read; a late film opens it again."""
    return _do(web, uid, "close", body, idempotency_key)


@router.post("/reopen", summary="Put a closed or read study back into the list", dependencies=MAY)
def reopen(web: WebDep, uid: StudyUid, body: ClosureBody, idempotency_key: Key = None) -> StudyOut:
    """Its due time stays what it was; its reads stay too."""
    return _do(web, uid, "reopen", body, idempotency_key)
