"""A site's films and blind reads, from rows to columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from hilum.drift.films import SIZES, Films
from hilum.drift.quality import NAMES
from hilum.drift.reads import Calibration, calibration
from hilum.release.pose import KINDS
from services.web.dicom.tables import Instance
from services.web.drift.tables import DriftBaseline
from services.web.standing import WITHDRAWAL
from services.web.tables import Answer, Film, Prediction, Read, Study

# A patient who is filmed every day is one witness and not thirty: the first film of so long a time counts.
ONE_FILM_IN = timedelta(days=30)
# A clock that runs ahead of ours by more has jumped.
AHEAD = timedelta(minutes=5)
CHUNK = 500
Row = npt.NDArray[np.float64]
EMPTY: Row = np.zeros(0)


@dataclass(frozen=True)
class Hours:
    """The hours of the day shift, UTC, Monday to Friday; films of the rest are compared with each other."""

    begin: int = 7
    end: int = 19

    def stratum(self, at: datetime) -> int:
        """0 for the day shift, 1 for nights and weekends."""
        return 0 if at.weekday() < 5 and self.begin <= at.hour < self.end else 1


@dataclass(frozen=True, eq=False, slots=True)
class _Seen:
    """One film, its body reduced to numbers: a body as Python objects takes thirty times the room."""

    at: datetime
    film: str
    study: str
    patient: str
    view: str
    device: str
    names: tuple[str, ...]
    chances: Row
    domain: float
    outside: bool
    light: Row
    places: Row
    pose: Row
    size: Row


@dataclass(frozen=True, eq=False)
class Gathered:
    """Films of one site under one release, (study, film) of each; `left_out`: the same patients', or of a future."""

    films: Films
    names: list[tuple[str, str]]
    left_out: int
    since: datetime | None


def sites(session: Session, digest: str, precision: str, since: datetime) -> list[str]:
    """Sites with films that this release scored since then."""
    query = (
        select(Study.site)
        .join(Film, Film.study_uid == Study.uid)
        .join(Prediction, Prediction.film_uid == Film.uid)
        .where(Prediction.release_digest == digest, Prediction.precision == precision, Film.arrived_at >= since)
        .where(Study.synthetic.is_(False))
        .distinct()
    )
    return sorted(session.scalars(query))


def baseline_since(session: Session, site: str) -> datetime | None:
    """From when on the site's films count: the last change that somebody accepted; None: always."""
    return session.scalar(select(func.max(DriftBaseline.since)).where(DriftBaseline.site == site))


def gather(
    session: Session, site: str, digest: str, precision: str, *, now: datetime, baseline: int, most: int, hours: Hours
) -> Gathered:
    """The first films of the site that make its baseline, and the newest, at most `most` in all."""
    since = baseline_since(session, site)
    query = (
        select(
            Film.uid, Film.study_uid, Film.arrived_at, Film.view, Film.width, Film.height, Film.bits, Film.media_type,
            Study.patient_id, Prediction.payload, Instance.attributes,
        )
        .join(Study, Study.uid == Film.study_uid)
        .join(Prediction, Prediction.film_uid == Film.uid)
        .outerjoin(Instance, Instance.uid == Film.uid)
        .where(Study.site == site, Study.synthetic.is_(False), Film.state != "withdrawn")
        .where(Prediction.release_digest == digest, Prediction.precision == precision)
    )  # fmt: skip
    if since is not None:
        query = query.where(Film.arrived_at >= since)
    # Twice as many: some of them are the same patients'.
    found = [*_some(session, query, 2 * baseline, newest=False), *_some(session, query, most, newest=True)]
    once = {each.film: each for each in found}
    kept, left = _kept(sorted(once.values(), key=lambda each: (each.at, each.film)), now)
    return Gathered(_columns(kept, hours), [(each.study, each.film) for each in kept], left, since)


def _some(session: Session, query: Select[Any], most: int, *, newest: bool) -> Iterator[_Seen]:
    order = (Film.arrived_at.desc(), Film.uid.desc()) if newest else (Film.arrived_at, Film.uid)
    for row in session.execute(query.order_by(*order).limit(most)).yield_per(CHUNK):
        yield _seen(row)


def _seen(row: Any) -> _Seen:
    body = row.payload
    told = body.get("features") or {}
    light = told.get("quality", {})
    return _Seen(
        row.arrived_at,
        row.uid,
        row.study_uid,
        row.patient_id or row.study_uid,
        row.view,
        _device(row),
        tuple(intern(item["name"]) for item in body["findings"]),
        _numbers(item["probability"] for item in body["findings"]),
        _number(body["domain"]["score"]),
        not body["domain"]["in_domain"],
        _numbers(light.get(name) for name in NAMES),
        _numbers(told.get("places", ())),
        _numbers(told.get("pose", ())),
        _size(row.width, row.height),
    )


def _kept(films: Sequence[_Seen], now: datetime) -> tuple[list[_Seen], int]:
    seen: dict[str, datetime] = {}
    kept = []
    for each in films:
        before = seen.get(each.patient)
        if each.at > now + AHEAD or (before is not None and each.at - before < ONE_FILM_IN):
            continue
        seen[each.patient] = each.at
        kept.append(each)
    return kept, len(films) - len(kept)


def _columns(films: Sequence[_Seen], hours: Hours) -> Films:
    names = next((each.names for each in films if each.names), ())
    return Films(
        names,
        np.array([each.at.timestamp() for each in films], dtype=np.float64),
        _table([each.chances if each.names == names else EMPTY for each in films], len(names)),
        np.array([each.domain for each in films], dtype=np.float64),
        np.array([each.outside for each in films], dtype=np.float64),
        _table([each.light for each in films], len(NAMES)),
        _table([each.places for each in films], next((len(each.places) for each in films if len(each.places)), 0)),
        _table([each.pose for each in films], len(KINDS)),
        _table([each.size for each in films], len(SIZES)),
        np.array([each.view for each in films], dtype=np.str_),
        np.array([each.device for each in films], dtype=np.str_),
        np.array([hours.stratum(each.at.astimezone(UTC)) for each in films], dtype=np.int64),
    )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _numbers(values: Iterable[Any]) -> Row:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _table(rows: Sequence[Row], width: int) -> Row:
    """(N, width); a row of another width is of another kind, or was not told: it is NaN."""
    none = np.full(width, np.nan)
    return np.array([row if len(row) == width else none for row in rows], dtype=np.float64).reshape(len(rows), width)


def _size(width: int, height: int) -> Row:
    """By SIZES; no numbers where the frame was never opened."""
    return np.array([width * height / 1e6, height / width]) if width and height else np.full(len(SIZES), np.nan)


def _device(row: Any) -> str:
    """Who made the machine, and how it codes a pixel: what the header says, else the file."""
    found = row.attributes or {}
    maker = str(found.get("Manufacturer", "")).strip().lower()[:24]
    code = str(found.get("PhotometricInterpretation", "")) or row.media_type.rpartition("/")[2]
    return intern(f"{maker} {row.bits} bit {code}".strip())


def calibrations(session: Session, site: str, digest: str, since: datetime) -> tuple[Calibration, ...]:
    """Per finding what blind reads since then say of the release's probabilities; a study's first read counts."""
    query = (
        select(Read.study_uid, Read.labels, Answer.payload)
        .join(Study, Study.uid == Read.study_uid)
        .join(Answer, (Answer.study_uid == Read.study_uid) & (Answer.version == Read.answer_version))
        .where(Study.site == site, Study.synthetic.is_(False), Read.blind.is_(True), Read.withdrawn.is_(False))
        .where(Read.kind != WITHDRAWAL, Read.release_digest == digest, Read.read_at >= since)
        .order_by(Read.read_at, Read.id)
    )
    columns: dict[str, tuple[list[float], list[int]]] = {}
    seen = set()
    for row in session.execute(query):
        if row.study_uid in seen:
            continue
        seen.add(row.study_uid)
        for item in row.payload["findings"]:
            chances, labels = columns.setdefault(item["name"], ([], []))
            label = row.labels.get(item["name"])
            chances.append(_number(item.get("probability")))
            labels.append(-1 if label is None else int(label))
    return tuple(calibration(name, np.array(p), np.array(y, dtype=np.int64)) for name, (p, y) in columns.items())
