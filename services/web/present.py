"""The findings that a study's current answer calls present, as rows that a filter can search."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from services.web.list_tables import PresentFinding
from services.web.tables import Answer, Study


def keep_present(session: Session, study: Study) -> None:
    """Bring the rows in step with `study`, whose status and due time are set and which is locked."""
    unread = study.status != "read"
    if study.present_version != study.answer_version:
        session.execute(delete(PresentFinding).where(PresentFinding.study_uid == study.uid))
        answer = session.get(Answer, (study.uid, study.answer_version))
        for item in answer.payload["findings"] if answer is not None else ():
            # What is not established is in no band, and in no filter.
            if item["present"] and item["established"]:
                session.add(
                    PresentFinding(
                        study_uid=study.uid,
                        finding=item["name"],
                        due_at=study.due_at,
                        last_read_at=study.last_read_at,
                        unread=unread,
                    )
                )
        study.present_version = study.answer_version
        return
    if study.answer_version:
        rows = update(PresentFinding).where(PresentFinding.study_uid == study.uid)
        session.execute(rows.values(due_at=study.due_at, last_read_at=study.last_read_at, unread=unread))


def catch_up(session: Session, limit: int = 200) -> int:
    """Sort in at most `limit` studies that a version before this one answered; returns how many there were."""
    late = select(Study).where(Study.answer_version != Study.present_version).order_by(Study.uid).limit(limit)
    studies = session.scalars(late.with_for_update(skip_locked=True)).all()
    for study in studies:
        keep_present(session, study)
    return len(studies)
