"""Two releases side by side."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from hilum.release.compare import compare
from services.cli import make_app
from tests.releases import FINDINGS, make_tiny_release


def test_findings_stand_side_by_side_by_name_not_by_place(tmp_path: Path) -> None:
    a = make_tiny_release(tmp_path / "a")
    b = make_tiny_release(tmp_path / "b", (*FINDINGS[::-1], "Edema"), version="2.0.0")
    found = compare(a, b)
    assert not found.same_order
    assert found.same_data
    rows = {row.name: row for row in found.findings}
    assert list(rows) == [*FINDINGS, "Edema"]
    assert rows["Edema"].alert[0] is None
    assert rows["Edema"].alert[1] is not None
    assert rows["Hernia"].established == (False, False)
    assert ("release", "tiny 1.0.0", "tiny 2.0.0") in found.facts


def test_the_command_shows_both_and_refuses_a_damaged_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_tiny_release(tmp_path / name)
    folders = [str(tmp_path / name) for name in ("a", "b")]
    shown = CliRunner().invoke(make_app(), ["release", "compare", *folders])
    assert shown.exit_code == 0, shown.output
    assert "Effusion" in shown.output
    (tmp_path / "b" / "domain.npz").write_bytes(b"")
    refused = CliRunner().invoke(make_app(), ["release", "compare", *folders])
    assert refused.exit_code == 1
    assert "domain.npz has another sha256" in refused.output
