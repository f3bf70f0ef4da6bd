"""`/studies/{uid}`: the film, the answer and the read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.web.context import WebDep
from services.web.dicom.results import results_of
from services.web.pages.bars import ordered
from services.web.pages.labels import in_words
from services.web.pages.render import page, shell
from services.web.priors import prior_of
from services.web.studies import get_study
from services.web.worklist import next_unread, previous_unread

router = APIRouter(include_in_schema=False)


@router.get("/studies/{uid}")
def study(web: WebDep, uid: str, again: Annotated[str, Query()] = "", saved: Annotated[str, Query()] = "") -> Response:
    """An unread study with its form; a read one with its read beside the answer; `again`: to read it anew."""
    with web.read() as session:
        detail = get_study(session, uid, reader=web.reader)
        is_read = detail.study.status == "read" and bool(detail.reads)
        form = not is_read or bool(again)
        return page(
            "study.html",
            **shell(web, session),
            place="study",
            detail=detail,
            lines=ordered(detail.answer.findings) if detail.answer else [],
            form=form,
            saved=bool(saved),
            chosen=detail.reads[0].labels if is_read and again else {},
            in_words=in_words,
            results=() if detail.study.blind else results_of(session, uid),
            prior=prior_of(session, uid),
            before=previous_unread(session, uid),
            after=next_unread(session, uid),
        )
