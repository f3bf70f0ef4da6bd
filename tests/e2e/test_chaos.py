"""A few kills of each part while films are sent and reads saved; `make chaos` does 500."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.chaos import run
from tests.fixtures.real import cannot_start

KILLS = int(os.environ.get("HILUM_CHAOS_KILLS", "6"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_was_acknowledged_survives_kills_of_every_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws_keys: None
) -> None:
    monkeypatch.delenv("HILUM_DATA", raising=False)
    try:
        result = run(KILLS, tmp_path)
    except (RuntimeError, OSError) as error:
        if "is not installed" not in str(error):
            raise
        cannot_start("PostgreSQL or SeaweedFS", error)
    assert sum(result.kills.values()) == KILLS
    assert result.films > 0
    assert result.reads > 0
    assert result.dicom_films > 0
    assert (result.missing, result.doubled, result.chain_holds, result.odd) == (0, 0, True, [])
