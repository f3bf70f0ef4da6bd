"""`hilum evaluate` and `hilum compare` on the bundled release and the sample films."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import make_app
from tests.training.films import ROOT, small_data
from training.config import CONFIGS, read_recipe
from training.evaluate.held import read_kept
from training.evaluate.locked import SETTING, uses

RUN = CliRunner()
RELEASE = str(ROOT / "models" / "default")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data(tmp_path_factory.mktemp("films"), films=160)


@pytest.fixture(scope="module")
def evaluated(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation")
    done = RUN.invoke(
        make_app(),
        ["evaluate", RELEASE, "--data", str(data), "--split", "calibration", "--out", str(out), "--draws", "50"],
    )
    assert done.exit_code == 0, done.output
    return out


def test_an_evaluation_leaves_a_report_a_page_and_the_scores(evaluated: Path) -> None:
    report = json.loads((evaluated / "evaluation.json").read_text(encoding="utf-8"))
    assert report["of"]["split"] == "calibration"
    assert set(report["populations"]) == {"nih", "kermany"}
    assert "<h2>nih:" in (evaluated / "evaluation.html").read_text(encoding="utf-8")
    kept = read_kept(evaluated / "scores.npz")
    assert kept.facts["variant"] == report["of"]["variant"]
    assert len(kept.scored.films) == sum(p["films"] for p in report["populations"].values())
    assert not any(str(film.path).startswith("/") for film in kept.scored.films)


def test_a_release_is_not_worse_than_itself_or_the_films_are_too_few_to_say(evaluated: Path) -> None:
    scores = str(evaluated / "scores.npz")
    assert "populations are not pooled" in RUN.invoke(make_app(), ["compare", scores, scores]).output
    done = RUN.invoke(make_app(), ["compare", scores, scores, "--source", "nih", "--out", str(evaluated / "c.json")])
    said = json.loads((evaluated / "c.json").read_text(encoding="utf-8"))
    assert said["verdict"] in ("pass", "inconclusive"), done.output
    assert done.exit_code == {"pass": 0, "inconclusive": 3}[said["verdict"]]
    assert said["primary"][0]["difference"] == 0


def test_the_locked_films_are_counted_and_refused_the_second_time(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, str(tmp_path / "uses.jsonl"))
    call = ["evaluate", RELEASE, "--data", str(data), "--split", "locked", "--out", str(tmp_path), "--draws", "50"]
    assert RUN.invoke(make_app(), call).exit_code == 0
    again = RUN.invoke(make_app(), call)
    assert again.exit_code == 2
    assert "LockedUsed" in again.output
    assert len(uses(tmp_path / "uses.jsonl")) == 1


def test_another_split_than_the_release_s_own_is_refused(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    text = (CONFIGS / "default.yaml").read_text(encoding="utf-8").replace("salt: hilum-5", "salt: hilum-6")
    other.write_text(text, encoding="utf-8")
    assert read_recipe(other).split.salt == "hilum-6"
    done = RUN.invoke(make_app(), ["evaluate", RELEASE, "--recipe", str(other), "--data", str(data)])
    assert done.exit_code == 2
    assert "'hilum-5'" in done.output


def test_what_is_no_file_of_scores_is_said_so(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    wrong.write_bytes(b"PK")
    done = RUN.invoke(make_app(), ["compare", str(wrong), str(wrong)])
    assert done.exit_code == 2
    assert "wrong.npz: no file of scores" in done.output


def test_a_split_that_is_not_for_judging_is_refused(data: Path, tmp_path: Path) -> None:
    done = RUN.invoke(make_app(), ["evaluate", RELEASE, "--data", str(data), "--split", "train"])
    assert done.exit_code == 2
    assert "calibration, validation, locked" in done.output
