"""Rows that the worklist alone needs: who reads what now, who passed it over, what was reported elsewhere, saved views.

Migrations in `migrations/` make the tables; a test compares them with these classes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.web.tables import UID, Base


class Claim(Base):
    """Who reads a study at the moment. After `expires_at` it counts for nothing: a browser may end without a word."""

    __tablename__ = "claims"

    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), primary_key=True)
    reader: Mapped[str] = mapped_column(String(128))
    claimed_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Skip(Base):
    """How often one reader passed an unread study over."""

    __tablename__ = "skips"

    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), primary_key=True)
    reader: Mapped[str] = mapped_column(String(128), primary_key=True)
    times: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime]


class Closure(Base):
    """A study that was closed or opened again, never changed afterwards. `id` is the idempotency key."""

    __tablename__ = "closures"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), index=True)
    action: Mapped[str] = mapped_column(String(8))
    by: Mapped[str] = mapped_column(String(128))
    reason: Mapped[str] = mapped_column(Text)
    reader: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime]


class SavedView(Base):
    """A reader's named filter. A deleted one stays a while, so that deleting can be undone."""

    __tablename__ = "saved_views"
    __table_args__ = (Index("ix_saved_views_reader", "reader", "name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    reader: Mapped[str] = mapped_column(String(128))
    name: Mapped[str] = mapped_column(String(64))
    filters: Mapped[dict[str, Any]]
    is_default: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ListEvent(Base):
    """One committed change of something that the list shows. Rows are dropped after a while; ids never come again."""

    __tablename__ = "list_events"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]


class PresentFinding(Base):
    """A finding that a study's answer calls present, with the study's own sort keys, so that a filter is one range.

    `unread`, `due_at` and `last_read_at` are copies of the study's, kept by `services.web.present`.
    """

    __tablename__ = "present_findings"
    __table_args__ = (
        Index("ix_present_findings_unread", "finding", "due_at", "study_uid", sqlite_where=text("unread = 1"),
              postgresql_where=text("unread")),
        Index("ix_present_findings_due", "finding", "due_at", "study_uid"),
        Index("ix_present_findings_read", "finding", "last_read_at", "study_uid",
              sqlite_where=text("last_read_at IS NOT NULL"), postgresql_where=text("last_read_at IS NOT NULL")),
    )  # fmt: skip

    study_uid: Mapped[str] = mapped_column(UID, ForeignKey("studies.uid"), primary_key=True)
    finding: Mapped[str] = mapped_column(String(64), primary_key=True)
    due_at: Mapped[datetime]
    last_read_at: Mapped[datetime | None]
    unread: Mapped[bool]
