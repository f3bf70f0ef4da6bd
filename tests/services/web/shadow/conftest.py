"""A reading room beside a canary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.web.room import Room, open_room
from tests.services.web.shadow.pairs import make_canary_release


@pytest.fixture(scope="session")
def canary_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of canary's release."""
    return make_canary_release(tmp_path_factory.mktemp("releases") / "canary")


@pytest.fixture
def trial(tmp_path: Path, tiny_release: Path, canary_release: Path) -> Iterator[Room]:
    """A reading room with a canary, on SQLite."""
    with open_room(tmp_path, tiny_release, canary=canary_release, poll_seconds=0.1) as room:
        yield room


@pytest.fixture
def any_trial(tmp_path: Path, tiny_release: Path, canary_release: Path, database_url: str) -> Iterator[Room]:
    """The same on each database."""
    with open_room(tmp_path, tiny_release, canary=canary_release, database_url=database_url, poll_seconds=0.1) as room:
        yield room
