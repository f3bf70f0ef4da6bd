"""What the numbers are counted from: one flat row per read, and agreement per finding and hour.

A projection of reads, studies and answers that a worker keeps up; it can be emptied at any time and is made again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from services.web.tables import DIGEST, UID, Base


class ReadFact(Base):
    """One read. `first`: the study's first; `second`: another reader had read it before. Waits are from arrival.

    `agree`, `disagree`, `uncertain` count findings against what the shown (or withheld) answer called present.
    """

    __tablename__ = "read_facts"
    __table_args__ = (Index("ix_read_facts_read_at", "read_at"), Index("ix_read_facts_due_at", "due_at"))

    read_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    study_uid: Mapped[str] = mapped_column(UID)
    read_at: Mapped[datetime]
    due_at: Mapped[datetime]
    reader: Mapped[str] = mapped_column(String(128))
    site: Mapped[str] = mapped_column(String(128))
    band: Mapped[str] = mapped_column(String(16))
    release_digest: Mapped[str] = mapped_column(DIGEST)
    blind: Mapped[bool]
    first: Mapped[bool]
    second: Mapped[bool]
    wait_seconds: Mapped[float] = mapped_column(Float)
    seconds_spent: Mapped[float | None] = mapped_column(Float)
    agree: Mapped[int]
    disagree: Mapped[int]
    uncertain: Mapped[int]


class AgreementHour(Base):
    """Agreement of one hour's reads (`hour`: its beginning) on one finding, blind reads apart."""

    __tablename__ = "agreement_hours"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    finding: Mapped[str] = mapped_column(String(64), primary_key=True)
    release_digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    blind: Mapped[bool] = mapped_column(primary_key=True)
    agree: Mapped[int]
    disagree: Mapped[int]
    missed: Mapped[int]
    uncertain: Mapped[int]
