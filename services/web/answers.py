"""From a film's prediction to the study's answer: per finding the maximum over its scored films."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hilum.triage import TriagePolicy
from hilum.wire import Prediction as PredictionOut
from services.web.tables import Answer, Film, Prediction, Study
from services.web.urgency import locked_study, refresh

# The one warning that comes with a score and not with the file.
MAYBE_MIRRORED = "maybe_mirrored"


def store_prediction(
    session: Session, film_uid: str, prediction: PredictionOut, policy: TriagePolicy, now: datetime
) -> bool:
    """Keep what a release says of a film, and make a new version of its study's answer.

    Returns False where the film does not wait any more: another replica was faster, and nothing changes.
    """
    film = session.get(Film, film_uid)
    if film is None:
        return False
    study = locked_study(session, film.study_uid)
    session.refresh(film)
    if study is None or film.state != "waiting":
        return False
    key = (film_uid, prediction.release.digest, prediction.release.precision)
    # A film that waits for another release's score may meet this one again (a rollback): it is kept once.
    if session.get(Prediction, key) is None:
        row = Prediction(film_uid=film_uid, release_digest=key[1], precision=key[2], made_at=now)
        row.payload = prediction.model_dump(mode="json")
        session.add(row)
    film.leased_until = None
    if prediction.domain.in_domain:
        film.state, film.reason = "scored", None
        film.warnings = _with_guards(film.warnings, prediction)
    else:
        film.state = "not_scored"
        film.reason = prediction.domain.reason or "the film does not look like those the release was trained on"
    session.flush()
    if not _others_need(session, study, film, prediction, now):
        _new_answer(session, study, prediction, now)
    refresh(session, study, policy)
    return True


def _with_guards(warnings: list[Any], prediction: PredictionOut) -> list[Any]:
    """A film's warnings with what the release's guard adds; another release's word on it is replaced."""
    kept = [warning for warning in warnings if warning["code"] != MAYBE_MIRRORED]
    said = [{"code": w.code, "text": w.text} for w in prediction.warnings if w.code == MAYBE_MIRRORED]
    return [*kept, *said]


def store_refusal(session: Session, film_uid: str, reason: str, policy: TriagePolicy) -> None:
    """Keep that a film can't be scored, and why."""
    film = session.get(Film, film_uid)
    if film is None:
        return
    study = locked_study(session, film.study_uid)
    session.refresh(film)
    if film.state != "waiting":
        return
    film.state, film.reason, film.leased_until = "not_scored", reason, None
    session.flush()
    if study is not None:
        refresh(session, study, policy)


def _others_need(session: Session, study: Study, film: Film, prediction: PredictionOut, now: datetime) -> bool:
    """Whether films of the study that another release scored must be scored by this one first.

    An answer is of one release: a late film that a newer release scored asks for the others' scores again.
    """
    has_it = select(Prediction.film_uid).where(
        Prediction.release_digest == prediction.release.digest, Prediction.precision == prediction.release.precision
    )
    older = session.scalars(
        select(Film).where(
            Film.study_uid == study.uid, Film.uid != film.uid, Film.state == "scored", Film.uid.not_in(has_it)
        )
    ).all()
    for other in older:
        other.state, other.attempts, other.next_try = "waiting", 0, now
    session.flush()
    waits_again = select(Prediction.film_uid).join(Film, Film.uid == Prediction.film_uid).where(
        Film.study_uid == study.uid, Film.state == "waiting", Film.uid.not_in(has_it)
    )  # fmt: skip
    return session.scalars(waits_again.limit(1)).first() is not None


def answer_from_rest(session: Session, study: Study, now: datetime) -> None:
    """A new version of the answer after films were withdrawn, of the same release and of the films that still count.

    Without any, the version has no findings: what was said of withdrawn films does not stand.
    """
    before = session.get(Answer, (study.uid, study.answer_version))
    if before is None:
        return
    predictions = _counted(session, study, before.release_digest, before.precision)
    findings = maximum(predictions) if predictions else []
    if findings != before.payload["findings"]:
        payload = {**before.payload, "findings": findings}
        _keep_answer(session, study, before.release_digest, before.precision, payload, now)


def _counted(session: Session, study: Study, digest: str, precision: str) -> list[tuple[str, PredictionOut]]:
    """(film uid, prediction) of the scored films by one release, in their order."""
    of_films = session.execute(
        select(Prediction.film_uid, Prediction.payload)
        .join(Film, Film.uid == Prediction.film_uid)
        .where(
            Film.study_uid == study.uid,
            Film.state == "scored",
            Prediction.release_digest == digest,
            Prediction.precision == precision,
        )
        .order_by(Film.number)
    ).all()
    return [(uid, PredictionOut.model_validate(payload)) for uid, payload in of_films]


def _new_answer(session: Session, study: Study, newest: PredictionOut, now: datetime) -> None:
    release = newest.release
    predictions = _counted(session, study, release.digest, release.precision)
    if predictions:
        payload = {
            "release": release.model_dump(mode="json"),
            "findings": maximum(predictions),
            "critical_margin": newest.critical_margin,
        }
        _keep_answer(session, study, release.digest, release.precision, payload, now)


def _keep_answer(
    session: Session, study: Study, digest: str, precision: str, payload: dict[str, Any], now: datetime
) -> None:
    study.answer_version += 1
    session.add(
        Answer(
            study_uid=study.uid,
            version=study.answer_version,
            release_digest=digest,
            precision=precision,
            payload=payload,
            made_at=now,
        )
    )
    session.flush()


def maximum(predictions: list[tuple[str, PredictionOut]]) -> list[dict[str, Any]]:
    """Per finding, in the release's order, the highest probability over one release's (film uid, prediction) pairs."""
    best: dict[str, dict[str, Any]] = {}
    for film_uid, prediction in predictions:
        for item in prediction.findings:
            if item.name not in best or item.probability > best[item.name]["probability"]:
                best[item.name] = {**item.model_dump(mode="json"), "film_uid": film_uid}
    return [best[item.name] for item in predictions[0][1].findings]
