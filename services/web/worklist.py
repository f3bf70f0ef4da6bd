"""The worklist: earliest due first, paged by keyset, so that paging is stable while studies arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from services.web.claims import claims_of
from services.web.closing import closed_view
from services.web.context import utc_now
from services.web.cursor import decode_cursor, encode_cursor
from services.web.filters import LIST_STATUSES, ListFilters, ListStatus, branches
from services.web.identity.mask import shown
from services.web.tables import Conflict, Film, Study
from services.web.views import StudyPage, StudyRow

__all__ = ["LIST_STATUSES", "MAX_LIMIT", "ListFilters", "ListStatus", "list_studies", "next_unread", "study_rows"]
MAX_LIMIT = 200


def study_rows(
    session: Session, studies: Sequence[tuple[Study, bool]], *, reader: str = "", now: datetime | None = None
) -> tuple[StudyRow, ...]:
    """The lines for `studies`, each with whether its answer is withheld; three more queries, whatever the number.

    Of a withheld answer nothing is said, nor the due time that follows from it.
    """
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
    unread = [study.uid for study, _ in studies if study.status != "read"]
    claims = claims_of(session, unread, reader=reader, now=now or utc_now())
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
            due_at=None if hidden else study.due_at,
            last_read_at=study.last_read_at,
            reopened=study.reopened_at is not None,
            answer_version=study.answer_version,
            film_count=len(films[study.uid]),
            first_film_uid=films[study.uid][0][0] if films[study.uid] else "",
            warning_count=sum(count for _, count in films[study.uid]),
            conflict_count=conflicts.get(study.uid, 0),
            blind=hidden,
            synthetic=study.synthetic,
            claim=claims.get(study.uid),
            closed=closed_view(study),
            skipped_by=study.skipped_by,
            escalated=study.escalated_at is not None,
        )
        for study, hidden in studies
    )


def list_studies(
    session: Session, filters: ListFilters | None = None, *, reader: str, cursor: str | None = None, limit: int = 50
) -> StudyPage:
    """A page of at most `limit` studies: earliest due first, or newest first where they are read or closed.

    Raises a 400 problem for a bad cursor.
    """
    filters = filters or ListFilters()
    last = decode_cursor(filters.order, cursor) if cursor else None
    limit = min(max(limit, 1), MAX_LIMIT)
    now = utc_now()
    parts = branches(session, filters, reader=reader, now=now)
    found: dict[str, tuple[Study, bool]] = {}
    for branch in parts.items:
        for study, hidden in session.execute(branch.page(filters, last, limit + 1)):
            found[study.uid] = (study, bool(hidden))

    def key(item: tuple[Study, bool]) -> tuple[datetime, str]:
        study = item[0]
        return {"due": study.due_at, "read": study.last_read_at, "closed": study.closed_at}[
            filters.order
        ] or study.due_at, study.uid

    # Each branch gave the first of its own, so the first of all of them are among these.
    ranked = sorted(found.values(), key=key, reverse=filters.newest_first)
    page = ranked[:limit]
    next_cursor = encode_cursor(filters.order, *key(page[-1])) if len(ranked) > limit else None
    return StudyPage(study_rows(session, page, reader=reader, now=now), next_cursor, parts.truncated)


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
