"""`hilum ledger` and `hilum web rebuild`, as somebody with a shell runs them beside a reading room's rows."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner

from services.cli import make_app
from services.web.tables import Outbox, Read
from tests.releases import FINDINGS, make_tiny_release, pattern_film
from tests.services.web.room import Room, open_room, wait_for


def hilum(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(make_app(), list(words), env={"COLUMNS": "160"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger") / "data"


@pytest.fixture(scope="module")
def opened(data: Path) -> Iterator[Room]:
    """Two studies, each read once, and one of them edited."""
    release = make_tiny_release(data.parent / "tiny").folder
    with open_room(data, release) as opened:
        for block in (0, 1):
            uid = opened.sent(pattern_film(block))
            opened.settled(uid)
            opened.read(uid, {FINDINGS[0]: block, FINDINGS[1]: 0}, f"k-{block}", answer_version=1)
        opened.read(uid, {FINDINGS[0]: -1}, "k-edit", answer_version=1, comment="looked again")
        wait_for(lambda: len(opened.ledger()) == 3)
        yield opened


@pytest.fixture
def room(opened: Room, data: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setenv("HILUM_DATA", str(data))
    return opened


def test_a_ledger_that_was_kept_holds_and_a_changed_row_is_named(room: Room, data: Path, tmp_path: Path) -> None:
    status, text = hilum("ledger", "head")
    assert status == 0
    head = json.loads(text)
    key = tmp_path / "keys.txt"
    key.write_text(head["signature"]["public_key"] + "\n", encoding="utf-8")
    assert hilum("ledger", "verify", "--trusted", str(key))[0] == 0
    shutil.copytree(data, tmp_path / "changed")
    with sqlite3.connect(tmp_path / "changed" / "feedback.db") as rows:
        for name in rows.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            rows.execute(f"DROP TRIGGER {name[0]}")
        rows.execute("UPDATE reads SET reader = 'somebody else' WHERE sequence = 2")
    status, text = hilum("ledger", "verify", "--data", str(tmp_path / "changed"))
    assert status == 3
    assert "WRONG" in text


def test_a_key_file_that_is_none_is_said_in_a_line(room: Room, tmp_path: Path) -> None:
    bad = tmp_path / "keys.txt"
    bad.write_text("# none yet\n", encoding="utf-8")
    for path in (bad, tmp_path / "missing.txt"):
        status, text = hilum("ledger", "verify", "--trusted", str(path))
        assert (status, text.count("\n")) == (2, 1), text


def test_reads_are_taken_out_by_reader_time_and_kind(room: Room, tmp_path: Path) -> None:
    out = tmp_path / "reads.csv"
    assert hilum("ledger", "export", "--out", str(out))[0] == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("image_id,")
    assert len(lines) == 3, "a film each, with its last label"
    status, text = hilum("ledger", "export", "--jsonl")
    assert [json.loads(line)["version"] for line in text.splitlines()] == [1, 1, 2]
    assert "looked again" in text
    for words in (["--reader", "nobody"], ["--blind"], ["--since", "2100-01-01"], ["--release", "0" * 64]):
        status, text = hilum("ledger", "export", "--jsonl", *words)
        assert (status, text) == (0, ""), words
    status, text = hilum("ledger", "export", "--out", str(tmp_path / "no" / "folder.csv"))
    assert (status, text.count("\n")) == (1, 1), text


def test_the_training_layout_is_brought_up_to_date(room: Room, data: Path) -> None:
    status, text = hilum("ledger", "compact")
    assert status == 0
    assert "2 films" in text or "nothing new" in text
    csv = (data / "newdata" / "new_data.csv").read_text(encoding="utf-8")
    assert len(csv.splitlines()) == 3
    assert len(list((data / "newdata" / "feedback_images").iterdir())) == 2


def test_webs_rows_are_made_again_from_the_ledger(room: Room, data: Path) -> None:
    before = {study["uid"]: room.study(study["uid"])["reads"] for study in room.listed(status="all")}
    with room.web.write() as rows:
        rows.execute(delete(Outbox))
        rows.execute(delete(Read))
    status, text = hilum("web", "rebuild")
    assert status == 0
    assert "3 reads in the ledger: 3 made" in text
    after = {uid: room.study(uid)["reads"] for uid in before}
    assert [len(reads) for reads in after.values()] == [len(reads) for reads in before.values()]
    assert hilum("web", "rebuild")[1].startswith("3 reads in the ledger: 0 made, 0 mended, 3 were right")
    status, text = hilum("web", "rebuild", "--feedback", "http://127.0.0.1:9")
    assert status == 1
    assert text.startswith("not rebuilt: ")


WRONG_FOLDER = [
    ("ledger", "verify"), ("ledger", "head"), ("ledger", "export"), ("ledger", "compact"), ("web", "rebuild"),
    ("audit", "verify"), ("audit", "export"), ("sessions", "list"), ("sessions", "end", "anna"), ("tokens", "list"),
    ("tokens", "revoke", "pacs"), ("deidentify", "out"),
]  # fmt: skip


@pytest.mark.parametrize("words", WRONG_FOLDER, ids=" ".join)
def test_a_folder_without_rows_is_no_empty_ledger(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_DATA", str(tmp_path / "mistyped"))
    monkeypatch.chdir(tmp_path)
    status, text = hilum(*words)
    assert status == 1
    assert "HILUM_DATA" in text
    assert not (tmp_path / "mistyped").exists(), "nothing is made there"


@pytest.mark.parametrize(
    "words",
    [*WRONG_FOLDER, ("users", "add"), ("users", "passwd"), ("users", "remove"), ("users", "list"), ("tokens", "add")],
    ids=" ".join,
)
def test_help_says_what_a_command_does(words: tuple[str, ...]) -> None:
    status, text = hilum(*words[:2] if words[0] != "deidentify" else words[:1], "--help")
    assert status == 0
    assert "Example" in text
