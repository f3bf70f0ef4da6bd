"""One finding across studies: the list behind the pneumonia view, newest study first."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, select, tuple_
from sqlalchemy.orm import Session

from services.web.blind import withheld
from services.web.cursor import decode_cursor, encode_cursor
from services.web.studies import answer_view
from services.web.tables import Answer, Study
from services.web.views import AnsweredFinding, StudyRow
from services.web.worklist import MAX_LIMIT, study_rows


@dataclass(frozen=True)
class FindingRow:
    """A study with what its answer says of one finding; None where that is withheld from a blind reader."""

    study: StudyRow
    finding: AnsweredFinding | None


@dataclass(frozen=True)
class FindingPage:
    """A page of the list; `next_cursor` is None at the end."""

    rows: tuple[FindingRow, ...]
    next_cursor: str | None


def list_by_finding(
    session: Session, name: str, *, reader: str, cursor: str | None = None, limit: int = 50
) -> FindingPage:
    """Studies with an answer, newest arrival first. `name` may be one that no release scores: all None then."""
    query = (
        select(Study, withheld(reader), Answer)
        .join(Answer, and_(Answer.study_uid == Study.uid, Answer.version == Study.answer_version))
        .order_by(Study.arrived_at.desc(), Study.uid.desc())
    )
    if cursor:
        query = query.where(tuple_(Study.arrived_at, Study.uid) < tuple_(*decode_cursor("arrival", cursor)))
    limit = min(max(limit, 1), MAX_LIMIT)
    found = [(row[0], bool(row[1]), row[2]) for row in session.execute(query.limit(limit + 1))]
    page = found[:limit]
    rows = study_rows(session, [(study, hidden) for study, hidden, _ in page], reader=reader)
    findings = [
        None if hidden else next((f for f in answer_view(answer).findings if f.name == name), None)
        for _, hidden, answer in page
    ]
    next_cursor = None
    if len(found) > limit:
        next_cursor = encode_cursor("arrival", page[-1][0].arrived_at, page[-1][0].uid)
    return FindingPage(tuple(FindingRow(row, item) for row, item in zip(rows, findings, strict=True)), next_cursor)
