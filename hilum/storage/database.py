"""Rows in SQLite or PostgreSQL, by SQLAlchemy, with the same promises on both.

- A commit is on disk when it returns (SQLite: WAL with synchronous=FULL; PostgreSQL: synchronous_commit=on).
- A transaction of `make_engine`'s engine may write. On SQLite it takes the write lock at its beginning
  (BEGIN IMMEDIATE): two that read first and write later would otherwise fail with "database is locked".
- A transaction of `reading(engine)` can't write, sees one snapshot, and waits for no writer.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from hilum.storage.files import make_folder

LOCK_SECONDS = 15
# Nothing was sent yet, so that waiting is safe: a node at its limit took PostgreSQL more than 3 s to accept (seen). One
# that is away refuses at once.
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 30
IDLE_IN_TRANSACTION_SECONDS = 60
_READ_ONLY = "hilum_read_only"

# For `MetaData(naming_convention=NAMING)`: a named constraint can be altered by a later migration on both databases.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class DatabaseUnavailable(Exception):
    """The database can't answer or can't keep anything now; the text says why in plain words, without a secret."""


class UtcDateTime(TypeDecorator[datetime]):
    """A time with time zone, always UTC: the same instant and the same order on both databases, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time (ValueError); SQLite keeps text without an offset."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give UTC back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def make_engine(url: str) -> Engine:
    """An engine for `sqlite:////folder/file.db` (folders are created) or `postgresql://...`; connects on first use.

    Raises ValueError for another database or one in memory.
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return _sqlite(parsed)
    if backend in {"postgresql", "postgres"}:
        return _postgresql(parsed.set(drivername="postgresql+psycopg"))
    raise ValueError(f"{parsed.render_as_string(hide_password=True)}: a SQLite file or PostgreSQL is needed")


def reading(engine: Engine) -> Engine:
    """The same pool for transactions that only read."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_READ_ONLY: True})
    return engine.execution_options(**{_READ_ONLY: True}, isolation_level="REPEATABLE READ", postgresql_readonly=True)


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions whose objects stay usable after the commit: `with factory.begin() as session:`."""
    return sessionmaker(engine, expire_on_commit=False)


def writer_lock(connection: Connection | Session, name: str) -> None:
    """Let one transaction at a time, of all processes on this database, pass for `name`; freed at its end.

    On SQLite the transaction itself holds the one write lock already.
    """
    bound = connection.connection() if isinstance(connection, Session) else connection
    if bound.get_execution_options().get(_READ_ONLY):
        raise ValueError("a transaction that only reads takes no writer's lock")
    if bound.dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(f"hilum:{name}".encode()).digest()[:8], signed=True)
        bound.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    elif not bound.in_transaction():
        bound.begin()


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Make DatabaseUnavailable of what a database away, locked, full, damaged or read-only raises; else pass it on."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("every connection to the database is in use") from error
    except (OperationalError, InterfaceError, InternalError) as error:
        raise DatabaseUnavailable(_reason(error)) from error
    except DBAPIError as error:
        # SQLite calls a damaged file by the plain base class.
        if not error.connection_invalidated and type(error) is not DatabaseError:
            raise
        raise DatabaseUnavailable(_reason(error)) from error


def check(engine: Engine) -> None:
    """Raise DatabaseUnavailable unless the database answers."""
    with plain_errors(), reading(engine).connect() as connection:
        connection.execute(text("SELECT 1"))


def _reason(error: DBAPIError) -> str:
    """One line. A driver's message names hosts and users but never a password; parameters are left out."""
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    return f"the database can't be used: {lines[0][:200] if lines else type(error.orig).__name__}"


def _sqlite(url: URL) -> Engine:
    assert url.database is not None  # noqa: S101 - make_engine looked
    try:
        make_folder(Path(url.database).absolute().parent)
    except OSError as error:
        raise DatabaseUnavailable(f"{Path(url.database).parent}: {error.strerror}") from error
    # Connections are files here: as many as threads may wait.
    engine = create_engine(url, pool_size=5, max_overflow=95, pool_timeout=LOCK_SECONDS, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: Any) -> None:
        # The driver's own BEGIN would come too late: transactions begin in `begin` below.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {LOCK_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA recursive_triggers = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = bool(connection.get_execution_options().get(_READ_ONLY))
        connection.exec_driver_sql(f"PRAGMA query_only = {int(read_only)}")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    options = {
        "timezone": "UTC",
        "synchronous_commit": "on",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
    }
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        pool_timeout=LOCK_SECONDS,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "hilum",
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            # A peer that vanished without a word is noticed within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )
