"""`hilum score`: a row for every file, whatever is in it, and a run that can be broken off."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from typer.testing import CliRunner, Result

from hilum.release import Release
from services.cli import make_app
from tests.releases import FINDINGS, make_tiny_release, noise_film, pattern_film, png


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return make_tiny_release(tmp_path_factory.mktemp("tiny") / "release")


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    (folder / "deeper" / "still").mkdir(parents=True)
    for k in range(len(FINDINGS)):
        (folder / f"{k}.png").write_bytes(pattern_film(k))
    shutil.copy(folder / "2.png", folder / "deeper" / "still" / "no suffix")
    return folder


def score(films: Path, release: Release, *more: str) -> Result:
    out = films.parent / "scores.csv"
    words = ["score", str(films), "--out", str(out), "--release", str(release.folder), *more]
    return CliRunner().invoke(make_app(), words, env={"HILUM_TRUSTED_KEYS": ""})


def rows(films: Path) -> dict[str, dict[str, str]]:
    with (films.parent / "scores.csv").open(newline="", encoding="utf-8") as stream:
        return {row["file"]: row for row in csv.DictReader(stream)}


def test_every_film_below_the_folder_has_its_own_row(films: Path, release: Release) -> None:
    result = score(films, release)
    assert result.exit_code == 0, result.output
    table = rows(films)
    assert sorted(table) == [*(f"{k}.png" for k in range(len(FINDINGS))), "deeper/still/no suffix"]
    for k, name in enumerate(FINDINGS):
        row = table[f"{k}.png"]
        high = [n for n in FINDINGS if float(row[f"{n} probability"]) > 0.9]
        assert high == [name]
        assert [n for n in FINDINGS if row[f"{n} present"] == "1"] == ([] if name == "Hernia" else [name])
        assert (row["status"], row["release"]) == ("scored", release.digest)
    assert table["0.png"]["band"] == "critical"
    assert table["1.png"]["band"] == "urgent"
    assert table["3.png"]["band"] == "routine"
    assert "6 files: 6 scored" in result.output


def test_the_columns_are_in_the_releases_order(films: Path, release: Release) -> None:
    score(films, release)
    header = (films.parent / "scores.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header[:6] == ["file", "sha256", "release", "status", "band", "reason"]
    assert header[6::2] == [f"{name} probability" for name in FINDINGS]
    assert header[7::2] == [f"{name} present" for name in FINDINGS]


def test_bad_files_are_rows_with_a_reason_and_exit_status_3(films: Path, release: Release) -> None:
    (films / "text.png").write_text("not an image", encoding="utf-8")
    (films / "empty.dcm").touch()
    (films / "torn.png").write_bytes(pattern_film(0)[:-100])
    (films / "notes.txt").write_text("not meant to be one", encoding="utf-8")
    (films / ".hidden").write_text("x", encoding="utf-8")
    (films / "blank.png").write_bytes(png(np.full((64, 64), 50, dtype=np.uint8)))
    (films / "noise.png").write_bytes(noise_film())
    (films / "unreadable.png").symlink_to(films / "nowhere.png")
    shutil.copy(pydicom.data.get_testdata_file("CT_small.dcm"), films / "ct.dcm")
    os.mkfifo(films / "pipe.png")
    result = score(films, release)
    assert result.exit_code == 3
    table = rows(films)
    assert {name for name, row in table.items() if row["status"] == "bad"} == {
        "text.png",
        "empty.dcm",
        "torn.png",
        "ct.dcm",
    }
    assert {name for name, row in table.items() if row["status"] == "skipped"} == {"notes.txt"}
    assert {name for name, row in table.items() if row["status"] == "not_scored"} == {"blank.png", "noise.png"}
    assert all(row["reason"] for row in table.values())
    assert all(table[name]["band"] == "urgent" for name in ("blank.png", "noise.png"))
    assert not [name for name in FINDINGS if table["noise.png"][f"{name} probability"]]
    assert table["0.png"]["status"] == "scored"
    assert "empty.dcm: The file is empty" in result.output


def test_a_file_larger_than_the_limit_is_not_read(
    films: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_MAX_BODY_BYTES", "1000000")
    with (films / "huge.dcm").open("wb") as stream:
        stream.truncate(10**12)
    assert score(films, release).exit_code == 3
    assert "larger than" in rows(films)["huge.dcm"]["reason"]


@pytest.mark.parametrize("name", ["=cmd.png", "+1.png", "-1.png", "@x.png"])
def test_a_file_name_is_never_a_formula_and_still_names_the_file(films: Path, release: Release, name: str) -> None:
    shutil.copy(films / "0.png", films / name)
    score(films, release)
    assert rows(films)[f"./{name}"]["status"] == "scored"
    assert (films / f"./{name}").exists()


def test_workers_do_not_change_the_file(films: Path, release: Release) -> None:
    written = []
    for workers in ("1", "7"):
        score(films, release, "--workers", workers)
        written.append((films.parent / "scores.csv").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("torn_at", [30, -3], ids=["within the digest", "before the last cell"])
def test_a_run_that_was_broken_off_goes_on_where_it_stopped(films: Path, release: Release, torn_at: int) -> None:
    score(films, release)
    whole = (films.parent / "scores.csv").read_bytes().decode()
    lines = whole.splitlines(keepends=True)
    assert lines[4].endswith(",0\r\n")
    # What a kill leaves: three whole rows and a torn one, of which one file has since changed.
    lines[1] = lines[1].replace("critical", "TAKEN OVER")
    lines[2] = lines[2].replace("urgent", "TAKEN OVER")
    (films.parent / "scores.csv.part").write_bytes(("".join(lines[:4]) + lines[4][:torn_at]).encode())
    (films / "1.png").write_bytes(pattern_film(1, side=512))
    result = score(films, release)
    assert "(2 of them from the run before)" in result.output
    assert rows(films)["0.png"]["band"] == "TAKEN OVER"
    assert rows(films)["1.png"]["band"] == "urgent"
    assert len(rows(films)) == len(lines) - 1
    assert not (films.parent / "scores.csv.part").exists()


def test_rows_of_another_release_are_not_taken_over(films: Path, release: Release, tmp_path: Path) -> None:
    score(films, release)
    (films.parent / "scores.csv").rename(films.parent / "scores.csv.part")
    other = make_tiny_release(tmp_path / "other", version="2.0.0")
    assert "from the run before" not in score(films, other).output
    assert {row["release"] for row in rows(films).values()} == {other.digest}


def test_a_killed_run_leaves_the_earlier_table_whole(films: Path, release: Release) -> None:
    score(films, release)
    before = (films.parent / "scores.csv").read_bytes()
    for k in range(400):
        (films / f"more-{k}.png").write_bytes(pattern_film(k % 5, side=1024))
    words = [sys.executable, "-m", "services.cli", "score", str(films), "--release", str(release.folder)]
    env = {**os.environ, "HILUM_TRUSTED_KEYS": ""}
    running = subprocess.Popen([*words, "--out", str(films.parent / "scores.csv")], env=env, stderr=subprocess.DEVNULL)
    part = films.parent / "scores.csv.part"
    while running.poll() is None and (not part.exists() or part.stat().st_size < 3000):
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert (films.parent / "scores.csv").read_bytes() == before
    result = score(films, release)
    assert result.exit_code == 0
    assert "from the run before" in result.output
    assert len(rows(films)) == 406


def test_a_table_within_the_folder_is_not_scored_itself(films: Path, release: Release) -> None:
    for _ in range(2):
        words = ["score", str(films), "--out", str(films / "scores.csv"), "--release", str(release.folder)]
        result = CliRunner().invoke(make_app(), words, env={"HILUM_TRUSTED_KEYS": ""})
        assert result.exit_code == 0
        assert "6 files: 6 scored" in result.output


def test_an_empty_folder_is_an_empty_table(tmp_path: Path, release: Release) -> None:
    (tmp_path / "films").mkdir()
    result = score(tmp_path / "films", release)
    assert result.exit_code == 0
    assert rows(tmp_path / "films") == {}


def test_what_cannot_be_started_says_why(films: Path, release: Release, tmp_path: Path) -> None:
    env = {"HILUM_TRUSTED_KEYS": ""}
    broken = ["score", str(films), "--release", str(tmp_path / "nothing"), "--out", str(tmp_path / "s.csv")]
    result = CliRunner().invoke(make_app(), broken, env=env)
    assert (result.exit_code, "no manifest.json" in result.output) == (1, True)
    nowhere = ["score", str(films), "--release", str(release.folder), "--out", str(tmp_path / "no" / "s.csv")]
    result = CliRunner().invoke(make_app(), nowhere, env=env)
    assert (result.exit_code, "can't be written" in result.output) == (2, True)
    assert CliRunner().invoke(make_app(), ["score", str(tmp_path / "gone")], env=env).exit_code == 2
