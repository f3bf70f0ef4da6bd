"""Releases that inference has shown: kept, so that a study can be read while inference is away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hilum.findings import finding
from hilum.storage import writer_lock
from hilum.wire import ModelInfo
from services.web.shadow.tables import ShadowRelease
from services.web.tables import Answer, Release


def keep_release(session: Session, info: ModelInfo, now: datetime) -> None:
    """Remember `info`, or that it was seen again."""
    writer_lock(session, "releases")
    key = (info.release.digest, info.release.precision)
    row = session.get(Release, key)
    if row is None:
        row = Release(digest=key[0], precision=key[1])
        session.add(row)
    row.payload = info.model_dump(mode="json")
    row.seen_at = now
    session.flush()


def newest_release(session: Session) -> Release | None:
    """The release that was seen last."""
    return session.scalars(select(Release).order_by(Release.seen_at.desc()).limit(1)).first()


def findings_of(session: Session, answer: Answer) -> list[dict[str, Any]]:
    """Name, code, acute, established of each finding of the answer's release, in its order."""
    key = (answer.release_digest, answer.precision)
    release = session.get(Release, key) or session.get(ShadowRelease, key)
    if release is not None:
        return list(release.payload["findings"])
    # The answer itself names its findings in order; whether they are acute is in Hilum's dictionary.
    return [{**item, "acute": finding(item["name"]).acute} for item in answer.payload["findings"]]


def known_release(session: Session, digest: str, precision: str) -> bool:
    """Whether the release's findings are kept here, as production's or as canary's."""
    key = (digest, precision)
    return (session.get(Release, key) or session.get(ShadowRelease, key)) is not None


def newest_model(session: Session) -> ModelInfo | None:
    """What the newest known release says of itself."""
    row = newest_release(session)
    return None if row is None else ModelInfo.model_validate(row.payload)
