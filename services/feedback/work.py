"""What runs beside the requests: objects, daily heads, compaction."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from hilum.release.signing import BadSignature
from hilum.storage import Blobs, BlobsUnavailable, DatabaseUnavailable, open_blobs
from services.feedback import metrics
from services.feedback.archive import NotImmutable, archive, export_heads, ledger_key
from services.feedback.lease import LeaseLost
from services.feedback.newdata import compact
from services.feedback.service import Feedback
from services.feedback.settings import FeedbackSettings

log = structlog.get_logger("hilum.feedback.work")
AWAY = (DatabaseUnavailable, BlobsUnavailable, LeaseLost, BadSignature, OSError)


async def work(feedback: Feedback, settings: FeedbackSettings) -> None:
    """Go on until cancelled, or not at all where nothing is set that lasts.

    What is away is tried again at the next turn; no read waits for any of it.
    """
    compacted_at, said = datetime.now(UTC), ""
    if not settings.newdata_url and not settings.on_laptop:
        # A pod's own folder goes with the pod: objects there would be lost, and called written.
        log.warning("HILUM_NEWDATA_URL is not set: no objects, no heads and no training data are written")
        return
    if not settings.ledger_key and not settings.on_laptop:
        log.warning("HILUM_LEDGER_KEY is not set: no heads are signed")
    while settings.archive_seconds:
        await asyncio.sleep(settings.archive_seconds)
        due = datetime.now(UTC) - compacted_at >= timedelta(seconds=settings.compaction_seconds)
        compacting = bool(settings.compaction_seconds) and due
        if compacting:
            compacted_at = datetime.now(UTC)
        try:
            await asyncio.to_thread(turn, feedback, settings, compacting=compacting)
            said = ""
        except AWAY as error:
            if said != str(error):
                log.warning("the ledger's objects wait", reason=str(error))
            said = str(error)
        except NotImmutable as error:
            metrics.CONTRADICTIONS.inc()
            log.error("the ledger is contradicted", reason=str(error))
        except Exception:
            log.exception("the ledger's worker failed")


def newdata_store(settings: FeedbackSettings) -> Blobs:
    """The bucket `newdata`."""
    return open_blobs(settings.newdata(), settings.s3_endpoint)


def turn(feedback: Feedback, settings: FeedbackSettings, *, compacting: bool) -> None:
    """One round. Raises what is away."""
    ledger = feedback.ledger()
    newdata = newdata_store(settings)
    metrics.ARCHIVED.inc(archive(ledger, newdata))
    if settings.ledger_key or settings.on_laptop:
        export_heads(ledger, newdata, ledger_key(settings.signing_key()), datetime.now(UTC))
    if compacting:
        done = compact(ledger, open_blobs(settings.blobs(), settings.s3_endpoint), newdata)
        if done is not None:
            metrics.COMPACTED_FILMS.set(done.films)
            log.info("compacted", reads=done.reads, films=done.films, written=done.written, without=done.without)
