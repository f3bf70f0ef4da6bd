"""The scoring worker: asks inference for each waiting film. Inference may be away as long as it likes."""

from __future__ import annotations

import asyncio
from typing import Literal

import structlog

from hilum import telemetry_traces
from hilum.clients.base import Refused, Unavailable
from hilum.storage import BlobMissing, BlobsUnavailable, DatabaseUnavailable
from services.web.answers import store_prediction, store_refusal
from services.web.context import Web, utc_now
from services.web.dicom.results import queue_results
from services.web.know import know_release
from services.web.metrics import FILMS_SCORED
from services.web.queue import Claimed, claim_film, hurry_all, put_back
from services.web.shadow.live import ask_live
from services.web.waits import ranked

log = structlog.get_logger("hilum.web.scoring")
# What inference says of the film itself; every other refusal is about the way there (a gateway, a wrong address).
ABOUT_THE_FILM = frozenset({400, 413, 415, 422})
# So many failures in a row are an outage, not a film that inference fails on.
OUTAGE = 3
AWAY_SECONDS = 1.0
Outcome = Literal["scored", "not_scored", "unavailable", "idle"]


async def score_one(web: Web) -> Outcome:
    """Score the film that is due first; "idle" where none may be tried now."""
    claimed = await asyncio.to_thread(_claim, web)
    if claimed is None:
        return "idle"
    try:
        with telemetry_traces.within(claimed.trace, "score film"):
            outcome = await _score(web, claimed)
            if outcome != "unavailable" and claimed.arrived_at is not None:
                ranked(claimed.arrived_at, utc_now())
    except Exception:
        # Whatever it was, the film waits on, and not until its lease ends.
        await _back(web, claimed)
        raise
    FILMS_SCORED.labels(outcome).inc()
    return outcome


async def _score(web: Web, claimed: Claimed) -> Outcome:
    try:
        data = await asyncio.to_thread(web.blobs.get, claimed.blob_key)
        prediction = await ask_live(web, claimed, data)
        await know_release(web, prediction.release)
    except BlobMissing:
        log.error("a kept film's bytes are missing", film_uid=claimed.uid)
        await asyncio.to_thread(_refuse, web, claimed.uid, "the film's bytes are missing from the store")
        return "not_scored"
    except Refused as error:
        if error.status in ABOUT_THE_FILM:
            await asyncio.to_thread(_refuse, web, claimed.uid, error.detail)
            return "not_scored"
        log.warning("inference refuses to be asked", status=error.status, detail=error.detail)
        await _back(web, claimed)
        return "unavailable"
    except (Unavailable, BlobsUnavailable) as error:
        log.info("a film waits on", film_uid=claimed.uid, attempts=claimed.attempts, reason=str(error))
        await _back(web, claimed)
        return "unavailable"

    def keep() -> None:
        with web.write() as session:
            now = utc_now()
            store_prediction(session, claimed.uid, prediction, web.policy, now)
            queue_results(session, web.settings, claimed.study_uid, now)

    await asyncio.to_thread(keep)
    log.debug("a film was scored", study_uid=claimed.study_uid, film_uid=claimed.uid, attempts=claimed.attempts)
    web.results_waiting.set()
    if web.canary is not None:
        web.canary.offer(claimed.study_uid)
    return "scored" if prediction.domain.in_domain else "not_scored"


def _claim(web: Web) -> Claimed | None:
    with web.write() as session:
        return claim_film(session, utc_now(), web.settings.lease_seconds)


async def _back(web: Web, claimed: Claimed) -> None:
    """Let the film wait again. Where the database is away, that is what this worker waits for."""

    def put() -> None:
        with web.write() as session:
            put_back(session, claimed.uid, utc_now(), claimed.attempts, web.settings.retry_max_seconds)

    while True:
        try:
            await asyncio.to_thread(put)
            return
        except DatabaseUnavailable as error:
            log.warning("scoring waits for the database", reason=str(error))
            await asyncio.sleep(AWAY_SECONDS)


def _refuse(web: Web, uid: str, reason: str) -> None:
    with web.write() as session:
        store_refusal(session, uid, reason, web.policy)


def _hurry(web: Web) -> None:
    with web.write() as session:
        hurry_all(session, utc_now())


async def run_scoring(web: Web) -> None:
    """Score until cancelled. One of `scoring_parallel` such tasks; never ends by an error of its own."""
    failures = 0
    while True:
        try:
            outcome = await score_one(web)
        except (DatabaseUnavailable, BlobsUnavailable) as error:
            log.warning("scoring waits for the stores", reason=str(error))
            outcome = "unavailable"
        except Exception:
            log.exception("scoring failed")
            outcome = "unavailable"
        if outcome == "unavailable":
            failures += 1
            await asyncio.sleep(min(0.25 * failures, 2.0))
            continue
        if outcome != "idle":
            if failures >= OUTAGE:
                await asyncio.to_thread(_hurry, web)
            failures = 0
        if outcome == "idle":
            await web.films_waiting.wait(web.settings.poll_seconds)
