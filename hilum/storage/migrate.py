"""Bring a service's tables to the shape that its code needs, by Alembic.

A migration is a Python file in the service's own folder. There is no env.py and no alembic.ini: the engine, the
folder and the version table come from the caller.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import structlog
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from hilum.storage.database import plain_errors, reading, writer_lock

log = structlog.get_logger("hilum.storage.migrate")
# Alembic's `op`, which migrations use, is one per process: services that share one take turns.
_TURN = threading.Lock()
# PostgreSQL's deadlock_detected and lock_not_available.
STOOD_IN_THE_WAY = {"40P01", "55P03"}
TRIES = 20
PAUSE_SECONDS = 0.5


def upgrade(engine: Engine, service: str, folder: Path) -> None:
    """Run the migrations in `folder` that `service`'s tables lack, all of them or none, one process at a time.

    The version table is `alembic_version_<service>`, so that services may share a database. A database that a newer
    release has migrated is left as it is (migrations expand first and contract a release later). Raises
    DatabaseUnavailable, or what a faulty migration raises.
    """
    scripts = _scripts(folder)
    with _TURN, plain_errors():
        for tries_left in reversed(range(TRIES)):
            try:
                _upgrade(engine, service, scripts)
            except OperationalError as error:
                # The previous version works on the tables meanwhile: one of the two has to step back.
                if getattr(error.orig, "sqlstate", None) not in STOOD_IN_THE_WAY or not tries_left:
                    raise
                log.info("the migration stepped back for somebody at work", service=service, tries_left=tries_left)
                time.sleep(PAUSE_SECONDS)
            else:
                return


def _upgrade(engine: Engine, service: str, scripts: ScriptDirectory) -> None:
    with engine.begin() as connection:
        postgresql = connection.dialect.name == "postgresql"
        if postgresql:
            connection.execute(text("SET LOCAL lock_timeout = '120s'"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        writer_lock(connection, f"migrate:{service}")
        if postgresql:
            # Whoever waits for a table keeps all others from it who come later.
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        if _is_newer(connection, service, scripts):
            log.warning("the database was migrated by a newer release; left as it is", service=service)
            return
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": _version_table(service),
                "transactional_ddl": True,
                "fn": lambda revision, _: scripts._upgrade_revs("head", revision),
                "script": scripts,
            },
        )
        with Operations.context(context):
            context.run_migrations()


def pending(engine: Engine, service: str, folder: Path) -> bool:
    """Whether migrations in `folder` have not run yet. Raises DatabaseUnavailable."""
    scripts = _scripts(folder)
    with plain_errors(), reading(engine).connect() as connection:
        return set(scripts.get_heads()) != _current(connection, service) and not _is_newer(connection, service, scripts)


def _version_table(service: str) -> str:
    if not service.isidentifier():
        raise ValueError(f"not a service's name: {service!r}")
    return f"alembic_version_{service}"


def _scripts(folder: Path) -> ScriptDirectory:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no folder of migrations")
    # The base class takes the folders as a list: no separator, so any path will do.
    return ScriptDirectory(str(folder), version_locations=[str(folder)], messaging_opts={"quiet": True})


def _current(connection: Connection, service: str) -> set[str]:
    context = MigrationContext.configure(connection, opts={"version_table": _version_table(service)})
    return set(context.get_current_heads())


def _is_newer(connection: Connection, service: str, scripts: ScriptDirectory) -> bool:
    known = {script.revision for script in scripts.walk_revisions()}
    return not _current(connection, service) <= known
