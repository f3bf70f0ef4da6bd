"""Rows of identity: they have a chain of migrations of their own, for no ledger rebuilds them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, MetaData, String, Text
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
    hint: Mapped[str | None] = mapped_column(Text)


class Token(IdentityBase):
    """A machine's key. `key` is the sha256 of what the machine sends, which was shown once and is kept nowhere."""

    __tablename__ = "tokens"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(HASH, unique=True)
    scopes: Mapped[list[Any]]
    made_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Audit(IdentityBase):
    """Who did or saw what. The database refuses to change or remove a row; `digest` chains it to the one before."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(128))
    how: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(16))
    what: Mapped[str] = mapped_column(String(200))
    study_uid: Mapped[str] = mapped_column(String(64), index=True)
    status: Mapped[int]
    previous: Mapped[str] = mapped_column(HASH)
    digest: Mapped[str] = mapped_column(HASH)


class SignIn(IdentityBase):
    """A sign-in under way at the OpenID provider; `key` is the sha256 of the browser's cookie."""

    __tablename__ = "sign_ins"

    key: Mapped[str] = mapped_column(HASH, primary_key=True)
    state: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    back: Mapped[str] = mapped_column(String(2000))
    wanted: Mapped[str] = mapped_column(String(2000))
    ends_at: Mapped[datetime]
