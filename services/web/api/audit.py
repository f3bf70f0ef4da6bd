"""`GET /v1/audit`: the audit log, for admins."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from services.web.context import WebDep
from services.web.identity import Admin
from services.web.identity.audit import whole_log
from services.web.identity.tables import Audit

router = APIRouter(prefix="/v1/audit", tags=["audit"])
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("number", "at", "who", "how", "address", "action", "what", "study_uid", "status", "previous", "digest")


def as_dict(row: Audit) -> dict[str, Any]:
    """A row in words; times in ISO 8601."""
    return {name: row.at.isoformat() if name == "at" else getattr(row, name) for name in COLUMNS}


def ndjson(log: Iterable[Audit]) -> Iterator[str]:
    """One JSON object a line."""
    for row in log:
        yield json.dumps(as_dict(row), ensure_ascii=True) + "\n"


def as_csv(log: Iterable[Audit]) -> Iterator[str]:
    """A header and one line a row. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in log:
        cells = [str(value) for value in as_dict(row).values()]
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


@router.get("", summary="The audit log", response_class=StreamingResponse)
def export(web: WebDep, _: Admin, form: Annotated[Literal["ndjson", "csv"], Query(alias="format")] = "ndjson") -> Any:
    """Every row in order, as it is streamed. The last line's `digest` is the head of the chain: keep it elsewhere."""
    if form == "csv":
        return StreamingResponse(as_csv(whole_log(web)), media_type="text/csv")
    return StreamingResponse(ndjson(whole_log(web)), media_type="application/x-ndjson")
