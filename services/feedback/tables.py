"""The one table: reads, in the order in which they were committed, chained by hashes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Integer, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hilum.storage import NAMING, UtcDateTime


class Base(DeclarativeBase):
    """Mother of this service's tables."""

    metadata = MetaData(naming_convention=NAMING)


class ReadRow(Base):
    """One read. `body` is the truth; the columns below it repeat what queries need and are checked against it."""

    __tablename__ = "reads"

    # 1, 2, 3 ... without a gap, in the order of commits: a consumer that asks "since" never misses one.
    sequence: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )
    id: Mapped[str] = mapped_column(String(200), unique=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    body: Mapped[str] = mapped_column(Text)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))

    study_uid: Mapped[str] = mapped_column(String(128), index=True)
    reader: Mapped[str] = mapped_column(String(128))
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)
    release_digest: Mapped[str | None] = mapped_column(Text)
    blind: Mapped[bool]
    site: Mapped[str] = mapped_column(Text)
    findings: Mapped[str] = mapped_column(Text)
    # Rows from before these two columns have their defaults, as their bodies do.
    kind: Mapped[str] = mapped_column(String(16), server_default="read")
    replaces: Mapped[str | None] = mapped_column(String(200), index=True)


class Mark(Base):
    """How far a worker has come, and who is at work: `holder` until `held_until`. One row per worker."""

    __tablename__ = "ledger_marks"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), default=0)
    note: Mapped[str] = mapped_column(Text, default="")
    holder: Mapped[str] = mapped_column(String(64), default="")
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
