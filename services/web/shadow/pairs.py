"""From two releases' predictions of the same films to one row that compares them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hilum.triage import urgency
from hilum.wire import Prediction as PredictionOut
from hilum.wire import ReleaseRef
from services.web.answers import maximum
from services.web.shadow.tables import Pair, ShadowPrediction
from services.web.tables import Film, Prediction, Study

DECIMALS = 6


@dataclass(frozen=True)
class Key:
    """A release in one precision."""

    digest: str
    precision: str


def key_of(release: ReleaseRef) -> Key:
    """The release's key."""
    return Key(release.digest, release.precision)


def patient_hash(study: Study, salt: str) -> str:
    """Who the study is of, as a hash: evidence counts patients and names none. Without an id a study is its own."""
    return hashlib.sha256(f"pair\0{salt}\0{study.patient_id or study.uid}".encode()).hexdigest()[:32]


def predictions_by(session: Session, study_uid: str, key: Key) -> dict[str, PredictionOut | None]:
    """What release `key` says of the study's films, shown or not; None: it refused that film."""
    found: dict[str, PredictionOut | None] = {}
    for table in (ShadowPrediction, Prediction):
        rows = session.execute(
            select(table.film_uid, table.payload)
            .join(Film, Film.uid == table.film_uid)
            .where(Film.study_uid == study_uid, table.release_digest == key.digest, table.precision == key.precision)
            .order_by(Film.number)
        )
        found |= {uid: None if payload is None else PredictionOut.model_validate(payload) for uid, payload in rows}
    return found


def keep_pair(
    session: Session,
    study: Study,
    films: Sequence[str],
    live: Key,
    shadow: Key,
    *,
    exposed: bool,
    salt: str,
    now: datetime,
) -> tuple[Pair, bool, list[str]] | None:
    """Keep the pair over `films` and say whether it is new, and on which findings the two disagree.

    None where one of the two has not judged all of the films yet.
    """
    ours, theirs = predictions_by(session, study.uid, live), predictions_by(session, study.uid, shadow)
    if not films or not (set(films) <= set(ours) and set(films) <= set(theirs)):
        return None
    a, b = _scored(ours, films), _scored(theirs, films)
    row = session.get(Pair, (study.uid, live.digest, live.precision, shadow.digest, shadow.precision))
    new = row is None
    if row is None:
        row = Pair(
            study_uid=study.uid,
            live_digest=live.digest,
            live_precision=live.precision,
            shadow_digest=shadow.digest,
            shadow_precision=shadow.precision,
        )
        session.add(row)
    row.answer_version, row.exposed = study.answer_version, exposed
    row.patient, row.site, row.arrived_at = patient_hash(study, salt), study.site, study.arrived_at
    row.live_band, row.shadow_band = _band(study, a), _band(study, b)
    row.live_scores, row.shadow_scores = _scores(a), _scores(b)
    row.made_at = now
    session.flush()
    return row, new, _disagreements(a, b)


def _scored(predictions: dict[str, PredictionOut | None], films: Sequence[str]) -> list[tuple[str, PredictionOut]]:
    judged = [(uid, predictions[uid]) for uid in films]
    return [(uid, p) for uid, p in judged if p is not None and p.domain.in_domain]


def _band(study: Study, scored: list[tuple[str, PredictionOut]]) -> str:
    return str(urgency([p for _, p in scored], False, study.priority, study.location).band)


def _scores(scored: list[tuple[str, PredictionOut]]) -> dict[str, float]:
    return {f["name"]: round(f["probability"], DECIMALS) for f in maximum(scored)} if scored else {}


def _disagreements(a: list[tuple[str, PredictionOut]], b: list[tuple[str, PredictionOut]]) -> list[str]:
    if not a or not b:
        return []
    ours = {f["name"]: f["present"] for f in maximum(a)}
    theirs = {f["name"]: f["present"] for f in maximum(b)}
    return [name for name in ours if name in theirs and ours[name] != theirs[name]]
