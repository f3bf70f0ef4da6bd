"""A tiny release, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.releases import make_tiny_release


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the release."""
    return make_tiny_release(tmp_path_factory.mktemp("releases") / "tiny").folder
