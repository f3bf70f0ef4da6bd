"""`hilum retrain` as a CronJob calls it: one real, tiny training, and the ways in which nothing is trained."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hilum.release import Release
from services.cli import make_app
from tests.releases import make_tiny_release
from tests.training.films import small_data, tiny_recipe
from tests.training.retrain.test_reads import kept, write_lines
from training.data import nih_findings
from training.evaluate.locked import uses
from training.registry import versions
from training.tracking.place import Place, client


@pytest.fixture(autouse=True)
def own_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ledger is named, so that a retraining takes its data folder's; what it sets is taken back."""
    monkeypatch.setenv("HILUM_LOCKED_USES", "")
    monkeypatch.delenv("HILUM_LOCKED_USES")


@pytest.fixture
def base(tmp_path: Path) -> Release:
    return make_tiny_release(tmp_path / "base", findings=nih_findings())


def retrain(where: Place, tmp_path: Path, base: Release, recipe: Path, reads: str, *words: str) -> tuple[int, str]:
    environment = {
        "HILUM_MLFLOW": where.uri,
        "HILUM_DATA": str(tmp_path / "data"),
        "COLUMNS": "200",
    }
    arguments = ["retrain", str(recipe), "--feedback", reads, "--base-release", str(base.folder), "--keys", ""]
    arguments += ["--films", str(tmp_path / "films"), "--work", str(tmp_path / "work"), *words]
    done = CliRunner().invoke(make_app(), arguments, env=environment)
    return done.exit_code, done.output


def some_reads(tmp_path: Path, count: int, when: datetime) -> str:
    reads = [
        kept(
            number,
            film_uids=[f"f{number}"],
            read_at=when + timedelta(seconds=number),
            findings=list(nih_findings()),
            labels={"Effusion": number % 2, "Pneumothorax": (number + 1) % 2},
        )
        for number in range(count)
    ]
    return write_lines(tmp_path / "reads.jsonl", reads)


@pytest.mark.slow
def test_a_retraining_that_cannot_be_shown_to_be_as_good_registers_nothing(
    local: Place, base: Release, tmp_path: Path
) -> None:
    data = small_data(tmp_path / "films-of-the-base", films=160)
    recipe = tmp_path / "recipe.yaml"
    one_network = tiny_recipe(data).changed(network__members=1)
    recipe.write_text(yaml.safe_dump(one_network.model_dump(mode="json")), encoding="utf-8")
    (tmp_path / "films").mkdir()
    pictures = sorted((data / "nih128" / "images").iterdir())[:12]
    for number, picture in enumerate(pictures):
        # Not the same bytes as in the base: JPEG takes a comment's worth of bytes after its end.
        (tmp_path / "films" / f"f{number}.jpg").write_bytes(picture.read_bytes() + b"again")
    reads = some_reads(tmp_path, 12, datetime.now(UTC))
    words = ("--data", str(data), "--store", str(tmp_path / "frames"), "--minimum-reads", "12", "--version", "0.0.2")
    status, text = retrain(local, tmp_path, base, recipe, reads, *words)
    assert status == 3, text
    assert "12 read films: 12 for training (mean weight 0.6)" in text
    assert "is not registered: inconclusive" in text or "is not registered: fail" in text
    told = json.loads((tmp_path / "work" / "retrain.json").read_text(encoding="utf-8"))
    assert (told["status"], told["new_reads"], told["feedback"]["training"]) == (3, 12, 12)
    assert told["judgement"]["populations"]["nih"]["primary"]
    made = client(local)
    assert versions(made, "hilum-tiny") == []
    (run,) = made.search_runs([each.experiment_id for each in made.search_experiments()])
    assert run.info.status == "FINISHED"
    assert run.data.tags["hilum.base"] == base.digest
    assert run.data.tags["hilum.verdict"] in ("inconclusive", "fail")
    assert [use.command for use in uses(tmp_path / "data" / "locked-uses.jsonl")].count("hilum retrain") == 2


def test_too_few_new_reads_end_before_any_training(local: Place, base: Release, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    reads = some_reads(tmp_path, 3, datetime(2020, 1, 1, tzinfo=UTC))
    status, text = retrain(local, tmp_path, base, Path("tiny"), reads)
    assert status == 4
    assert "0 new reads since tiny 1.0.0" in text
    assert json.loads((tmp_path / "work" / "retrain.json").read_text(encoding="utf-8"))["status"] == 4
    assert not (tmp_path / "work" / "release").exists()


@pytest.mark.parametrize(
    ("reads", "words", "message"),
    [
        ("nowhere.csv", (), "nowhere.csv: can't be read"),
        ("http://127.0.0.1:9", (), "feedback at http://127.0.0.1:9 can't be read"),
        ("nowhere.csv", ("--mlflow", "http://127.0.0.1:9"), "does not answer"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(
    local: Place, base: Release, tmp_path: Path, reads: str, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "films").mkdir()
    status, text = retrain(local, tmp_path, base, Path("tiny"), reads, *words)
    assert status == 2
    assert message in text
    assert len(text.strip().splitlines()) == 1
