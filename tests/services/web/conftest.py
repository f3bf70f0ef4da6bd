"""A reading room per test, on both databases, with a tiny release that is made once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.quick import quick_folder
from tests.releases import make_tiny_release
from tests.services.web.room import Room, open_room


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a release whose finding k fires for a film whose k-th block is bright."""
    return make_tiny_release(tmp_path_factory.mktemp("releases") / "tiny").folder


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder whose rows need no disk."""
    with quick_folder() as folder:
        yield folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Empty: SQLite in the data folder; else a fresh PostgreSQL database."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def any_room(tmp_path: Path, tiny_release: Path, database_url: str) -> Iterator[Room]:
    """A reading room on each database."""
    with open_room(tmp_path, tiny_release, database_url=database_url) as room:
        yield room


@pytest.fixture
def room(tmp_path: Path, tiny_release: Path) -> Iterator[Room]:
    """A reading room on SQLite."""
    with open_room(tmp_path, tiny_release) as opened:
        yield opened


@pytest.fixture(scope="module")
def still_room(tiny_release: Path) -> Iterator[Room]:
    """One reading room for all of a module's tests that leave nothing behind, on SQLite."""
    with quick_folder() as folder, open_room(folder, tiny_release) as opened:
        yield opened


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def any_still_room(request: pytest.FixtureRequest, tiny_release: Path) -> Iterator[Room]:
    """The same on each database."""
    with contextlib.ExitStack() as stack:
        url = ""
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres_server")
            name = server.create_database()
            stack.callback(server.drop_database, name)
            url = server.database_url(name)
        folder = stack.enter_context(quick_folder())
        yield stack.enter_context(open_room(folder, tiny_release, database_url=url))
