"""Stored plans: fixed under a name before anybody looks, and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from services.web.tables import DIGEST, Base


class EvidencePlan(Base):
    """A plan under its name."""

    __tablename__ = "evidence_plans"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(DIGEST)
    payload: Mapped[dict[str, Any]]
    stored_at: Mapped[datetime]
