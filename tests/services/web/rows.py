"""Studies as bare rows, for tests of what the list does with them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.web.tables import Answer, Study
from services.web.urgency import locked_study
from tests.services.web.room import Room

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def add(room: Room, number: int, due: datetime, **values: Any) -> str:
    """A row without films: the list's own business is order and paging."""
    uid = f"1.2.{number}"
    row = {"status": "scored", "band": "routine", "score": 0.0, "reason": "", "accession": f"A-{number}", **values}
    row = {"arrived_at": NOW, "present_version": 1, **row}
    with room.web.write() as session:
        session.add(Study(uid=uid, due_at=due, answer_version=1, **row))
    return uid


def answered(room: Room, uid: str, *present: str) -> None:
    """Give a row the answer that `present` findings are present, as a release before this version would leave it."""
    findings = [{"name": name, "present": True, "established": True} for name in present]
    findings.append({"name": "Edema", "present": False, "established": True})
    findings.append({"name": "Hernia", "present": True, "established": False})
    with room.web.write() as session:
        study = locked_study(session, uid)
        assert study is not None
        study.present_version = 0
        payload = {"findings": findings}
        session.add(
            Answer(study_uid=uid, version=1, release_digest="d", precision="fp32", payload=payload, made_at=NOW)
        )
