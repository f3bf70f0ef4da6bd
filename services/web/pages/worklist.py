"""`/` and `/history`: the lists of studies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, get_args

from fastapi import APIRouter, Header, Query
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from hilum.wire import Band
from services.web.context import WebDep
from services.web.pages.labels import in_words
from services.web.pages.pager import pager
from services.web.pages.render import environment, page, shell
from services.web.pages.words import duration
from services.web.studies import read_view
from services.web.tables import Read
from services.web.views import ReadView, StudyRow
from services.web.worklist import ListStatus, list_studies, summarise

router = APIRouter(include_in_schema=False)
PAGE = 50
Text = Annotated[str, Query(max_length=4096)]


@dataclass(frozen=True)
class HistoryLine:
    """A study with its latest read. `waited`: from arrival to the first read; `late`: that was after its due time."""

    study: StudyRow
    read: ReadView
    versions: int
    words: str
    waited: str
    late: bool


def _history(session: Session, studies: tuple[StudyRow, ...]) -> list[HistoryLine]:
    by_study: dict[str, list[Read]] = {study.uid: [] for study in studies}
    query = select(Read).where(Read.study_uid.in_(by_study)).order_by(Read.version)
    for read in session.scalars(query):
        by_study[read.study_uid].append(read)
    lines = []
    for study in studies:
        reads = by_study[study.uid]
        if not reads:
            continue
        first, last = reads[0], reads[-1]
        waited = (first.read_at - study.arrived_at).total_seconds()
        words = "labels shown after your own read" if study.blind else in_words(last.labels)
        late = first.read_at > study.due_at
        lines.append(HistoryLine(study, read_view(last, None), len(reads), words, duration(waited), late))
    return lines


@router.get("/")
def worklist(
    web: WebDep,
    status: Text = "unread",
    band: Text = "",
    q: Text = "",
    cursor: Text = "",
    trail: Annotated[str, Query(max_length=8192)] = "",
    part: Text = "",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The worklist, earliest due first. `part=list`: the list alone, for a page that refreshes itself."""
    # A hand-typed filter that is none shows everything unread: a list must never be empty by mistake.
    chosen: ListStatus = next((s for s in get_args(ListStatus) if s == status and s != "read"), "unread")
    in_band: Band | None = next((b for b in get_args(Band) if b == band), None)
    now = datetime.now(UTC)
    with web.read() as session:
        studies = list_studies(
            session, reader=web.reader, status=chosen, band=in_band, text=q, cursor=cursor or None, limit=PAGE
        )
        context = {
            **shell(web, session),
            "place": "worklist",
            "summary": summarise(session, reader=web.reader, now=now),
            "studies": studies.studies,
            "now": now,
            "status": chosen,
            "band": in_band or "",
            "q": q,
            "filtered": bool(q or in_band or chosen != "unread" or cursor),
            "pager": pager("/", _filters(chosen, in_band, q), cursor, trail, studies.next_cursor),
        }
    if part != "list":
        return page("worklist.html", **context)
    # What the browser keeps true by itself, the passing of time, is not in the tag.
    tag = f'"{sha256(repr((context["studies"], context["summary"], context["pager"])).encode()).hexdigest()[:16]}"'
    if if_none_match == tag:
        return Response(status_code=304, headers={"etag": tag, "cache-control": "no-store"})
    html = environment().get_template("_list.html").render(**context)
    return HTMLResponse(html, headers={"etag": tag, "cache-control": "no-store"})


def _filters(status: str, band: str | None, q: str) -> dict[str, str]:
    return {"status": "" if status == "unread" else status, "band": band or "", "q": q}


@router.get("/history")
def history(
    web: WebDep, q: Text = "", cursor: Text = "", trail: Annotated[str, Query(max_length=8192)] = ""
) -> Response:
    """What was read, newest first."""
    with web.read() as session:
        studies = list_studies(
            session, reader=web.reader, status="read", text=q, cursor=cursor or None, limit=PAGE
        )
        return page(
            "history.html",
            **shell(web, session),
            place="history",
            lines=_history(session, studies.studies),
            q=q,
            pager=pager("/history", {"q": q}, cursor, trail, studies.next_cursor),
        )


