"""`/` and `/history`: the lists of studies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.web.context import WebDep
from services.web.filters import ListFilters, known_sites
from services.web.list_query import ListQuery, address_of
from services.web.pages.labels import in_words
from services.web.pages.pager import pager
from services.web.pages.render import environment, page, shell
from services.web.pages.words import duration
from services.web.releases import newest_model
from services.web.reviews import others_hidden
from services.web.saved_views import default_view, views_of
from services.web.standing import standing
from services.web.studies import read_view
from services.web.summary import summarise
from services.web.tables import Read, Study
from services.web.views import ReadView, StudyRow
from services.web.worklist import list_studies

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
        late = study.due_at is not None and first.read_at > study.due_at
        lines.append(HistoryLine(study, _shown(last, hidden=hidden), len(reads), words, duration(waited), late))
    return lines


def _shown(read: Read, *, hidden: bool) -> ReadView:
    view = read_view(read, None)
    return replace(view, reader="another reader", comment="", labels={}) if hidden else view


def _address(filters: dict[str, str], view: str) -> str:
    return urlencode({**filters, "view": view})


@router.get("/")
def worklist(
    web: WebDep,
    request: Request,
    asked: Annotated[ListQuery, Query()],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The worklist, earliest due first. `part=list`: the list alone, for a page that refreshes itself.

    Without anything in the address the reader's default view is shown, under its own address.
    """
    now = datetime.now(UTC)
    with web.read() as session:
        if not request.url.query and (first := default_view(session, web.reader)):
            return RedirectResponse(f"/?{_address(first.filters, first.name)}", status_code=303)
        filters = asked.filters
        studies = list_studies(session, filters, reader=web.reader, cursor=asked.cursor or None, limit=PAGE)
        model = newest_model(session)
        context = {
            **shell(web, session),
            "place": "worklist",
            "summary": summarise(session, reader=web.reader, now=now),
            "studies": studies.studies,
            "now": now,
            "filters": filters,
            "view": asked.view,
            "views": [
                {"id": v.id, "name": v.name, "is_default": v.is_default, "address": _address(v.filters, v.name)}
                for v in views_of(session, web.reader)
            ],
            "truncated": studies.truncated,
            "findings": [item.name for item in model.findings if item.established] if model else [],
            "sites": known_sites(session),
            "filtered": bool(address_of(filters) or asked.cursor),
            "pager": pager("/", asked.address, asked.cursor, asked.trail, studies.next_cursor),
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
        filters = ListFilters(status="read", text=asked.q)
        studies = list_studies(session, filters, reader=web.reader, cursor=asked.cursor or None, limit=PAGE)
        return page(
            "history.html",
            **shell(web, session),
            place="history",
            lines=_history(session, studies.studies, web.reader),
            q=asked.q,
            pager=pager("/history", {"q": asked.q}, asked.cursor, asked.trail, studies.next_cursor),
        )
