"""Rows of identity: they have a chain of migrations of their own, for no ledger rebuilds them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hilum.storage import NAMING, UtcDateTime

HASH = String(64)


class IdentityBase(DeclarativeBase):
    """Base of these rows."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class Session(IdentityBase):
    """Somebody signed in with a browser. `key` is the sha256 of the cookie's value, which is kept nowhere.

    `stamp` changes with the user's password: sessions from before are over.
    """

    __tablename__ = "sessions"

    key: Mapped[str] = mapped_column(HASH, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), index=True)
    how: Mapped[str] = mapped_column(String(16))
    roles: Mapped[list[Any]]
    stamp: Mapped[str] = mapped_column(HASH, default="")
    masked: Mapped[bool] = mapped_column(default=False)
    begun_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
