"""What a list is narrowed to, and the queries that find it. Each filter is one range of an index, at any size.

A filter whose parts are joined by "or" (blind studies are in every band; a text is an accession, a patient or a site)
becomes several *branches*, each a sorted range of its own, merged by the caller: a database that meets the "or" reads
the whole table instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from hilum.wire import Band
from services.web.blind import withheld
from services.web.list_tables import Claim, PresentFinding
from services.web.settings import LONGEST_WAIT
from services.web.tables import Study

ListStatus = Literal["unread", "read", "all", "waiting", "scored", "not_scored", "escalated", "closed"]
LIST_STATUSES: tuple[str, ...] = get_args(ListStatus)
# A text that begins more numbers than this is too short to mean one study: the list says so.
MATCH_LIMIT = 500
_LAST_CHARACTER = "\U0010ffff"
UNREAD = Study.status != "read"


@dataclass(frozen=True)
class ListFilters:
    """Which studies. `since` and `until` are whole days where the service runs, both included: of arrival, or of the
    read or the closing in a list of what is done. `unclaimed`: without those that another reader has claimed.
    """

    status: ListStatus = "unread"
    band: Band | None = None
    finding: str = ""
    site: str = ""
    text: str = ""
    since: date | None = None
    until: date | None = None
    unclaimed: bool = False

    @property
    def order(self) -> Literal["due", "read", "closed"]:
        """The sort order: earliest due first, or newest first by reading or closing."""
        return "read" if self.status == "read" else "closed" if self.status == "closed" else "due"

    @property
    def newest_first(self) -> bool:
        """Whether the list runs backwards in time."""
        return self.order != "due"


@dataclass(frozen=True)
class Branch:
    """A query of (study, withheld) and the columns that it is sorted by."""

    query: Select[Study, bool]
    at: ColumnElement[datetime] | InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
    uid: InstrumentedAttribute[str]

    def page(self, filters: ListFilters, last: tuple[datetime, str] | None, limit: int) -> Select[Study, bool]:
        """At most `limit` rows of it after `last`, in the list's order."""
        query = self.query
        if last is not None:
            key = tuple_(self.at, self.uid)
            query = query.where(key < tuple_(*last) if filters.newest_first else key > tuple_(*last))
        columns = (self.at, self.uid)
        return query.order_by(*(c.desc() if filters.newest_first else c.asc() for c in columns)).limit(limit)


@dataclass(frozen=True)
class Branches:
    """Their union is the list. `truncated`: the text begins more than MATCH_LIMIT numbers; the rest are left out."""

    items: tuple[Branch, ...]
    truncated: bool = False


def branches(session: Session, filters: ListFilters, *, reader: str, now: datetime) -> Branches:
    """The queries whose union is the list that `filters` describe, as `reader` may see it."""
    hidden = withheld(reader)
    texts, truncated = _texts(session, filters)
    found = []
    for text in texts:
        narrowed = bool(filters.band or filters.finding)
        found.append(_branch(filters, reader, now, hidden, text, narrowed=narrowed, blind=False))
        if narrowed and filters.order == "due":
            # A blind study may be in any band and show any finding: it is in each of them while it is unread, so that
            # the filter neither tells nor hides it.
            found.append(_branch(filters, reader, now, hidden, text, narrowed=False, blind=True))
    return Branches(tuple(found), truncated)


def _branch(
    filters: ListFilters,
    reader: str,
    now: datetime,
    hidden: ColumnElement[bool],
    text: ColumnElement[bool] | None,
    *,
    narrowed: bool,
    blind: bool,
) -> Branch:
    query = select(Study, hidden)
    at: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
    at = {"due": Study.due_at, "read": Study.last_read_at, "closed": Study.closed_at}[filters.order]
    uid = Study.uid
    # No condition stands twice: PostgreSQL would take it for rarer than it is, and sort what an index has in order.
    if blind:
        query = query.where(hidden)
        query = query.where(UNREAD) if filters.status == "all" else query
    elif narrowed:
        query = query.where(~hidden)
    if narrowed and filters.band:
        query = query.where(Study.band == filters.band)
    if narrowed and filters.finding:
        query = query.join(PresentFinding, PresentFinding.study_uid == Study.uid)
        query = query.where(PresentFinding.finding == filters.finding)
        if filters.order == "due":
            at, uid = PresentFinding.due_at, PresentFinding.study_uid
            if filters.status != "all":
                query = query.where(PresentFinding.unread)
        elif filters.order == "read":
            at, uid = PresentFinding.last_read_at, PresentFinding.study_uid
            query = query.where(PresentFinding.last_read_at.is_not(None))
    query = _with_status(query, filters)
    if filters.site:
        query = query.where(Study.site == filters.site)
    if text is not None:
        query = query.where(text)
    if filters.unclaimed:
        claimed = select(Claim.study_uid).where(
            Claim.study_uid == Study.uid, Claim.reader != reader, Claim.expires_at > now
        )
        query = query.where(~claimed.exists())
    return Branch(_in_days(query, filters, at), at, uid)


def _with_status(query: Select[Study, bool], filters: ListFilters) -> Select[Study, bool]:
    match filters.status:
        case "all":
            return query
        case "unread":
            return query.where(UNREAD)
        case "read":
            # A study that was only reported elsewhere has its own list.
            return query.where(Study.status == "read", Study.last_read_at.is_not(None))
        case "closed":
            return query.where(Study.status == "read", Study.closed_at.is_not(None))
        case "escalated":
            return query.where(UNREAD, Study.escalated_at.is_not(None))
        case _:
            return query.where(UNREAD, Study.status == filters.status)


def _in_days(
    query: Select[Study, bool],
    filters: ListFilters,
    at: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
) -> Select[Study, bool]:
    of = Study.arrived_at if filters.order == "due" else at
    if filters.since:
        start = local_midnight(filters.since)
        query = query.where(of >= start)
        if filters.order == "due":
            # Nothing is due before it arrives: the range begins where it can.
            query = query.where(at >= start)
    if filters.until and filters.until < date.max:
        end = local_midnight(filters.until + timedelta(days=1))
        query = query.where(of < end)
        if filters.order == "due":
            # Nor later than the longest wait that a site can set.
            query = query.where(at < end + LONGEST_WAIT)
    return query


def local_midnight(day: date) -> datetime:
    """The beginning of `day` where the service runs."""
    # The year 1 has no midnight in zones east of Greenwich.
    day = max(day, date(1900, 1, 1))
    return datetime(day.year, day.month, day.day).astimezone()


def _lower(value: ColumnElement[str] | InstrumentedAttribute[str], dialect: str) -> ColumnElement[str]:
    lowered: ColumnElement[str] = func.lower(value)
    # Byte order, which the index has: a prefix is a range in it, in the order of a language it need not be.
    return lowered.collate("C") if dialect == "postgresql" else lowered


def _begins(column: InstrumentedAttribute[str], text: str, dialect: str) -> ColumnElement[bool]:
    first = _lower(literal(text), dialect)
    last = _lower(literal(text + _LAST_CHARACTER), dialect)
    return and_(_lower(column, dialect) >= first, _lower(column, dialect) < last)


def _texts(session: Session, filters: ListFilters) -> tuple[list[ColumnElement[bool] | None], bool]:
    """Conditions, any of which makes a study fit the text; [None] without a text."""
    text = filters.text.replace("\0", "").strip()[:128]
    if not text:
        return [None], False
    dialect = session.get_bind().dialect.name
    uids: set[str] = set()
    truncated = False
    for column in (Study.accession, Study.patient_id):
        query = select(Study.uid).where(_begins(column, text, dialect))
        if filters.status not in {"all", "read", "closed"}:
            query = query.where(UNREAD)
        matches = session.scalars(query.limit(MATCH_LIMIT + 1)).all()
        truncated |= len(matches) > MATCH_LIMIT
        uids.update(matches[:MATCH_LIMIT])
    conditions: list[ColumnElement[bool] | None] = [or_(Study.uid == text, Study.uid.in_(sorted(uids)))]
    named = [site for site in known_sites(session) if text.lower() in site.lower()]
    # Each site is its own sorted range.
    conditions += [Study.site == site for site in named[:5]]
    return conditions, truncated


def known_sites(session: Session, limit: int = 100) -> list[str]:
    """The sites of all studies, in order, at most `limit`: one step of the index for each, however many studies."""
    first = select(func.min(Study.site).label("site")).where(Study.site > "").cte("sites", recursive=True)
    following = select(func.min(Study.site)).where(Study.site > first.c.site).scalar_subquery()
    sites = first.union_all(select(following).where(first.c.site.is_not(None)))
    return [site for site in session.scalars(select(sites.c.site).limit(limit)) if site]
