"""Which unread studies a data scientist would learn most from: those whose answer is nearest to deciding otherwise.

A view for data, never the order of reading: the worklist stays by due time. Uncertainty sampling (Lewis & Gale 1994),
with the distance to each finding's own alert point in logits, so that rare and common findings compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.web.blind import withheld
from services.web.studies import answer_view
from services.web.tables import Answer, Study
from services.web.views import AnsweredFinding, StudyRow
from services.web.worklist import study_rows

# Of the unread, the newest so many are compared; more would be a scan of the whole table.
COMPARED = 2_000
SMALLEST = 1e-6


@dataclass(frozen=True)
class Informative:
    """A study, the finding that decides its place and how far (logits) it lies from its alert point."""

    study: StudyRow
    finding: str
    distance: float


@dataclass(frozen=True)
class InformativePage:
    """At most `limit` studies, nearest first. `withheld` studies are blind to this reader and are not compared."""

    lines: tuple[Informative, ...]
    compared: int
    withheld: int


def _logit(probability: float) -> float:
    p = min(max(probability, SMALLEST), 1 - SMALLEST)
    return math.log(p / (1 - p))


def distance(finding: AnsweredFinding) -> float:
    """|logit(probability) - logit(alert point)|."""
    return abs(_logit(finding.probability) - _logit(finding.alert))


def most_informative(session: Session, *, reader: str, limit: int = 50) -> InformativePage:
    """Unread, scored studies by their nearest established finding; a tie keeps the order of due times."""
    hidden = withheld(reader)
    query = (
        select(Study, Answer, hidden)
        .join(Answer, (Answer.study_uid == Study.uid) & (Answer.version == Study.answer_version))
        .where(Study.status != "read", Study.synthetic.is_(False))
        .order_by(Study.arrived_at.desc(), Study.uid)
        .limit(COMPARED)
    )
    found: list[tuple[float, str, Study]] = []
    blind = 0
    for study, answer, is_hidden in session.execute(query):
        if is_hidden:
            # Its place here would say what the answer says.
            blind += 1
            continue
        established = [finding for finding in answer_view(answer).findings if finding.established]
        if established:
            nearest = min(established, key=distance)
            found.append((distance(nearest), nearest.name, study))
    found.sort(key=lambda each: (each[0], each[2].due_at, each[2].uid))
    rows = study_rows(session, [(study, False) for _, _, study in found[:limit]])
    lines = tuple(Informative(row, name, far) for row, (far, name, _) in zip(rows, found, strict=False))
    return InformativePage(lines, len(found), blind)
