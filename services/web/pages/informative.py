"""`/informative`: the order of active learning, beside the order of reading and never instead of it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from services.web.context import WebDep
from services.web.informative import most_informative
from services.web.pages.render import page, shell
from services.web.worklist import next_unread

router = APIRouter(include_in_schema=False)


@router.get("/informative")
def informative(web: WebDep) -> Response:
    """Unread studies, nearest to deciding otherwise first; says which study is due first all the same."""
    with web.read() as session:
        return page(
            "informative.html",
            **shell(web, session),
            place="informative",
            found=most_informative(session, reader=web.reader),
            due_first=next_unread(session),
        )
