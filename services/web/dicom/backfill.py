"""Rows of instances for DICOM films that were stored before there were such rows; does nothing once all have theirs."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import exists, select

from hilum.storage import BlobMissing, BlobsUnavailable, DatabaseUnavailable
from services.web.context import Web
from services.web.dicom.facts import read_facts
from services.web.dicom.instances import FILM, keep_instance
from services.web.dicom.tables import Instance
from services.web.tables import Film

log = structlog.get_logger("hilum.web.dicom")
PAGE = 100
AWAY_SECONDS = 5.0


def backfill_page(web: Web, after: str) -> str | None:
    """Write the rows of the next films after the UID `after`; the last UID, None at the end."""
    query = (
        select(Film)
        .where(Film.media_type == "application/dicom", Film.uid > after, ~exists().where(Instance.uid == Film.uid))
        .order_by(Film.uid)
        .limit(PAGE)
    )
    with web.read() as session:
        films = list(session.scalars(query))
    for film in films:
        try:
            facts = read_facts(web.blobs.get(film.blob_key))
        except BlobMissing:
            log.error("a kept film's bytes are missing", film_uid=film.uid)
            continue
        if facts is not None and facts.uid == film.uid:
            with web.write() as session:
                keep_instance(
                    session,
                    facts,
                    kind=FILM,
                    sha256=film.sha256,
                    blob_key=film.blob_key,
                    byte_count=film.byte_count,
                    sender="",
                    now=film.arrived_at,
                )
    return films[-1].uid if films else None


async def run_backfill(web: Web) -> None:
    """Once through all films, in the background; a store that is away is waited for."""
    after: str | None = ""
    while after is not None:
        try:
            after = await asyncio.to_thread(backfill_page, web, after)
        except (DatabaseUnavailable, BlobsUnavailable) as error:
            log.warning("old films wait for their rows", reason=str(error))
            await asyncio.sleep(AWAY_SECONDS)
        except Exception:
            log.exception("old films can't get their rows now; the next start tries again")
            return
