"""Claims and skips: `POST` and `DELETE /v1/studies/{uid}/claim`, `POST /v1/studies/{uid}/skip`."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Query

from hilum.problems import documented
from services.web.api.paths import StudyUid
from services.web.claims import claim_study, release_study
from services.web.context import WebDep, utc_now
from services.web.metrics import ESCALATIONS
from services.web.skips import skip_study
from services.web.wire import ClaimOut, SkippedOut

router = APIRouter(prefix="/v1/studies/{uid}", tags=["worklist"])
log = structlog.get_logger("hilum.web.claims")


@router.post("/claim", summary="Claim a study, or renew the claim", responses=documented(_409="another reader has it"))
def claim(
    web: WebDep,
    uid: StudyUid,
    take_over: Annotated[bool, Query(description="End another reader's claim; both see it.")] = False,
) -> ClaimOut:
    """Yours until `expires_at`; send it again before then. 409 names the reader who has it."""
    with web.write() as session:
        held = claim_study(
            session,
            uid,
            reader=web.reader,
            now=utc_now(),
            seconds=web.settings.claim_seconds,
            take_over=take_over,
        )
    if held.taken_from is not None:
        log.info("claim taken over", study_uid=uid, reader=web.reader, taken_from=held.taken_from)
    return ClaimOut.model_validate(held.claim)


@router.delete("/claim", status_code=204, summary="End your claim")
def release(web: WebDep, uid: StudyUid) -> None:
    """Without a claim of yours nothing happens."""
    with web.write() as session:
        release_study(session, uid, reader=web.reader)


@router.post("/skip", summary="Pass an unread study over")
def skip(web: WebDep, uid: StudyUid) -> SkippedOut:
    """It stays unread and in its place. A study that too many readers pass over is escalated."""
    with web.write() as session:
        skipped = skip_study(
            session, uid, reader=web.reader, skips=web.settings.skips, policy=web.policy, now=utc_now()
        )
    if skipped.escalates:
        ESCALATIONS.inc()
        log.warning("a study is escalated: too many readers skipped it", study_uid=uid, readers=skipped.skipped_by)
    return SkippedOut.model_validate(skipped)
