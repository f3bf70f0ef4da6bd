"""Undo of a read, second reads and what became of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from hilum.problems import Problem
from services.web.api.paths import StudyUid
from services.web.api.studies import detail_out, idempotency
from services.web.context import WebDep, utc_now
from services.web.metrics import READS_WITHDRAWN
from services.web.reviews import ReviewState, ask_for_second_read, list_reviews
from services.web.studies import get_study
from services.web.wire import ReadAnswer, ReadRow, ReviewsOut, SecondReadBody, StudyDetailOut
from services.web.withdraw import withdraw_read

router = APIRouter(prefix="/v1", tags=["reads"])


@router.post(
    "/studies/{uid}/reads/{read_id}/withdraw",
    status_code=201,
    summary="Take a read back",
    responses={200: {"model": ReadAnswer}},
)
def withdraw(
    web: WebDep,
    uid: StudyUid,
    read_id: Annotated[str, Path(max_length=128)],
    response: Response,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> ReadAnswer:
    """Undo of your own last read, for HILUM_UNDO_SECONDS. The read and its withdrawal both stay in the history."""
    key = idempotency(idempotency_key)
    with web.write() as session:
        kept, created = withdraw_read(
            session, uid, read_id, key=key, reader=web.reader, settings=web.settings, now=utc_now()
        )
    if created:
        READS_WITHDRAWN.inc()
        web.reads_waiting.set()
    response.status_code = 201 if created else 200
    with web.read() as session:
        detail = get_study(session, uid, reader=web.reader)
    return ReadAnswer(read=ReadRow.model_validate(kept), study=detail_out(detail))


@router.post("/studies/{uid}/second-read", status_code=201, summary="Ask for a second read")
def second_read(web: WebDep, uid: StudyUid, body: SecondReadBody) -> StudyDetailOut:
    """For leads. The second reader sees neither the first read nor who made it until their own is kept."""
    if not web.is_lead:
        raise Problem(403, "lead-needed", "Only a lead asks for a second read.")
    with web.write() as session:
        ask_for_second_read(session, uid, lead=web.reader, note=body.note.strip(), now=utc_now())
    with web.read() as session:
        return detail_out(get_study(session, uid, reader=web.reader))


@router.get("/reviews", summary="Second reads")
def reviews(web: WebDep, state: Annotated[ReviewState | None, Query()] = None) -> ReviewsOut:
    """Conflicts first, then wanted second reads by age, then what is settled; at most 200."""
    with web.read() as session:
        lines = list_reviews(session, reader=web.reader, lead=web.is_lead, state=state)
    return ReviewsOut.model_validate({"reviews": lines}, from_attributes=True)
