"""The same tests on every store: files and S3, SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hilum.storage import Blobs, make_engine, open_blobs


@pytest.fixture(params=["files", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """An empty store of bytes."""
    if request.param == "files":
        return open_blobs((tmp_path / "films").as_uri())
    s3 = request.getfixturevalue("s3")
    return open_blobs(s3.url, s3.endpoint)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    if request.param == "sqlite":
        made = make_engine(f"sqlite:///{tmp_path / 'rows.db'}")
    else:
        made = make_engine(request.getfixturevalue("postgres_url"))
    yield made
    made.dispose()
