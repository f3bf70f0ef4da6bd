"""A few kills of each part while films are sent and reads saved; `make chaos` does 500."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.chaos import added, run
from tests.fixtures.real import cannot_start

KILLS = int(os.environ.get("HILUM_CHAOS_KILLS", "6"))


def test_pieces_of_a_run_add_up_and_one_broken_promise_stays() -> None:
    first = {"machine": "a", "kills": "3", "slowest start of web (s)": "9.5", "missing": "1", "chain holds": "false"}
    now = [
        ("kills", "4"),
        ("slowest start of web (s)", "10.1"),
        ("missing", "0"),
        ("chain holds", "true"),
        ("runs", "1"),
    ]
    assert dict(added(first, now)) == {
        "machine": "a", "kills": "7", "slowest start of web (s)": "10.1", "missing": "1", "chain holds": "false",
        "runs": "1",
    }  # fmt: skip


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
