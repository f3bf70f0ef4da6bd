"""Rows of the reading room. Times are UTC; JSON columns hold what is shown but never searched.

Migrations in `migrations/` make the tables; a test compares them with these classes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, MetaData, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hilum.storage import NAMING, UtcDateTime

UID = String(64)
DIGEST = String(64)


class Base(DeclarativeBase):
    """Base of all rows."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class Study(Base):
    """What is listed and read. `settled_*` is the urgency once no film waited: a late film never lowers it."""

    __tablename__ = "studies"
    __table_args__ = (
        # The list's order, and beside it all that is counted above the list: no row is fetched for that.
        Index("ix_studies_unread_counts", "due_at", "uid", "band", "status", "blind", "answer_version", "escalated_at",
              "synthetic", sqlite_where=text("status <> 'read'"), postgresql_where=text("status <> 'read'")),
        Index("ix_studies_due", "due_at", "uid"),
        Index("ix_studies_arrival", "arrived_at", "uid"),
        Index("ix_studies_history", "last_read_at", "uid"),
        Index("ix_studies_unread_band", "band", "due_at", "uid", sqlite_where=text("status <> 'read'"),
              postgresql_where=text("status <> 'read'")),
        Index("ix_studies_unread_site", "site", "due_at", "uid", sqlite_where=text("status <> 'read'"),
              postgresql_where=text("status <> 'read'")),
        Index("ix_studies_unread_site_band", "site", "band", "due_at", "uid", sqlite_where=text("status <> 'read'"),
              postgresql_where=text("status <> 'read'")),
        # SQLite has no booleans: an index serves only queries that say it in the same words.
        Index("ix_studies_unread_blind", "due_at", "uid", sqlite_where=text("blind = 1 AND status <> 'read'"),
              postgresql_where=text("blind AND status <> 'read'")),
        Index("ix_studies_site", "site", "due_at", "uid"),
        Index("ix_studies_site_history", "site", "last_read_at", "uid", sqlite_where=text("last_read_at IS NOT NULL"),
              postgresql_where=text("last_read_at IS NOT NULL")),
        Index("ix_studies_closed", "closed_at", "uid", sqlite_where=text("closed_at IS NOT NULL"),
              postgresql_where=text("closed_at IS NOT NULL")),
        Index("ix_studies_waiting", "due_at", "uid", sqlite_where=text("status = 'waiting'"),
              postgresql_where=text("status = 'waiting'")),
        Index("ix_studies_unsorted", "uid", sqlite_where=text("answer_version <> present_version"),
              postgresql_where=text("answer_version <> present_version")),
    )  # fmt: skip

    uid: Mapped[str] = mapped_column(UID, primary_key=True)
    accession: Mapped[str] = mapped_column(String(64), default="", index=True)
    accession_issuer: Mapped[str] = mapped_column(String(128), default="")
    patient_id: Mapped[str] = mapped_column(String(64), default="", index=True)
    patient_id_issuer: Mapped[str] = mapped_column(String(128), default="")
    site: Mapped[str] = mapped_column(String(128), default="")
    priority: Mapped[str] = mapped_column(String(16), default="")
    location: Mapped[str] = mapped_column(String(64), default="")
    arrived_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(16))
    band: Mapped[str] = mapped_column(String(16))
    score: Mapped[float] = mapped_column(Float)
    reason: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime]
    settled_band: Mapped[str | None] = mapped_column(String(16))
    settled_score: Mapped[float | None] = mapped_column(Float)
    settled_reason: Mapped[str | None] = mapped_column(Text)
    settled_due_at: Mapped[datetime | None]
    answer_version: Mapped[int] = mapped_column(default=0)
    reopened_at: Mapped[datetime | None]
    last_read_at: Mapped[datetime | None]
    # Reported elsewhere (another system said so); `reopened_at` after it takes that back.
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str] = mapped_column(String(128), default="", server_default="")
    closed_reason: Mapped[str] = mapped_column(Text, default="", server_default="")
    # How many readers passed it over; since when that is too many.
    skipped_by: Mapped[int] = mapped_column(default=0, server_default="0")
    escalated_at: Mapped[datetime | None]
    # The answer version whose present findings lie in `present_findings`.
    present_version: Mapped[int] = mapped_column(default=0, server_default="0")
    blind: Mapped[bool] = mapped_column(default=False)
    synthetic: Mapped[bool] = mapped_column(default=False)


class Film(Base):
    """One image of a study. Its bytes lie in the blob store under `blob_key`, as they came."""

    __tablename__ = "films"
    __table_args__ = (
        UniqueConstraint("study_uid", "number"),
        Index("ix_films_waiting", "next_try", sqlite_where=text("state = 'waiting'"),
              postgresql_where=text("state = 'waiting'")),
        Index("ix_films_tried", "attempts", "next_try", sqlite_where=text("state = 'waiting'"),
              postgresql_where=text("state = 'waiting'")),
    )  # fmt: skip

    uid: Mapped[str] = mapped_column(UID, primary_key=True)
    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), index=True)
    number: Mapped[int]
    sha256: Mapped[str] = mapped_column(DIGEST)
    blob_key: Mapped[str] = mapped_column(String(200))
    byte_count: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(32))
    file_name: Mapped[str] = mapped_column(String(128))
    view: Mapped[str] = mapped_column(String(16), default="")
    width: Mapped[int]
    height: Mapped[int]
    bits: Mapped[int]
    lossy: Mapped[bool]
    arrived_at: Mapped[datetime]
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    next_try: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    # The trace in which it came (W3C traceparent), so that its score is part of it; empty: traces are off.
    trace: Mapped[str] = mapped_column(String(64), default="", server_default="")


class Release(Base):
    """A release that inference has shown, so that a study can be read while inference is away."""

    __tablename__ = "releases"

    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    precision: Mapped[str] = mapped_column(String(8), primary_key=True)
    payload: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime]


class Prediction(Base):
    """What one release says of one film; each film is scored once per release."""

    __tablename__ = "predictions"

    film_uid: Mapped[str] = mapped_column(ForeignKey("films.uid"), primary_key=True)
    release_digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    precision: Mapped[str] = mapped_column(String(8), primary_key=True)
    payload: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]


class Answer(Base):
    """A release's output for a study: per finding the maximum over its scored films."""

    __tablename__ = "answers"

    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    release_digest: Mapped[str] = mapped_column(DIGEST)
    precision: Mapped[str] = mapped_column(String(8))
    payload: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]


class Conflict(Base):
    """A film that was refused because the study holds other content under its name. Its bytes are not kept."""

    __tablename__ = "conflicts"
    __table_args__ = (UniqueConstraint("film_uid", "sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), index=True)
    film_uid: Mapped[str] = mapped_column(UID)
    sha256: Mapped[str] = mapped_column(DIGEST)
    file_name: Mapped[str] = mapped_column(String(128))
    difference: Mapped[str] = mapped_column(Text)
    seen_at: Mapped[datetime]


class Read(Base):
    """One reader's labels for one version of an answer. `id` is the idempotency key, the same in the ledger.

    A projection of feedback's ledger, whose own table is called `reads` and may share the database.
    """

    __tablename__ = "study_reads"
    __table_args__ = (Index("ix_study_reads_read_at", "read_at", "id"),)

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), index=True)
    version: Mapped[int]
    reader: Mapped[str] = mapped_column(String(128))
    labels: Mapped[dict[str, Any]]
    answer_version: Mapped[int]
    release_digest: Mapped[str | None] = mapped_column(DIGEST)
    blind: Mapped[bool]
    read_at: Mapped[datetime]
    seconds_spent: Mapped[float | None]
    comment: Mapped[str] = mapped_column(Text, default="")
    request_digest: Mapped[str] = mapped_column(DIGEST)
    kind: Mapped[str] = mapped_column(String(16), default="read", server_default="read")
    replaces: Mapped[str | None] = mapped_column(String(128))
    # Its reader took it back: it stays in the history and counts no longer.
    withdrawn: Mapped[bool] = mapped_column(default=False, server_default=false())


class Review(Base):
    """A study that two people read. `state`: wanted, agreed, conflict or settled (adjudicated)."""

    __tablename__ = "reviews"
    __table_args__ = (Index("ix_reviews_state", "state", "asked_at", "study_uid"),)

    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), primary_key=True)
    # "share": by the site's share; "lead": asked for by `asked_by`.
    why: Mapped[str] = mapped_column(String(16))
    asked_by: Mapped[str] = mapped_column(String(128), default="")
    asked_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16), default="wanted")
    differs: Mapped[list[Any]] = mapped_column(default=list)


class Outbox(Base):
    """A read on its way to feedback. A row stays: delivered, or refused with feedback's reason, never dropped."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_waiting", "next_try", sqlite_where=text("delivered_at IS NULL AND refused IS NULL"),
              postgresql_where=text("delivered_at IS NULL AND refused IS NULL")),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(ForeignKey("study_reads.id"), primary_key=True)
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int] = mapped_column(default=0)
    next_try: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    refused: Mapped[str | None] = mapped_column(Text)
    trace: Mapped[str] = mapped_column(String(64), default="", server_default="")
