"""The training export as CSV."""

from __future__ import annotations

import itertools
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from hilum.problems import Problem
from services.feedback.export import Selection, csv_lines
from services.feedback.service import LedgerDep

router = APIRouter(prefix="/v1", tags=["export"])
# Within these years every offset from UTC still gives a time that databases keep.
FIRST_YEAR, LAST_YEAR = 1900, 9000


@router.get("/export.csv", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {}}}})
def export(
    ledger: LedgerDep,
    since: Annotated[AwareDatetime | None, Query(description="Reads received from this time on.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Reads received before this time.")] = None,
    finding: Annotated[list[str] | None, Query(description="Only this column; repeated for several.")] = None,
    site: Annotated[str | None, Query(description="Only reads of this site.")] = None,
    reader: Annotated[str | None, Query(description="Only this reader's.")] = None,
    release: Annotated[str | None, Query(description="Only reads of this release's answers, by its digest.")] = None,
    blind: Annotated[bool | None, Query(description="Only blind reads, or only those that saw the answer.")] = None,
) -> StreamingResponse:
    """One row per film from the read of its study that counts: `image_id`, then 1, 0, -1 or blank per finding."""
    for name, value in (("since", since), ("until", until)):
        if value is not None and not FIRST_YEAR <= value.year <= LAST_YEAR:
            raise Problem(422, "invalid-request", f"{name}: a year from {FIRST_YEAR} to {LAST_YEAR}")
    for text in (site, reader, release):
        if text is not None and "\0" in text:
            raise Problem(422, "invalid-request", "a filter holds a NUL character")
    selection = Selection(since, until, tuple(finding or ()), site, reader, release, blind)
    pieces = csv_lines(ledger, selection)
    # The first piece now: a database away is a 503, not a file that breaks off.
    header = next(pieces)
    return StreamingResponse(
        itertools.chain([header], pieces),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="hilum-reads.csv"'},
    )
