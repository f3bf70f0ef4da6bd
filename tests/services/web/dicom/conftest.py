"""A reading room that listens for DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.web.dicom.sender import Listening, listening
from tests.services.web.room import Room, open_room


@pytest.fixture
def listener(tmp_path: Path, tiny_release: Path) -> Iterator[Listening]:
    """A room on SQLite with a DICOM port."""
    with open_room(tmp_path, tiny_release) as room, listening(room) as found:
        yield found


@pytest.fixture(scope="module")
def still_listener(still_room: Room) -> Iterator[Listening]:
    """One for all tests that leave nothing behind."""
    with listening(still_room) as found:
        yield found
