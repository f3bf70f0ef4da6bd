"""The worker that makes results and takes them to the destination, for ever if need be."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any, Literal

import pydicom
import structlog
from pydicom.dataset import Dataset
from sqlalchemy import select

from hilum.clients.base import Refused, Unavailable
from hilum.clients.dicom import Destination, Sender, send
from hilum.imaging import decode, render
from hilum.storage import BlobMissing, BlobsUnavailable, DatabaseUnavailable
from services.web.context import Web, utc_now
from services.web.dicom.capture import make_capture
from services.web.dicom.metrics import SENT
from services.web.dicom.report import make_report
from services.web.dicom.results import (
    REPORT,
    Outgoing,
    hurry_results,
    mark_refused,
    mark_sent,
    put_back,
    result_uid,
    take_result,
)
from services.web.dicom.source import source_of
from services.web.dicom.tables import Delivery
from services.web.identity.audit import Entry, append
from services.web.tables import Answer, Film

log = structlog.get_logger("hilum.web.results")
Outcome = Literal["sent", "refused", "unavailable", "idle"]
# So many failures in a row are an outage: when it ends, every waiting result goes at once.
OUTAGE = 3


class CannotBeMade(Exception):
    """There will never be such a result; the text says why."""


async def deliver_one(web: Web) -> Outcome:
    """Send the result that waits longest; "idle" where none may leave now."""

    def take() -> Outgoing | None:
        with web.write() as session:
            return take_result(session, utc_now())

    outgoing = await asyncio.to_thread(take)
    if outgoing is None:
        return "idle"
    try:
        body = await _body(web, outgoing)
        destination, sender = Destination.parse(web.settings.results_to), sender_of(web)
        await asyncio.to_thread(send, destination, body, sender)
    except (Refused, CannotBeMade) as error:
        reason = error.detail if isinstance(error, Refused) else str(error)
        log.error("a result is refused; a person must look", uid=outgoing.uid, kind=outgoing.kind, reason=reason)
        await asyncio.to_thread(_write, web, mark_refused, outgoing.uid, reason)
        return "refused"
    except (Unavailable, BlobsUnavailable, OSError) as error:
        log.info("a result waits", uid=outgoing.uid, attempts=outgoing.attempts, reason=str(error))
        longest = web.settings.results_retry_max_seconds
        await asyncio.to_thread(_write, web, put_back, outgoing.uid, utc_now(), outgoing.attempts, longest)
        return "unavailable"
    await asyncio.to_thread(_sent, web, outgoing)
    SENT.labels(outgoing.kind).inc()
    return "sent"


def _sent(web: Web, outgoing: Outgoing) -> None:
    """Mark it, and write into the audit log that it left."""
    # Without what stands before the host: no token or name that a URL may hold.
    address = web.settings.results_to.rpartition("@")[2][:64]
    what = f"sent {outgoing.kind} {outgoing.uid}"
    with web.write() as session:
        mark_sent(session, outgoing.uid, utc_now())
        append(session, [Entry("results", "worker", address, "export", what, 0, outgoing.study_uid)], utc_now())


def sender_of(web: Web) -> Sender:
    """Who we are to the destination."""
    settings = web.settings
    return Sender(
        settings.dicom_title,
        settings.dicom_tls_certificate,
        settings.dicom_tls_key,
        settings.dicom_tls_ca,
        settings.results_token.get_secret_value(),
    )


def _write(web: Web, change: Any, *values: Any) -> None:
    with web.write() as session:
        change(session, *values)


async def _body(web: Web, outgoing: Outgoing) -> bytes:
    """The result's bytes: made once and kept, so that each try sends the same under the same name."""
    key = f"results/{outgoing.uid}"
    try:
        return await asyncio.to_thread(web.blobs.get, key)
    except BlobMissing:
        pass
    try:
        made = await (_report(web, outgoing) if outgoing.kind == REPORT else _heat(web, outgoing))
    except BlobMissing as error:
        raise CannotBeMade(f"a film's bytes are missing: {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        log.exception("a result can't be made", uid=outgoing.uid)
        raise CannotBeMade(f"the film's header can't be taken over: {type(error).__name__}") from error
    await asyncio.to_thread(web.blobs.put, key, made)
    return made


def _answer(web: Web, outgoing: Outgoing) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The answer's payload, and (film uid, blob key) of the DICOM films that it is of."""
    with web.read() as session:
        answer = session.get(Answer, (outgoing.study_uid, outgoing.answer_version))
        films = session.execute(
            select(Film.uid, Film.blob_key, Film.state)
            .where(Film.study_uid == outgoing.study_uid, Film.media_type == "application/dicom")
            .order_by(Film.number)
        ).all()
    if answer is None:
        raise CannotBeMade("the answer is gone")
    named = {finding["film_uid"] for finding in answer.payload["findings"]}
    mine = [(uid, key) for uid, key, state in films if uid in named] or [(uid, key) for uid, key, _ in films]
    if not mine:
        raise CannotBeMade("the study has no DICOM film")
    return dict(answer.payload), mine


async def _report(web: Web, outgoing: Outgoing) -> bytes:
    def make() -> bytes:
        payload, films = _answer(web, outgoing)
        sources = [source_of(web.blobs.get(key)) for _, key in films]
        return make_report(
            sources,
            payload,
            uid=outgoing.uid,
            version=outgoing.answer_version,
            made_at=outgoing.made_at,
            before=_before(web, outgoing),
        )

    return await asyncio.to_thread(make)


def _before(web: Web, outgoing: Outgoing) -> Dataset | None:
    """The newest earlier report of the study that the destination took."""
    with web.read() as session:
        query = (
            select(Delivery.answer_version)
            .where(
                Delivery.study_uid == outgoing.study_uid,
                Delivery.kind == REPORT,
                Delivery.answer_version < outgoing.answer_version,
                Delivery.sent_at.is_not(None),
            )
            .order_by(Delivery.answer_version.desc())
            .limit(1)
        )
        version = session.scalar(query)
    if version is None:
        return None
    body = web.blobs.get(f"results/{result_uid(REPORT, outgoing.study_uid, version)}")
    return pydicom.dcmread(BytesIO(body))


async def _heat(web: Web, outgoing: Outgoing) -> bytes:
    """The map of the present finding that exceeds its alert threshold most, over the film that gave it."""
    payload, films = await asyncio.to_thread(_answer, web, outgoing)
    keys = dict(films)
    present = [item for item in payload["findings"] if item["present"] and item["film_uid"] in keys]
    if not present:
        raise CannotBeMade("no finding on a DICOM film is present")
    finding = max(present, key=lambda item: item["probability"] - item["alert"])
    data = await asyncio.to_thread(web.blobs.get, keys[finding["film_uid"]])
    try:
        heat = await web.served_by(payload["release"]["digest"]).explain(
            data, finding["name"], payload["release"]["digest"]
        )
    except Refused as error:
        raise CannotBeMade(f"inference draws no heat map: {error.detail}") from error

    def make() -> bytes:
        film_png = web.decoders.submit(lambda: render(decode(data))).result()
        return make_capture(
            source_of(data),
            film_png,
            heat,
            uid=outgoing.uid,
            version=outgoing.answer_version,
            finding=finding["name"],
            release=payload["release"],
            made_at=outgoing.made_at,
        )

    return await asyncio.to_thread(make)


async def run_results(web: Web) -> None:
    """Deliver until cancelled; never ends by an error of its own. Does nothing where no destination is set."""
    if not web.settings.results_to:
        return
    await asyncio.to_thread(_write, web, hurry_results, utc_now())
    failures = 0
    while True:
        try:
            outcome = await deliver_one(web)
        except DatabaseUnavailable as error:
            log.warning("results wait for the database", reason=str(error))
            outcome = "unavailable"
        except Exception:
            log.exception("a delivery failed")
            outcome = "unavailable"
        if outcome == "unavailable":
            failures += 1
            await asyncio.sleep(min(0.25 * failures, 5.0))
            continue
        if outcome == "sent" and failures >= OUTAGE:
            await asyncio.to_thread(_write, web, hurry_results, utc_now())
        if outcome != "idle":
            failures = 0
        else:
            await web.results_waiting.wait(web.settings.poll_seconds)
