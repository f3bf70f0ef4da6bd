"""What the run on a cluster says of itself, without a cluster."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cluster.kube import ROOT
from tests.e2e.cluster.log import BEGIN, END, Row, keep, page, rows
from tests.e2e.cluster.steps import CI, STEPS


def test_a_step_that_never_passed_says_so_in_the_table(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    keep(log, Row("a_step", 2.4, 'said "this", and that'), ["a_step", "another_step"])
    keep(log, Row("a_step", 3.0, "said that"), ["a_step", "another_step"])
    told = page(f"before\n{BEGIN}old\n{END}after", rows(log), ["a_step", "another_step"])
    assert "| a step | 3 | said that |" in told
    assert "| another step |  | **has not passed yet** |" in told
    assert "old" not in told and told.startswith("before") and told.endswith("after")


def test_the_page_has_a_place_for_the_table_and_the_short_run_is_part_of_the_long_one() -> None:
    text = (ROOT / "docs/gitops.md").read_text(encoding="utf-8")
    assert page(text, {}, [step.__name__ for step in STEPS]).count("has not passed yet") == len(STEPS)
    assert set(CI) <= set(STEPS)


@pytest.mark.parametrize(("required", "status"), [("", 0), ("1", 1)])
def test_the_short_run_says_why_it_cannot_run(required: str, status: int) -> None:
    environment = {**os.environ, "CLUSTER_HARNESS": "/nowhere", "HILUM_REQUIRE_REAL": required}
    done = subprocess.run(
        [ROOT / "tests/e2e/cluster/ci.sh"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert "e2e-ci did not run: " in done.stdout
