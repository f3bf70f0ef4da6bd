"""A users file, and a reading room that asks people to sign in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from services.web.identity.users import User, write_users
from tests.services.web.identity.people import PASSWORD, ROLES
from tests.services.web.room import Room, open_room


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Of everybody's password; with less work in it than a real one, for the tests' time."""
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)


@pytest.fixture
def users(tmp_path: Path, password_hash: str) -> Path:
    """A users file with a person for each role."""
    path = tmp_path / "users.toml"
    write_users(path, {name: User(name, password_hash, frozenset(roles)) for name, roles in ROLES.items()})
    return path


@pytest.fixture
def shut_room(tmp_path: Path, tiny_release: Path, users: Path) -> Iterator[Room]:
    """A reading room where people sign in, on SQLite."""
    with open_room(tmp_path, tiny_release, users_file=str(users)) as room:
        yield room
