"""`GET /v1/informative`: the order of active learning, as a view."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from services.web.context import WebDep
from services.web.informative import most_informative
from services.web.wire import Out, StudyOut

router = APIRouter(prefix="/v1", tags=["studies"])


class InformativeOut(Out):
    """A study, and the finding that lies nearest to its alert point."""

    study: StudyOut
    finding: str
    distance: float = Field(description="Logits from the finding's alert point.")


class InformativePageOut(Out):
    """Answer of `GET /v1/informative`."""

    lines: list[InformativeOut]
    compared: int
    withheld: int = Field(description="Studies that are blind to you: their place here would tell.")


@router.get("/informative", summary="Unread studies that would teach most")
def informative(web: WebDep, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> InformativePageOut:
    """Not the order of reading: `GET /v1/studies` is. Nothing here changes a due time."""
    with web.read() as session:
        return InformativePageOut.model_validate(most_informative(session, reader=web.reader, limit=limit))
