"""`/findings/{name}`, and `/pneumonia`: one finding as present, not present, or between the points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.responses import RedirectResponse, Response

from hilum.problems import Problem
from services.web.context import Web, WebDep
from services.web.findings import list_by_finding
from services.web.pages.bars import Bar, bar
from services.web.pages.pager import pager
from services.web.pages.render import BINARY, page, shell
from services.web.releases import newest_model
from services.web.studies import get_study
from services.web.views import StudyRow

router = APIRouter(include_in_schema=False)
PAGE = 50


@dataclass(frozen=True)
class Line:
    """A study and what its answer says of the finding; `item` is None where the answer is withheld or has none."""

    study: StudyRow
    film_uid: str
    item: Bar | None
    why: str = ""


def _view(web: Web, name: str, cursor: str, trail: str) -> Response:
    with web.read() as session:
        model = newest_model(session)
        known = model.findings if model else []
        info = next((item for item in known if item.name == name), None)
        if model and info is None:
            raise Problem(404, "unknown-finding", f"The release does not score a finding of this name: {name[:64]}.")
        found = list_by_finding(session, name, reader=web.reader, cursor=cursor or None, limit=PAGE)
        lines = [
            Line(row.study, row.study.first_film_uid, bar(row.finding) if row.finding else None)
            for row in found.rows
            if row.finding or row.study.blind
        ]
        return page(
            "finding.html",
            **shell(web, session),
            place="finding",
            finding=name,
            findings=[item.name for item in known],
            info=info,
            lines=lines,
            pager=pager(f"/findings/{quote(name)}", {}, cursor, trail, found.next_cursor),
        )


@router.get("/pneumonia")
def pneumonia(web: WebDep) -> Response:
    """The binary view that most ask for."""
    return _view(web, BINARY, "", "")


@router.get("/findings")
def choose(name: Annotated[str, Query(max_length=128)]) -> Response:
    """Lead from the choice of a finding to its page."""
    return RedirectResponse(f"/findings/{quote(name, safe='')}", status_code=303)


@router.get("/findings/{name}")
def finding(
    web: WebDep,
    name: str,
    cursor: Annotated[str, Query(max_length=4096)] = "",
    trail: Annotated[str, Query(max_length=8192)] = "",
) -> Response:
    """The binary view of finding `name`."""
    return _view(web, name, cursor, trail)


@router.get("/findings/{name}/studies/{uid}")
def trial(web: WebDep, name: str, uid: str) -> Response:
    """What the answer of one study says of the finding, as a part of the page; a header says when there is none yet."""
    with web.read() as session:
        detail = get_study(session, uid, reader=web.reader)
    items = detail.answer.findings if detail.answer else ()
    item = next((bar(f) for f in items if f.name == name), None)
    why = next((film.reason for film in detail.films if film.reason), None) or "The release does not score it."
    waiting = item is None and any(film.state == "waiting" for film in detail.films)
    film_uid = item.film_uid if item else detail.study.first_film_uid
    headers = {"x-hilum-waiting": "yes" if waiting else "no"}
    return page("_trial.html", headers=headers, line=Line(detail.study, film_uid, item, why))
