"""Rows of shadow answers: apart from the live ones, so that no page and no report can show them by mistake."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.web.tables import DIGEST, Base


class ShadowRelease(Base):
    """A release that canary has shown. `first_seen_at`: studies that arrived since then are owed a pair."""

    __tablename__ = "shadow_releases"

    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    precision: Mapped[str] = mapped_column(String(8), primary_key=True)
    payload: Mapped[dict[str, Any]]
    first_seen_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class ShadowPrediction(Base):
    """What a release says of a film without being shown; `payload` is None where it refused the film (`reason`)."""

    __tablename__ = "shadow_predictions"

    film_uid: Mapped[str] = mapped_column(ForeignKey("films.uid"), primary_key=True)
    release_digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    precision: Mapped[str] = mapped_column(String(8), primary_key=True)
    payload: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None] = mapped_column(Text)
    made_at: Mapped[datetime]


class Pair(Base):
    """One study as production's release (`live_*`) and canary's (`shadow_*`) score it, of the same films.

    `scores` are finding -> probability, the maximum over films; empty: that release scored no film. `patient` is a
    salted hash. `exposed`: the reader was shown canary's answer.
    """

    __tablename__ = "shadow_pairs"
    __table_args__ = (Index("ix_shadow_pairs_releases", "live_digest", "shadow_digest", "arrived_at", "study_uid"),)

    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), primary_key=True)
    live_digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    live_precision: Mapped[str] = mapped_column(String(8), primary_key=True)
    shadow_digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    shadow_precision: Mapped[str] = mapped_column(String(8), primary_key=True)
    answer_version: Mapped[int]
    patient: Mapped[str] = mapped_column(DIGEST)
    site: Mapped[str] = mapped_column(String(128), default="")
    arrived_at: Mapped[datetime]
    exposed: Mapped[bool] = mapped_column(default=False)
    live_band: Mapped[str] = mapped_column(String(16))
    shadow_band: Mapped[str] = mapped_column(String(16))
    live_scores: Mapped[dict[str, Any]]
    shadow_scores: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]


class ShadowDebt(Base):
    """A study whose pair could not be made, and when it may be tried again; gone once the pair is there."""

    __tablename__ = "shadow_debts"

    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), primary_key=True)
    shadow_digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    attempts: Mapped[int]
    next_try: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)


class Exposure(Base):
    """Whether canary's answer is the live one for a study: decided once, before its first answer, and kept.

    `share` is the exposure at that moment. `ended_at` and `ended_reason`: production's release took over.
    """

    __tablename__ = "exposures"
    __table_args__ = (
        Index("ix_exposures_open", "study_uid", sqlite_where=text("exposed = 1 AND ended_at IS NULL"),
              postgresql_where=text("exposed AND ended_at IS NULL")),
    )  # fmt: skip

    study_uid: Mapped[str] = mapped_column(ForeignKey("studies.uid"), primary_key=True)
    exposed: Mapped[bool]
    share: Mapped[float] = mapped_column(Float)
    release_digest: Mapped[str] = mapped_column(DIGEST)
    precision: Mapped[str] = mapped_column(String(8))
    decided_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_reason: Mapped[str | None] = mapped_column(Text)
