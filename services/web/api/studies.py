"""`GET /v1/studies`, `GET /v1/studies/{uid}`, `POST /v1/studies/{uid}/reads`."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Query, Response

from hilum.problems import Problem
from hilum.wire import Band
from services.web.api.paths import StudyUid
from services.web.context import WebDep, utc_now
from services.web.identity import need
from services.web.metrics import READS_KEPT
from services.web.reads import NewRead, commit_read
from services.web.studies import get_study
from services.web.views import StudyDetail
from services.web.waits import first_read, unread_since
from services.web.wire import NewReadBody, ReadAnswer, ReadRow, StudyDetailOut, StudyPageOut
from services.web.worklist import MAX_LIMIT, ListFilters, ListStatus, list_studies

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
router = APIRouter(prefix="/v1/studies", tags=["studies"])
may_look = need("reader", scope="studies:read")


def detail_out(detail: StudyDetail) -> StudyDetailOut:
    """The study's line and everything below it, in one object."""
    parts = asdict(detail)
    return StudyDetailOut.model_validate({**parts.pop("study"), **parts})


@router.get("", summary="The worklist, earliest due first", dependencies=[Depends(may_look)])
def worklist(
    web: WebDep,
    *,
    status: Annotated[
        ListStatus, Query(description="unread, read or closed (newest first), all, escalated, or one status.")
    ] = "unread",
    band: Annotated[Band | None, Query(description="One band; unread blind studies are in each.")] = None,
    finding: Annotated[
        str, Query(max_length=64, description="A finding that is present; unread blind studies show each.")
    ] = "",
    site: Annotated[str, Query(max_length=128, description="A site's whole name.")] = "",
    q: Annotated[
        str, Query(max_length=128, description="How an accession number or patient id begins, or a part of a site.")
    ] = "",
    since: Annotated[date | None, Query(description="First day of arrival (of reading or closing where done).")] = None,
    until: Annotated[date | None, Query(description="Last day, included.")] = None,
    unclaimed: Annotated[bool, Query(description="Without what another reader has claimed.")] = False,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> StudyPageOut:
    """A page of studies. Studies that arrive meanwhile shift nothing on later pages."""
    filters = ListFilters(status, band, finding, site, q, since, until, unclaimed)
    with web.read() as session:
        page = list_studies(session, filters, reader=web.reader, cursor=cursor, limit=limit)
    return StudyPageOut.model_validate(page)


@router.get("/{uid}", summary="One study", dependencies=[Depends(may_look)])
def study(web: WebDep, uid: StudyUid) -> StudyDetailOut:
    """Films, answer, warnings, conflicts and reads; while the study is blind to you, without the answer."""
    with web.read() as session:
        return detail_out(get_study(session, uid, reader=web.reader))


def idempotency(value: str | None) -> str:
    """The header's key; a 400 problem without one of 1 to 128 visible ASCII characters."""
    if value is None:
        raise Problem(400, "no-idempotency-key", "Send an Idempotency-Key header: any text, new for each read.")
    if not _KEY.fullmatch(value):
        raise Problem(400, "bad-idempotency-key", "Idempotency-Key: 1 to 128 visible ASCII characters.")
    return value


@router.post("/{uid}/reads", status_code=201, summary="Keep a read", responses={200: {"model": ReadAnswer}})
def read_study(
    web: WebDep,
    uid: StudyUid,
    body: NewReadBody,
    response: Response,
    idempotency_key: Annotated[str | None, Header()] = None,
    hilum_reader: Annotated[str | None, Header(description="Whose read it is, percent-encoded: checked.")] = None,
) -> ReadAnswer:
    """201 once the read is on disk; the same again under the same key gives 200 and the same read."""
    key = idempotency(idempotency_key)
    # A read that waited in a browser must not be signed by whoever signs in there next.
    if hilum_reader and unquote(hilum_reader) != web.reader:
        raise Problem(403, "another-reader", "This read was made by another person, who must sign in to send it.")
    films = None if body.film_uids is None else tuple(body.film_uids)
    new = NewRead(
        body.labels, body.answer_version, body.seconds_spent, body.comment, films, body.seen_version, body.kind
    )
    with web.write() as session:
        first = unread_since(session, uid)
        kept, created = commit_read(
            session, uid, new, key=key, reader=web.reader, lead=web.is_lead, settings=web.settings, now=utc_now()
        )
    if created and first is not None:
        first_read(*first, utc_now())
    if created:
        READS_KEPT.labels(str(kept.blind).lower()).inc()
        web.reads_waiting.set()
    response.status_code = 201 if created else 200
    with web.read() as session:
        detail = get_study(session, uid, reader=web.reader)
    return ReadAnswer(read=ReadRow.model_validate(kept), study=detail_out(detail))
