"""The worklist: earliest due first, paged by keyset, so that paging is stable while studies arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session

from hilum.wire import Band
from services.web.blind import withheld
from services.web.cursor import decode_cursor, encode_cursor
from services.web.identity.mask import shown
from services.web.tables import Conflict, Film, Study
from services.web.views import StudyPage, StudyRow, Summary

ListStatus = Literal["unread", "read", "all", "waiting", "scored", "not_scored"]
LIST_STATUSES: tuple[str, ...] = get_args(ListStatus)
MAX_LIMIT = 200


def study_rows(session: Session, studies: Sequence[tuple[Study, bool]]) -> tuple[StudyRow, ...]:
    """The lines for `studies`, each with whether its answer is withheld; two more queries, whatever the number."""
    uids = [study.uid for study, _ in studies]
    films: dict[str, list[tuple[str, int]]] = defaultdict(list)
    of_films = (
        select(Film.study_uid, Film.uid, Film.warnings)
        .where(Film.study_uid.in_(uids))
        .order_by(Film.state == "withdrawn", Film.number)
    )
    for study_uid, film_uid, warnings in session.execute(of_films):
        films[study_uid].append((film_uid, len(warnings)))
    of_conflicts = (
        select(Conflict.study_uid, func.count()).where(Conflict.study_uid.in_(uids)).group_by(Conflict.study_uid)
    )
    conflicts = dict(session.execute(of_conflicts).all())
    return tuple(
        StudyRow(
            uid=study.uid,
            accession=shown(study.accession, study.uid),
            accession_issuer=shown(study.accession_issuer),
            patient_id=shown(study.patient_id),
            site=study.site,
            priority=study.priority,
            location=study.location,
            status=study.status,
            band=None if hidden else study.band,
            score=None if hidden else study.score,
            reason=None if hidden else study.reason,
            arrived_at=study.arrived_at,
            due_at=study.due_at,
            last_read_at=study.last_read_at,
            reopened=study.reopened_at is not None,
            answer_version=study.answer_version,
            film_count=len(films[study.uid]),
            first_film_uid=films[study.uid][0][0] if films[study.uid] else "",
            warning_count=sum(count for _, count in films[study.uid]),
            conflict_count=conflicts.get(study.uid, 0),
            blind=hidden,
            synthetic=study.synthetic,
        )
        for study, hidden in studies
    )


def _filtered(
    query: Select[Study, bool], hidden: ColumnElement[bool], status: str, band: str | None, text: str
) -> Select[Study, bool]:
    if status == "unread":
        query = query.where(Study.status != "read")
    elif status != "all":
        query = query.where(Study.status == status)
    if band:
        # A blind study may be in any band: it is in each of them, so that the filter neither tells nor hides it.
        query = query.where(or_(Study.band == band, hidden))
    if text:
        columns = (Study.accession, Study.patient_id, Study.site, Study.location)
        query = query.where(or_(Study.uid == text, *(c.icontains(text, autoescape=True) for c in columns)))
    return query


def list_studies(
    session: Session,
    *,
    reader: str,
    status: ListStatus = "unread",
    band: Band | None = None,
    text: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> StudyPage:
    """A page of at most `limit` studies: earliest due first, or newest read first where `status` is "read".

    `text` is searched in accession, patient id, site and location. Raises a 400 problem for a bad cursor.
    """
    hidden = withheld(reader)
    query = _filtered(select(Study, hidden), hidden, status, band, text.replace("\0", "").strip()[:128])
    newest_first = status == "read"
    if newest_first:
        key = tuple_(Study.last_read_at, Study.uid)
        query = query.order_by(Study.last_read_at.desc(), Study.uid.desc())
    else:
        key = tuple_(Study.due_at, Study.uid)
        query = query.order_by(Study.due_at, Study.uid)
    order = "read" if newest_first else "due"
    if cursor:
        last = tuple_(*decode_cursor(order, cursor))
        query = query.where(key < last if newest_first else key > last)
    limit = min(max(limit, 1), MAX_LIMIT)
    found = [(study, bool(is_hidden)) for study, is_hidden in session.execute(query.limit(limit + 1))]
    page = found[:limit]
    next_cursor = None
    if len(found) > limit:
        final = page[-1][0]
        at = final.last_read_at if newest_first else final.due_at
        next_cursor = encode_cursor(order, at or final.due_at, final.uid)
    return StudyPage(study_rows(session, page), next_cursor)


def next_unread(session: Session, after_uid: str | None = None) -> str | None:
    """The unread study that is due first, or the one that follows `after_uid` in the list; None at the end."""
    return _neighbour(session, after_uid, forward=True)


def previous_unread(session: Session, before_uid: str) -> str | None:
    """The unread study that stands before `before_uid` in the list; None at its beginning."""
    return _neighbour(session, before_uid, forward=False)


def _neighbour(session: Session, uid: str | None, *, forward: bool) -> str | None:
    query = select(Study.uid).where(Study.status != "read")
    key = tuple_(Study.due_at, Study.uid)
    if uid is not None:
        here = session.execute(select(Study.due_at).where(Study.uid == uid)).scalar_one_or_none()
        if here is None:
            return None
        mark = tuple_(here, uid)
        query = query.where(key > mark if forward else key < mark)
    order = (Study.due_at, Study.uid) if forward else (Study.due_at.desc(), Study.uid.desc())
    return session.execute(query.order_by(*order).limit(1)).scalar_one_or_none()


def summarise(session: Session, *, reader: str, now: datetime) -> Summary:
    """Counts for the line above the list."""
    hidden = withheld(reader)
    unread = Study.status != "read"

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    row = session.execute(
        select(
            *(count(and_(unread, ~hidden, Study.band == band)) for band in ("critical", "urgent", "routine")),
            count(and_(unread, hidden)),
            count(and_(unread, Study.due_at < now)),
            count(unread),
            count(and_(unread, Study.status == "not_scored")),
            count(Study.status == "read"),
        )
    ).one()
    return Summary(*(int(value) for value in row))
