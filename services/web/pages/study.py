"""`/studies/{uid}`: the film, the answer and the read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.web.context import WebDep
from services.web.dicom.results import results_of
from services.web.pages.bars import ordered
from services.web.pages.labels import changes, in_words
from services.web.pages.render import page, shell
from services.web.priors import prior_of
from services.web.studies import get_study
from services.web.views import ReadView, StudyDetail
from services.web.worklist import next_unread, previous_unread

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Begun:
    """What the form holds when it opens."""

    labels: dict[str, int | None]
    comment: str = ""


def counting(detail: StudyDetail) -> list[ReadView]:
    """The reads that count, newest first."""
    return [read for read in detail.reads if read.kind != "withdrawal" and not read.withdrawn]


def parties(detail: StudyDetail) -> list[ReadView]:
    """The first and the second reader's last reads, and the adjudication where there is one."""
    found: list[ReadView] = []
    for kind in ("read", "second", "adjudication"):
        found += [read for read in counting(detail) if read.kind == kind][:1]
    return found


def begun(detail: StudyDetail, reader: str, *, again: bool, undone: bool, adjudicate: bool) -> Begun:
    """What the form begins with: nothing, one's own last read, or what two readers agree on."""
    if adjudicate:
        first, second = parties(detail)[:2]
        alike = {name: value for name, value in first.labels.items() if second.labels.get(name) == value}
        return Begun(alike)
    mine = [read for read in detail.reads if read.reader == reader and read.kind != "withdrawal"]
    mine = [read for read in mine if read.withdrawn == undone]
    return Begun(mine[0].labels, mine[0].comment) if mine and (again or undone) else Begun({})


@router.get("/studies/{uid}")
def study(
    web: WebDep,
    uid: str,
    again: Annotated[str, Query()] = "",
    saved: Annotated[str, Query()] = "",
    undone: Annotated[str, Query()] = "",
    adjudicate: Annotated[str, Query()] = "",
) -> Response:
    """An unread study with its form; a read one with its read beside the answer.

    `again`: to read it anew; `undone`: a read was just taken back; `adjudicate`: a lead decides between two readers.
    """
    with web.read() as session:
        detail = get_study(session, uid, reader=web.reader)
        counts = counting(detail)
        is_read = detail.study.status == "read" and bool(counts)
        two = parties(detail)
        third = len(two) > 1 and web.is_lead and web.reader not in {read.reader for read in two[:2]}
        decide = bool(adjudicate) and third
        start = begun(detail, web.reader, again=bool(again), undone=bool(undone), adjudicate=decide)
        return page(
            "study.html",
            **shell(web, session),
            place="study",
            detail=detail,
            lines=ordered(detail.answer.findings) if detail.answer else [],
            form=not is_read or bool(again) or decide,
            saved=bool(saved),
            read=counts[0] if counts else None,
            parties=two,
            third=third,
            decide=decide,
            lead=web.is_lead,
            undo_seconds=web.settings.undo_seconds,
            chosen=start.labels,
            comment=start.comment,
            in_words=in_words,
            results=() if detail.study.blind else results_of(session, uid),
            prior=prior_of(session, uid),
            changes=changes,
            before=previous_unread(session, uid),
            after=next_unread(session, uid),
        )
