"""The live path's question: production's release, or canary's for an exposed study, with production's at hand."""

from __future__ import annotations

import asyncio

import structlog

from hilum.clients.base import Refused, Unavailable
from hilum.storage import DatabaseUnavailable
from hilum.wire import Prediction
from services.web.context import Web, utc_now
from services.web.know import know_release
from services.web.queue import Claimed
from services.web.shadow.canary import Canary
from services.web.shadow.exposure import end_one, must_end, release_for
from services.web.shadow.pairs import Key, key_of
from services.web.shadow.tables import ShadowPrediction

log = structlog.get_logger("hilum.web.exposure")
# How often exposures are looked through.
LOOK_SECONDS = 5.0


async def ask_live(web: Web, claimed: Claimed, data: bytes) -> Prediction:
    """Score the film by the release that answers its study. Raises what inference's client raises.

    Both releases are asked at once: where canary does not answer in its short time, production's answer is here.
    """
    canary = web.canary
    if canary is None or web.settings.exposure_share == 0:
        return await web.inference.predict(data, claimed.file_name, features=True)
    release = await asyncio.to_thread(_release, web, canary, claimed.study_uid)
    if release is None:
        return await web.inference.predict(data, claimed.file_name, features=True)
    ours, theirs = await asyncio.gather(
        web.inference.predict(data, claimed.file_name, features=True),
        canary.predict(data, claimed.file_name, utc_now, web.settings.exposure_wait_seconds),
        return_exceptions=True,
    )
    if isinstance(theirs, Prediction) and key_of(theirs.release) == release:
        if isinstance(ours, Prediction):
            await know_release(web, ours.release)
            await asyncio.to_thread(_keep, web, claimed.uid, ours)
        return theirs
    why = _why(theirs)
    log.warning("an exposed study goes back to production's release", study_uid=claimed.study_uid, reason=why)
    await asyncio.to_thread(_end, web, claimed.study_uid, why)
    if isinstance(ours, BaseException):
        raise ours
    return ours


def _why(theirs: Prediction | BaseException) -> str:
    if isinstance(theirs, Prediction):
        return "canary serves another release now"
    if isinstance(theirs, Refused):
        return f"canary refused the film: {theirs.detail}"[:400]
    if isinstance(theirs, Unavailable):
        return "canary did not answer"
    raise theirs


def _release(web: Web, canary: Canary, study_uid: str) -> Key | None:
    with web.write() as session:
        return release_for(session, study_uid, canary, web.settings, utc_now())


def _keep(web: Web, film_uid: str, ours: Prediction) -> None:
    """What production says of an exposed study's film: the other half of its pair."""
    key = (film_uid, ours.release.digest, ours.release.precision)
    with web.write() as session:
        if session.get(ShadowPrediction, key) is None:
            row = ShadowPrediction(film_uid=film_uid, release_digest=key[1], precision=key[2], made_at=utc_now())
            row.payload = ours.model_dump(mode="json")
            session.add(row)


def _end(web: Web, study_uid: str, reason: str, unread_only: bool = False) -> None:
    with web.write() as session:
        end_one(session, study_uid, reason, web.policy, utc_now(), unread_only=unread_only)


def end_what_must(web: Web) -> int:
    """Give back what canary can't answer any more, a study a transaction; returns how many."""
    with web.read() as session:
        found = must_end(session, web.canary, web.settings, utc_now())
    for uid, reason in found:
        _end(web, uid, reason, unread_only=True)
    return len(found)


async def run_exposure(web: Web) -> None:
    """Until cancelled: give studies back to production's release where canary can't answer them any more."""
    while True:
        try:
            ended = await asyncio.to_thread(end_what_must, web)
            if ended:
                log.warning("exposed studies go back to production's release", studies=ended)
                web.films_waiting.set()
        except DatabaseUnavailable as error:
            log.warning("exposure waits for the database", reason=str(error))
        except Exception:
            log.exception("exposure failed")
        await asyncio.sleep(min(LOOK_SECONDS, 5 * web.settings.poll_seconds))
