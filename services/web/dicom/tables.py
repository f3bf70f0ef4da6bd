"""Rows of DICOM objects: every instance that was kept, the films that a note withdrew, results on their way out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.web.tables import DIGEST, UID, Base


class Instance(Base):
    """One DICOM object as it came: a film, or a document (key object note, presentation state, report, result).

    A document may come before the first film of its study, so `study_uid` refers to no row. `attributes` holds texts
    by keyword for queries; a patient's name is not among them.
    """

    __tablename__ = "instances"
    __table_args__ = (
        Index("ix_instances_study", "study_uid", "series_uid", "uid"),
        Index("ix_instances_series", "series_uid"),
    )

    uid: Mapped[str] = mapped_column(UID, primary_key=True)
    study_uid: Mapped[str] = mapped_column(UID)
    series_uid: Mapped[str] = mapped_column(UID)
    kind: Mapped[str] = mapped_column(String(16))
    sop_class_uid: Mapped[str] = mapped_column(UID)
    transfer_syntax_uid: Mapped[str] = mapped_column(UID)
    modality: Mapped[str] = mapped_column(String(16))
    study_date: Mapped[str] = mapped_column(String(8))
    sender: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(DIGEST)
    blob_key: Mapped[str] = mapped_column(String(200))
    byte_count: Mapped[int]
    attributes: Mapped[dict[str, Any]]
    arrived_at: Mapped[datetime]


class Withdrawal(Base):
    """A rejection note's word on one film, which may be here already or come later."""

    __tablename__ = "withdrawals"

    film_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    note_uid: Mapped[str] = mapped_column(ForeignKey("instances.uid"), primary_key=True)
    study_uid: Mapped[str] = mapped_column(UID)
    code: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    seen_at: Mapped[datetime]


class Delivery(Base):
    """A result on its way to the destination. A row stays: sent, or refused with the destination's reason.

    `uid` is the SOPInstanceUID, made from study, version and kind, so that a second sending changes nothing.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("study_uid", "answer_version", "kind"),
        Index("ix_deliveries_waiting", "next_try", sqlite_where=text("sent_at IS NULL AND refused IS NULL"),
              postgresql_where=text("sent_at IS NULL AND refused IS NULL")),
    )  # fmt: skip

    uid: Mapped[str] = mapped_column(UID, primary_key=True)
    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"))
    answer_version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    made_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    next_try: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    refused: Mapped[str | None] = mapped_column(Text)
