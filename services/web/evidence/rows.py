"""Rows to columns, streamed: memory is bounded by the columns themselves, about 150 bytes a study and finding pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_
from sqlalchemy.orm import Session

from hilum.evidence import NOT_JUDGED, Labels, Pairs
from hilum.evidence.columns import Reading
from hilum.evidence.figures import BANDS
from hilum.problems import Problem
from services.web.shadow.owed import expected
from services.web.shadow.tables import Pair, ShadowRelease
from services.web.standing import WITHDRAWAL
from services.web.tables import Answer, Read, Release, Study

# More studies at once are not judged: the figures of 500,000 pairs hold no more news than those of 200,000.
MOST_STUDIES = 200_000
CHUNK = 2000


@dataclass(frozen=True)
class Scope:
    """Which pairs: of releases `live` and `shadow`, arrived from `since` up to `until`, at `site`; which findings."""

    live: str
    shadow: str
    since: datetime | None = None
    until: datetime | None = None
    site: str | None = None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gathered:
    """`pairs` with what lies around them. `missing_share`: of the studies that are owed a pair; None: none is owed."""

    pairs: Pairs
    expected: int
    missing: int
    exposed: int
    live_precision: str | None
    shadow_precision: str | None

    @property
    def missing_share(self) -> float | None:
        """Share of owed pairs that are not there."""
        return round(self.missing / self.expected, 6) if self.expected else None


def gather(session: Session, scope: Scope) -> Gathered:
    """Load the pairs of `scope`. Raises a 422 problem where it is too large, 409 where a release has two precisions."""
    where = _conditions(scope)
    precisions = session.execute(
        select(Pair.live_precision, Pair.shadow_precision, func.count())
        .where(*where)
        .group_by(Pair.live_precision, Pair.shadow_precision)
    ).all()
    if len(precisions) > 1:
        raise Problem(
            409,
            "several-precisions",
            "In this period the releases ran in more than one precision, and thresholds belong to a precision; narrow "
            "since and until.",
        )
    count = int(precisions[0][2]) if precisions else 0
    if count > MOST_STUDIES:
        raise Problem(422, "too-many-studies", f"{count} studies are too many at once; narrow since and until.")
    ours, theirs = (str(precisions[0][0]), str(precisions[0][1])) if precisions else (None, None)
    live, shadow = _points(session, scope.live, ours), _points(session, scope.shadow, theirs)
    names = tuple(n for n in live if n in shadow and (not scope.findings or n in scope.findings))
    if unknown := sorted(set(scope.findings) - set(live)) if live else []:
        raise Problem(422, "unknown-finding", f"The live release established no finding called {unknown[0][:80]!r}.")
    pairs, exposed = _pairs(session, where, names, count, live, shadow)
    owed, missing = _owed(session, scope)
    return Gathered(pairs, owed, missing, exposed, ours, theirs)


def _conditions(scope: Scope) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [Pair.live_digest == scope.live, Pair.shadow_digest == scope.shadow]
    if scope.since is not None:
        where.append(Pair.arrived_at >= scope.since)
    if scope.until is not None:
        where.append(Pair.arrived_at < scope.until)
    if scope.site is not None:
        where.append(Pair.site == scope.site)
    return where


def _points(session: Session, digest: str, precision: str | None) -> dict[str, tuple[float, float]]:
    """Rule-out and alert point of each finding that the release established, in its order."""
    if precision is None:
        return {}
    row = session.get(Release, (digest, precision)) or session.get(ShadowRelease, (digest, precision))
    items: list[dict[str, Any]] = [] if row is None else row.payload["findings"]
    return {i["name"]: (float(i["rule_out"]), float(i["alert"])) for i in items if i["established"]}


def _pairs(
    session: Session,
    where: Sequence[ColumnElement[bool]],
    names: tuple[str, ...],
    count: int,
    live: dict[str, tuple[float, float]],
    shadow: dict[str, tuple[float, float]],
) -> tuple[Pairs, int]:
    k = len(names)
    scores = np.full((2, count, k), np.nan, dtype=np.float32)
    bands = np.zeros((2, count), dtype=np.int8)
    patients = np.zeros(count, dtype=np.int64)
    rank = {band: n for n, band in enumerate(BANDS)}
    rows: dict[str, int] = {}
    codes: dict[str, int] = {}
    exposed = 0
    query = (
        select(
            Pair.study_uid, Pair.patient, Pair.live_scores, Pair.shadow_scores, Pair.live_band, Pair.shadow_band,
            Pair.exposed, Pair.made_at,
        )
        .where(*where)
        .order_by(Pair.arrived_at, Pair.study_uid)
    )  # fmt: skip
    made = np.zeros(count)
    for uid, patient, ours, theirs, our_band, their_band, shown, made_at in session.execute(_streamed(query)):
        row = len(rows)
        rows[uid] = row
        patients[row] = codes.setdefault(patient, len(codes))
        for side, said in enumerate((ours, theirs)):
            if said:
                scores[side, row] = [said.get(name, np.nan) for name in names]
        bands[:, row] = rank[our_band], rank[their_band]
        exposed += bool(shown)
        made[row] = made_at.timestamp()
    reads, read_order = _reads(session, where, names, rows, count)
    pairs = Pairs(
        findings=names,
        patients=patients,
        live=scores[0],
        shadow=scores[1],
        live_points=_array(live, names),
        shadow_points=_array(shadow, names),
        live_band=bands[0],
        shadow_band=bands[1],
        reads=reads,
        order=np.argsort(np.argsort(made, kind="stable"), kind="stable"),
        read_order=read_order,
    )
    return pairs, exposed


def _array(points: dict[str, tuple[float, float]], names: tuple[str, ...]) -> Any:
    return np.array([points[name] for name in names], dtype=np.float32).reshape(len(names), 2)


def _streamed(query: Select[Any]) -> Select[Any]:
    return query.execution_options(yield_per=CHUNK)


def _reads(
    session: Session, where: Sequence[ColumnElement[bool]], names: tuple[str, ...], rows: dict[str, int], count: int
) -> tuple[dict[Reading, Labels], npt.NDArray[np.int64]]:
    """A study's first blind read, and its last read that was not blind; the place of the blind ones in time."""
    found: dict[Reading, Labels] = {
        "blind": np.full((count, len(names)), NOT_JUDGED, dtype=np.int8),
        "other": np.full((count, len(names)), NOT_JUDGED, dtype=np.int8),
    }
    seen = np.zeros(count, dtype=bool)
    # Studies without a blind read come last; nobody asks them.
    order = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
    place = 0
    query = (
        select(Read.study_uid, Read.blind, Read.labels)
        .join(Pair, Pair.study_uid == Read.study_uid)
        .where(*where, Read.withdrawn.is_(False), Read.kind != WITHDRAWAL)
        .order_by(Read.read_at, Read.version)
    )
    for uid, blind, labels in session.execute(_streamed(query)):
        row = rows.get(uid)
        if row is None or (blind and seen[row]):
            continue
        if blind:
            seen[row], order[row] = True, place
            place += 1
        given = [labels.get(name) for name in names]
        found["blind" if blind else "other"][row] = [NOT_JUDGED if label is None else label for label in given]
    return found, order


def _owed(session: Session, scope: Scope) -> tuple[int, int]:
    """Studies that should have their pair, and those that lack it."""
    first = session.scalar(select(func.min(ShadowRelease.first_seen_at)).where(ShadowRelease.digest == scope.shadow))
    if first is None:
        return 0, 0
    where = [Study.arrived_at >= (first if scope.since is None else max(first, scope.since)), expected()]
    if scope.until is not None:
        where.append(Study.arrived_at < scope.until)
    if scope.site is not None:
        where.append(Study.site == scope.site)
    # Asked as a set: as a join SQLite may look through every pair for every study.
    paired = select(Pair.study_uid, Pair.answer_version).where(
        Pair.live_digest == scope.live, Pair.shadow_digest == scope.shadow
    )
    answered = (
        select(func.count(), func.count().filter(tuple_(Study.uid, Study.answer_version).in_(paired)))
        .select_from(Study)
        .join(Answer, (Answer.study_uid == Study.uid) & (Answer.version == Study.answer_version))
        .where(*where, or_(Answer.release_digest == scope.live, Answer.release_digest == scope.shadow))
    )
    owed, there = session.execute(answered).one()
    return int(owed), int(owed) - int(there)
