"""One study's shadow work: ask the release that was not shown for each film, and keep what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from hilum.clients.base import Refused, Unavailable
from hilum.storage import BlobMissing
from hilum.wire import Prediction as PredictionOut
from services.web.context import Web, utc_now
from services.web.releases import findings_of, newest_release
from services.web.shadow.canary import ABOUT_THE_FILM, Canary
from services.web.shadow.metrics import DISAGREEMENTS, PAIRS, start_series
from services.web.shadow.owed import paid
from services.web.shadow.pairs import Key, keep_pair, key_of
from services.web.shadow.tables import ShadowPrediction
from services.web.tables import Answer, Film, Prediction, Study
from services.web.urgency import locked_study

log = structlog.get_logger("hilum.web.shadow")
Outcome = Literal["paired", "skipped"]


@dataclass(frozen=True)
class Job:
    """What is to be asked. `films`: (uid, blob key, name) that release `other` has not judged; `all_films`: the pair's.

    `exposed`: canary's answer is the one shown, so it is production that is asked.
    """

    study_uid: str
    version: int
    shown: Key
    other: Key
    exposed: bool
    all_films: tuple[str, ...]
    films: tuple[tuple[str, str, str], ...]


def find_job(session: Session, study_uid: str, canary: Key) -> Job | None:
    """The study's work, None where there is nothing to compare (no answer yet, synthetic, a film waits)."""
    study = session.get(Study, study_uid)
    if study is None or study.synthetic or study.status == "waiting" or study.answer_version == 0:
        return None
    answer = session.get(Answer, (study_uid, study.answer_version))
    if answer is None:
        return None
    shown = Key(answer.release_digest, answer.precision)
    other, exposed = canary, shown == canary
    if exposed:
        newest = newest_release(session)
        if newest is None or Key(newest.digest, newest.precision) == shown:
            return None
        other = Key(newest.digest, newest.precision)
    films = session.execute(
        select(Film.uid, Film.blob_key, Film.file_name)
        .join(Prediction, Prediction.film_uid == Film.uid)
        .where(
            Film.study_uid == study_uid,
            Film.state != "withdrawn",
            Prediction.release_digest == shown.digest,
            Prediction.precision == shown.precision,
        )
        .order_by(Film.number)
    ).all()
    known = set(
        session.scalars(
            select(ShadowPrediction.film_uid).where(
                ShadowPrediction.film_uid.in_([uid for uid, _, _ in films]),
                ShadowPrediction.release_digest == other.digest,
                ShadowPrediction.precision == other.precision,
            )
        )
    )
    todo = tuple((uid, blob, name) for uid, blob, name in films if uid not in known)
    return Job(study_uid, study.answer_version, shown, other, exposed, tuple(f[0] for f in films), todo)


async def do_job(web: Web, canary: Canary, study_uid: str) -> Outcome:
    """Make the study's pair. Raises Unavailable where the other release does not answer; what it said is kept."""
    assert canary.model is not None  # noqa: S101 - the worker asked
    release = key_of(canary.model.release)

    def find() -> Job | None:
        with web.read() as session:
            return find_job(session, study_uid, release)

    job = await canary.in_thread(find)
    if job is None:
        return "skipped"
    said: list[tuple[str, PredictionOut | None, str | None]] = []
    away: Unavailable | None = None
    for film_uid, blob_key, name in job.films:
        try:
            data = await canary.in_thread(lambda key=blob_key: web.blobs.get(key))  # type: ignore[misc]
            said.append((film_uid, await _ask(web, canary, job, data, name), None))
        except BlobMissing:
            said.append((film_uid, None, "the film's bytes are missing from the store"))
        except Refused as error:
            if error.status not in ABOUT_THE_FILM:
                away = Unavailable(error.detail)
                break
            said.append((film_uid, None, error.detail))
        except Unavailable as error:
            away = error
            break
    outcome = await canary.in_thread(lambda: _keep(web, job, said, release))
    if away is not None:
        raise away
    return outcome


async def _ask(web: Web, canary: Canary, job: Job, data: bytes, name: str) -> PredictionOut:
    if not job.exposed:
        prediction = await canary.predict(data, name, utc_now)
    else:
        prediction = await web.inference.predict(data, name, features=True)
    if key_of(prediction.release) != job.other:
        raise Unavailable("another release answers than the one that is compared")
    return prediction


def _keep(web: Web, job: Job, said: list[tuple[str, PredictionOut | None, str | None]], canary: Key) -> Outcome:
    now = utc_now()
    live, shadow = (job.other, job.shown) if job.exposed else (job.shown, job.other)
    with web.write() as session:
        study = locked_study(session, job.study_uid)
        if study is None:
            return "skipped"
        for film_uid, prediction, reason in said:
            key = (film_uid, job.other.digest, job.other.precision)
            if session.get(ShadowPrediction, key) is None:
                payload = None if prediction is None else prediction.model_dump(mode="json")
                session.add(
                    ShadowPrediction(
                        film_uid=film_uid,
                        release_digest=key[1],
                        precision=key[2],
                        payload=payload,
                        reason=reason,
                        made_at=now,
                    )
                )
        session.flush()
        if study.answer_version != job.version:
            # A late film made a new answer meanwhile: its own offer is in the queue.
            return "skipped"
        answer = session.get(Answer, (job.study_uid, job.version))
        made = keep_pair(
            session, study, job.all_films, live, shadow, exposed=job.exposed, salt=web.settings.blind_salt, now=now
        )
        if made is None or answer is None:
            return "skipped"
        paid(session, job.study_uid, canary.digest)
        names = [item["name"] for item in findings_of(session, answer)]
    _, new, disagreements = made
    start_series(names, live.digest, shadow.digest)
    if new:
        PAIRS.labels(live.digest, shadow.digest).inc()
        for name in disagreements:
            DISAGREEMENTS.labels(name, live.digest, shadow.digest).inc()
    return "paired"
