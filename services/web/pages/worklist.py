"""`/` and `/history`: the lists of studies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, get_args

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from hilum.wire import Band
from services.web.context import WebDep
from services.web.pages.labels import in_words
from services.web.pages.pager import pager
from services.web.pages.render import environment, page, shell
from services.web.pages.words import duration
from services.web.reviews import others_hidden
from services.web.standing import standing
from services.web.studies import read_view
from services.web.tables import Read, Study
from services.web.views import ReadView, StudyRow
from services.web.worklist import ListStatus, list_studies, summarise

router = APIRouter(include_in_schema=False)
PAGE = 50


@dataclass(frozen=True)
class HistoryLine:
    """A study with its latest read. `waited`: from arrival to the first read; `late`: that was after its due time."""

    study: StudyRow
    read: ReadView
    versions: int
    words: str
    waited: str
    late: bool


def _history(session: Session, studies: tuple[StudyRow, ...], reader: str) -> list[HistoryLine]:
    by_study: dict[str, list[Read]] = {study.uid: [] for study in studies}
    # A second reader must not see the first read; a read that was taken back is no read.
    kept_from = set(session.scalars(select(Study.uid).where(Study.uid.in_(by_study), others_hidden(reader))))
    query = select(Read).where(Read.study_uid.in_(by_study)).order_by(Read.version)
    for read in standing(session.scalars(query)):
        by_study[read.study_uid].append(read)
    lines = []
    for study in studies:
        reads = by_study[study.uid]
        if not reads:
            continue
        first, last = reads[0], reads[-1]
        waited = (first.read_at - study.arrived_at).total_seconds()
        hidden = study.blind or study.uid in kept_from
        words = "labels shown after your own read" if hidden else in_words(last.labels)
        late = first.read_at > study.due_at
        lines.append(HistoryLine(study, _shown(last, hidden=hidden), len(reads), words, duration(waited), late))
    return lines


def _shown(read: Read, *, hidden: bool) -> ReadView:
    view = read_view(read, None)
    return replace(view, reader="another reader", comment="", labels={}) if hidden else view


class ListQuery(BaseModel):
    """What the address of a list can say. A hand-typed filter that is none shows everything unread: a list must never
    be empty by mistake.
    """

    status: Annotated[str, Field(max_length=32)] = "unread"
    band: Annotated[str, Field(max_length=32)] = ""
    q: Annotated[str, Field(max_length=256)] = ""
    cursor: Annotated[str, Field(max_length=4096)] = ""
    trail: Annotated[str, Field(max_length=16384)] = ""
    part: Annotated[str, Field(max_length=32)] = ""

    @property
    def list_status(self) -> ListStatus:
        """Which studies; what is read has its own page."""
        return next((s for s in get_args(ListStatus) if s == self.status and s != "read"), "unread")

    @property
    def in_band(self) -> Band | None:
        """The band asked for."""
        return next((b for b in get_args(Band) if b == self.band), None)

    @property
    def filters(self) -> dict[str, str]:
        """The part of the address that stays from page to page."""
        status = "" if self.list_status == "unread" else self.list_status
        return {"status": status, "band": self.in_band or "", "q": self.q}


@router.get("/")
def worklist(
    web: WebDep, asked: Annotated[ListQuery, Query()], if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """The worklist, earliest due first. `part=list`: the list alone, for a page that refreshes itself."""
    now = datetime.now(UTC)
    with web.read() as session:
        studies = list_studies(
            session,
            reader=web.reader,
            status=asked.list_status,
            band=asked.in_band,
            text=asked.q,
            cursor=asked.cursor or None,
            limit=PAGE,
        )
        context = {
            **shell(web, session),
            "place": "worklist",
            "summary": summarise(session, reader=web.reader, now=now),
            "studies": studies.studies,
            "now": now,
            "status": asked.list_status,
            "band": asked.in_band or "",
            "q": asked.q,
            "filtered": bool(any(asked.filters.values()) or asked.cursor),
            "pager": pager("/", asked.filters, asked.cursor, asked.trail, studies.next_cursor),
        }
    if asked.part != "list":
        return page("worklist.html", **context)
    # What the browser keeps true by itself, the passing of time, is not in the tag.
    tag = f'"{sha256(repr((context["studies"], context["summary"], context["pager"])).encode()).hexdigest()[:16]}"'
    if if_none_match == tag:
        return Response(status_code=304, headers={"etag": tag, "cache-control": "no-store"})
    html = environment().get_template("_list.html").render(**context)
    return HTMLResponse(html, headers={"etag": tag, "cache-control": "no-store"})


@router.get("/history")
def history(web: WebDep, asked: Annotated[ListQuery, Query()]) -> Response:
    """What was read, newest first."""
    with web.read() as session:
        studies = list_studies(
            session, reader=web.reader, status="read", text=asked.q, cursor=asked.cursor or None, limit=PAGE
        )
        return page(
            "history.html",
            **shell(web, session),
            place="history",
            lines=_history(session, studies.studies, web.reader),
            q=asked.q,
            pager=pager("/history", {"q": asked.q}, asked.cursor, asked.trail, studies.next_cursor),
        )
