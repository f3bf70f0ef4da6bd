"""What became of an object, as a C-STORE status (PS3.4 table B.2-1) and as a STOW-RS failure reason (PS3.18 I.2.2)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from services.web.views import FilmOutcome

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
# The object's own UIDs differ from those that the request names.
DOES_NOT_MATCH = 0xA900
PROCESSING_FAILURE = 0x0110
# Range C000-CFFF, "cannot understand", by the HTTP status of the same refusal. Listed in docs/dicom.md.
CANNOT_UNDERSTAND = 0xC000
_REASONS = {400: 0xC001, 409: 0xC002, 413: 0xC003, 415: 0xC004, 422: 0xC005}


def status_of(outcome: FilmOutcome) -> int:
    """0000 for what is kept now or was before, else the C-xxx of its refusal."""
    if outcome.outcome in {"stored", "duplicate"}:
        return SUCCESS
    if outcome.kind in {"uid-differs", "study-differs"}:
        return DOES_NOT_MATCH
    return _REASONS.get(outcome.status, CANNOT_UNDERSTAND)


def answer(status: int, comment: str = "") -> Dataset:
    """The status elements of a C-STORE response. An error comment is at most 64 characters (LO)."""
    response = Dataset()
    response.Status = status
    if comment and status != SUCCESS:
        text = comment.encode("ascii", "replace").decode().replace("\\", "/")
        response.ErrorComment = text if len(text) <= 64 else text[:61].rstrip() + "..."
    return response
