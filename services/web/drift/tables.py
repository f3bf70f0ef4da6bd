"""Rows of drift: the reports, and from when on a site's films are the ones to compare with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.web.tables import DIGEST, Base


class DriftReport(Base):
    """What one run found at one site under one release; `payload` is `services.web.drift.wire.DriftOut`."""

    __tablename__ = "drift_reports"
    __table_args__ = (Index("ix_drift_reports_site", "site", "made_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    site: Mapped[str] = mapped_column(String(128))
    release_digest: Mapped[str] = mapped_column(DIGEST)
    precision: Mapped[str] = mapped_column(String(8))
    made_at: Mapped[datetime]
    payload: Mapped[dict[str, Any]]


class DriftBaseline(Base):
    """Somebody accepted a change: films of `site` that arrived since `since` are the new baseline. Never changed."""

    __tablename__ = "drift_baselines"
    __table_args__ = (Index("ix_drift_baselines_site", "site", "since"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    site: Mapped[str] = mapped_column(String(128))
    since: Mapped[datetime]
    why: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(String(128))
    made_at: Mapped[datetime]
