"""`/reviews`: second reads that are wanted, conflicts, and what became of the others."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.web.context import WebDep
from services.web.pages.render import page, shell
from services.web.reviews import REVIEW_STATES, count_reviews, list_reviews

router = APIRouter(include_in_schema=False)


@router.get("/reviews")
def reviews(web: WebDep, state: Annotated[str, Query(max_length=32)] = "") -> Response:
    """Conflicts first, then wanted second reads by age. A state that is none shows all."""
    chosen = next((known for known in REVIEW_STATES if known == state), None)
    with web.read() as session:
        lines = list_reviews(session, reader=web.reader, lead=web.is_lead)
        return page(
            "reviews.html",
            **shell(web, session),
            place="reviews",
            lines=[line for line in lines if chosen in {None, line.review.state}],
            counts=count_reviews(session),
            state=chosen or "",
            share=web.settings.second_read_share,
            lead=web.is_lead,
        )
