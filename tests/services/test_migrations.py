"""Each migration leaves the previous version at work: what that reads, writes, changes and removes, it still can.

Every table is reflected as the previous version knows it, so that a migration written later is held to it, too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Engine, MetaData, Table, delete, insert, select, update
from sqlalchemy import types as kinds

from hilum.storage import make_engine, upgrade
from services.feedback.service import MIGRATIONS as FEEDBACK
from services.web.work import IDENTITY_MIGRATIONS, MIGRATIONS

FOLDERS = {"web": MIGRATIONS, "identity": IDENTITY_MIGRATIONS, "feedback": FEEDBACK}
# Nobody changes or removes these rows, whichever the version: triggers see to it.
FOR_EVER = {"audit", "reads"}
# Reflecting every table takes its time, and an old migration changes no more: all eleven were seen to pass.
NEWEST = 2
AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


def value(column: Column[Any], number: int) -> Any:
    """What row `number` holds: the same in every column of a kind, so that rows refer to each other."""
    kind = column.type
    if isinstance(kind, kinds.Boolean):
        return False
    if isinstance(kind, kinds.Integer):
        return number
    if isinstance(kind, kinds.Float):
        return 0.5
    if isinstance(kind, kinds.JSON):
        return {"number": number}
    if isinstance(kind, kinds.DateTime):
        return AT if kind.timezone else AT.replace(tzinfo=None)
    assert isinstance(kind, kinds.String), f"a column of another kind: {column!r}"
    return str(number)


def row(table: Table, number: int, *, sparse: bool) -> dict[str, Any]:
    """A row as the previous version writes it; `sparse`: nothing where it may write nothing."""
    return {
        column.name: None if sparse and column.nullable else value(column, number)
        for column in table.columns
        if not (isinstance(column.type, kinds.JSON) and sparse and column.nullable)
    }


def known(engine: Engine, service: str) -> list[Table]:
    """The service's tables as they are now, those that others refer to first."""
    metadata = MetaData()
    metadata.reflect(engine)
    return [table for table in metadata.sorted_tables if table.name != f"alembic_version_{service}"]


def contents(connection: Connection, tables: list[Table]) -> dict[str, list[str]]:
    """Every row as the previous version sees it."""
    return {
        table.name: sorted(
            json.dumps(dict(found), default=str) for found in connection.execute(select(table)).mappings()
        )
        for table in tables
    }


def steps(folder: Path, into: Path) -> Iterator[str]:
    """Copy the migrations into the folder `into`: the older ones at once, the newest one after the other."""
    into.mkdir()
    scripts = sorted(folder.glob("0*.py"))
    for number, script in enumerate(scripts, start=1):
        shutil.copy(script, into)
        if number >= len(scripts) - NEWEST:
            yield script.stem


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    sqlite = f"sqlite:///{tmp_path / 'rows.db'}"
    return sqlite if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
@pytest.mark.parametrize("service", FOLDERS)
def test_the_previous_version_goes_on_after_each_migration(service: str, database_url: str, tmp_path: Path) -> None:
    engine = make_engine(database_url)
    before: list[Table] = []
    for number, newest in enumerate(steps(FOLDERS[service], tmp_path / "scripts")):
        with engine.connect() as connection:
            kept = contents(connection, before)
        upgrade(engine, service, tmp_path / "scripts")
        whole, sparse, last = range(3 * number - 2, 3 * number + 1)
        with engine.begin() as connection:
            assert contents(connection, before) == kept, f"{newest} changes rows of the previous version"
            for table in before:
                for which in (whole, sparse, last):
                    connection.execute(insert(table), row(table, which, sparse=which == sparse))
            for table in reversed(before):
                if table.name not in FOR_EVER:
                    this = [column == value(column, last) for column in table.primary_key]
                    changed = {c.name: value(c, last) for c in table.columns if not c.primary_key}
                    assert connection.execute(update(table).where(*this).values(**changed)).rowcount == 1
                    assert connection.execute(delete(table).where(*this)).rowcount == 1
        before = known(engine, service)
    assert before
    engine.dispose()
