"""Whether the reading room can take films and reads, and what else is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from sqlalchemy import func, select

from hilum.clients.base import Unavailable
from hilum.storage import BlobsUnavailable, DatabaseUnavailable, check
from hilum.wire import Readiness
from services.web.context import Web, utc_now
from services.web.dicom.results import results_in_words
from services.web.tables import Outbox

ASK_SECONDS = 2.0


@dataclass(frozen=True)
class Health:
    """`reasons` say why films and reads can't be taken; `warnings` what is wrong beside that."""

    ready: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


async def look(web: Web) -> Health:
    """Ask the stores and the two services. Films are taken while inference or feedback is away."""
    stores, inference, feedback = await asyncio.gather(
        asyncio.to_thread(_stores, web),
        _service("inference", web.inference.ready()),
        _service("feedback", web.feedback.ready()),
    )
    reasons, warnings = stores
    return Health(not reasons, reasons, (*inference, *feedback, *warnings))


def _stores(web: Web) -> tuple[tuple[str, ...], tuple[str, ...]]:
    reasons: list[str] = []
    warnings: list[str] = []
    try:
        check(web.engine)
        with web.read() as session:
            refused = session.scalar(select(func.count()).where(Outbox.refused.is_not(None))) or 0
            warnings.extend(results_in_words(session, utc_now()))
        if refused:
            warnings.append(f"outbox: feedback refused {refused} read(s); they are kept, a person must look")
    except DatabaseUnavailable as error:
        reasons.append(f"database: {error}")
    try:
        web.blobs.check()
    except BlobsUnavailable as error:
        reasons.append(f"films: {error}")
    return tuple(reasons), tuple(warnings)


async def _service(name: str, asked: Awaitable[Readiness]) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            answer = await asked
    except (TimeoutError, Unavailable) as error:
        return (f"{name}: does not answer ({type(error).__name__})",)
    return () if answer.ready else tuple(f"{name}: {reason}" for reason in answer.reasons or ["not ready"])
