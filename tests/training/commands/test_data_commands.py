"""`hilum data`, as typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import make_app
from tests.training.data.made import nih
from training.data.parquet import read_manifest

RECIPE = """
name: mine
version: 0.0.1
data:
  sources: [{kind: nih, path: nih}]
  findings: [Effusion]
  input_size: 32
  minimum_negatives: 1
split: {salt: s3}
training: {phases: [{epochs: 1, size: 32}]}
"""


@pytest.fixture
def typed(tmp_path: Path) -> list[str]:
    """Arguments that every command takes."""
    nih(tmp_path / "nih", *((f"{n:08d}_000", "Effusion" if n % 2 else "No Finding", n) for n in range(1500, 1524)))
    (tmp_path / "mine.yaml").write_text(RECIPE)
    return [str(tmp_path / "mine.yaml"), "--data", str(tmp_path), "--store", str(tmp_path / "store")]


def _run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(make_app(), ["data", *arguments])
    return done.exit_code, done.output


def test_a_manifest_a_store_and_a_report_come_of_one_recipe(typed: list[str], tmp_path: Path) -> None:
    code, said = _run("manifest", *typed, "--out", str(tmp_path / "m.parquet"))
    manifest = read_manifest(tmp_path / "m.parquet", tmp_path)
    assert code == 0, said
    assert len(manifest.films) == 24
    assert manifest.digest in said
    code, said = _run("store", *typed, "--to", str(tmp_path / "copy"))
    assert (code, "1 shards copied" in said) == (0, True), said
    elsewhere = [*typed[:-1], str(tmp_path / "other")]
    code, said = _run("store", *elsewhere, "--from", str(tmp_path / "copy"))
    assert (code, "1 shards fetched" in said) == (0, True), said
    code, said = _run("check", *typed)
    assert code == 0, said
    assert "The data can be trained on." in said
    code, said = _run("report", *typed, "--out", str(tmp_path / "r.html"))
    assert (code, (tmp_path / "r.html").exists()) == (0, True), said


def test_data_that_can_not_be_trained_on_ends_with_one_plain_line(typed: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(RECIPE.replace("Effusion", "Hernia"))
    code, said = _run("check", *typed)
    assert code == 2
    assert "can't be trained on: Hernia has 0 positive training films" in said
    assert "Traceback" not in said
    code, said = _run("check", "no-such-recipe", *typed[1:])
    assert (code, "Bad recipe" in said) == (2, True)


def test_a_manifest_of_one_split_holds_its_films_alone(typed: list[str], tmp_path: Path) -> None:
    counts = {}
    for split in ("train", "calibration", "validation", "locked"):
        code, said = _run("manifest", *typed, "--split", split, "--out", str(tmp_path / f"{split}.parquet"))
        assert code == 0, said
        counts[split] = {film.patient for film in read_manifest(tmp_path / f"{split}.parquet", tmp_path).films}
    assert sum(map(len, counts.values())) == len(set().union(*counts.values())) == 24
    code, said = _run("manifest", *typed, "--split", "test")
    assert (code, "there is no split 'test'" in said) == (2, True), said
