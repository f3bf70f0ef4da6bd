"""Second reads: asked for by a lead or chosen by the site's share, blind to the first, agreed or adjudicated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from hilum.problems import Problem
from services.web.blind import withheld
from services.web.standing import pair, reads_of, rereview
from services.web.studies import no_such_study, review_view
from services.web.tables import Read, Review, Study
from services.web.urgency import locked_study
from services.web.views import ReviewView, StudyRow
from services.web.worklist import study_rows

ReviewState = Literal["wanted", "conflict", "agreed", "settled"]
REVIEW_STATES: tuple[str, ...] = get_args(ReviewState)
LIMIT = 200


@dataclass(frozen=True)
class ReviewLine:
    """A study with its review. `mine`: this reader may do what is wanted next; `readers` is empty while wanted."""

    study: StudyRow
    review: ReviewView
    readers: tuple[str, ...]
    mine: bool


def others_hidden(reader: str) -> ColumnElement[bool]:
    """SQL: whether the study's other reads are kept from `reader`: a second read is wanted, and they have made none."""
    mine = exists(select(Read.id).where(Read.study_uid == Study.uid, Read.reader == reader))
    wanted = exists(select(Review.study_uid).where(Review.study_uid == Study.uid, Review.state == "wanted"))
    return and_(wanted, ~mine)


def ask_for_second_read(session: Session, uid: str, *, lead: str, note: str, now: datetime) -> Review:
    """Have study `uid` read by a second person; asked again it changes nothing. Raises problems 404 and 409."""
    study = locked_study(session, uid)
    if study is None:
        raise no_such_study()
    if not reads_of(session, uid):
        raise Problem(409, "not-read-yet", "Nobody has read this study yet: a second read follows a first one.")
    review = session.get(Review, uid)
    if review is None:
        review = Review(study_uid=uid, why="lead", asked_by=lead, asked_at=now, note=note)
        session.add(review)
        session.flush()
        rereview(session, study, wanted=True, now=now)
    return review


def list_reviews(session: Session, *, reader: str, lead: bool, state: ReviewState | None = None) -> list[ReviewLine]:
    """At most 200 reviews, what is to be done first: conflicts, then wanted ones by age, then the newest others."""
    hidden = withheld(reader)
    query = select(Study, Review, hidden).join(Review, Review.study_uid == Study.uid)
    if state is not None:
        query = query.where(Review.state == state)
    query = query.order_by(Review.state == "settled", Review.state == "agreed", Review.state == "wanted")
    found = session.execute(query.order_by(Review.asked_at, Study.uid).limit(LIMIT)).all()
    rows = study_rows(session, [(study, bool(is_hidden)) for study, _, is_hidden in found])
    lines = []
    for row, (_, review, is_hidden) in zip(rows, found, strict=True):
        first, second = pair(reads_of(session, row.uid))
        readers = tuple(read.reader for read in (first, second) if read is not None)
        wanted = review.state == "wanted"
        mine = reader not in readers and (wanted or (lead and review.state == "conflict"))
        view = review_view(review, blind=bool(is_hidden))
        if view is not None:
            lines.append(ReviewLine(row, view, () if wanted and mine else readers, mine))
    return lines


def count_reviews(session: Session) -> dict[str, int]:
    """How many reviews are in each state."""
    counts = dict.fromkeys(REVIEW_STATES, 0)
    for state, count in session.execute(select(Review.state, func.count()).group_by(Review.state)):
        counts[state] = count
    return counts
