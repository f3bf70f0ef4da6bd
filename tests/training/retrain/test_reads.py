"""From reads to labels and weights: whose word counts how much, and on which films."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hilum.wire import ReadOut
from tests.fixtures.reads import a_read
from tests.releases import pattern_film
from training.config import CONFIGS, read_recipe
from training.data.manifest import BadData
from training.data.split import split_of
from training.retrain.agreement import agreement_of, combine, decisions, judgements, reliability
from training.retrain.reads import FilmRead, load_reads
from training.retrain.source import TABLE, stage

FINDINGS = ("Effusion", "Pneumothorax")


def say(film: str, reader: str, value: int, blind: bool = True) -> FilmRead:
    return FilmRead(film, reader, blind, {"Effusion": value})


def kept(number: int, **changes: Any) -> ReadOut:
    read = a_read(number, **changes)
    received = read.read_at + timedelta(seconds=5)
    return ReadOut(**read.model_dump(), id=f"k{number}", sequence=number + 1, received_at=received, hash="00")


def write_lines(path: Path, reads: list[ReadOut]) -> str:
    path.write_text("".join(read.model_dump_json() + "\n" for read in reads), encoding="utf-8")
    return str(path)


def test_two_who_agree_are_surer_than_one_and_two_who_differ_are_uncertain() -> None:
    held = judgements(
        [say("a", "ann", 1), say("b", "ann", 1), say("b", "bob", 1), say("c", "ann", 1), say("c", "bob", 0)]
    )
    trust = dict.fromkeys((("ann", True), ("bob", True)), 0.8)
    one, two, three = (combine(held[(film, "Effusion")], trust) for film in "abc")
    assert (one.value, round(one.weight, 3)) == (1, 0.6)
    # 0.8 and 0.8 make 16 to 1: 2 x 16/17 - 1.
    assert (two.value, round(two.weight, 4)) == (1, 0.8824)
    assert (three.value, three.reads) == (-1, 2)


def test_a_reader_who_is_often_alone_is_outvoted_by_one_who_is_not() -> None:
    reads = []
    for number in range(60):
        reads += [say(f"f{number}", name, number % 2) for name in ("ann", "bob", "cat")]
        reads.append(say(f"f{number}", "dan", (number + (number % 3 == 0)) % 2))
    trust = reliability(judgements(reads))
    assert trust[("ann", True)] > 0.9
    assert trust[("dan", True)] < 0.75
    label = combine([(("ann", True), 1), (("dan", True), 0)], trust)
    assert label.value == 1


def test_what_a_reader_says_in_sight_of_the_answer_is_measured_apart() -> None:
    reads = [say("a", "ann", 1, blind=False), say("a", "bob", 1, blind=False)]
    reads += [say("b", "ann", 1), say("b", "bob", 0), say("b", "cat", 0)]
    held = judgements(reads)
    assert agreement_of(held) == {
        "blind": {"pairs": 3, "agreement": 0.3333},
        "shown": {"pairs": 1, "agreement": 1.0},
    }
    trust = reliability(held)
    assert trust[("ann", False)] > trust[("ann", True)]


def test_a_readers_last_word_counts_but_a_blind_one_is_not_overwritten(tmp_path: Path) -> None:
    films = ["1.2.9.1"]
    reads = [
        kept(0, film_uids=films, labels={"Effusion": 1}, blind=True),
        kept(1, film_uids=films, labels={"Effusion": 0}, blind=False),
        kept(2, film_uids=films, labels={"Effusion": 0}, reader="reader-2"),
        kept(3, film_uids=films, labels={"Effusion": 1, "Mass": None}, reader="reader-2"),
        kept(4, film_uids=films, labels={}, reader="reader-3"),
    ]
    found = load_reads(write_lines(tmp_path / "reads.jsonl", reads))
    assert [(each.reader, each.blind, each.labels) for each in found] == [
        ("reader-1", True, {"Effusion": 1}),
        ("reader-2", False, {"Effusion": 1}),
    ]


def test_an_adjudication_decides_and_is_no_further_vote(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    (films / "1.2.9.1.png").write_bytes(pattern_film(1, side=64))
    told = {"film_uids": ["1.2.9.1"], "study_uid": "1.2.9"}
    reads = [
        kept(0, **told, labels={"Effusion": 1, "Pneumothorax": 1}, reader="ann"),
        kept(1, **told, labels={"Effusion": 1, "Pneumothorax": 1}, reader="bob", kind="second"),
        kept(2, **told, labels={"Effusion": 1, "Pneumothorax": None}, reader="old lead", kind="adjudication"),
        kept(3, **told, labels={"Effusion": 0, "Pneumothorax": None}, reader="lead", kind="adjudication"),
    ]
    found = load_reads(write_lines(tmp_path / "reads.jsonl", reads))
    staged = stage(found, films, read_recipe(CONFIGS / "tiny.yaml"), FINDINGS, tmp_path / "work")
    with (tmp_path / "work" / TABLE).open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    # Two against one: as a vote the lead's word would have lost. What the lead left blank is the readers'.
    assert (row["Effusion"], row["Pneumothorax"]) == ("0", "1")
    assert decisions(found)[("1.2.9.1", "Effusion")].weight == 1.0
    # Nor does it make the readers whom it contradicts look as if they disagreed.
    assert sum(each["pairs"] for each in staged.agreement.values()) == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("export.csv", "film,Effusion\na,1\n", "no column 'image_id'"),
        ("export.csv", "image_id,Effusion\na,1\nb,maybe\n", "row 3: 'Effusion' is 'maybe'"),
        ("export.csv", "image_id,Effusion\na,1\na,0\n", "row 3: film a stands there twice"),
        ("reads.jsonl", '{"study_uid": "1"}\n', "line 1: no read of feedback"),
    ],
)
def test_an_export_that_is_none_is_refused_by_file_and_row(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadData, match=message) as error:
        load_reads(str(path))
    assert name in str(error.value)
    with pytest.raises(BadData, match=r"nowhere\.csv: can't be read"):
        load_reads(str(tmp_path / "nowhere.csv"))


def test_held_out_patients_keep_their_blind_labels_alone(tmp_path: Path) -> None:
    recipe = read_recipe(CONFIGS / "tiny.yaml").changed(data__uncertain="zeros")
    films = tmp_path / "films"
    films.mkdir()
    names = [f"{number:03}" for number in range(40)]
    for number, name in enumerate(names):
        (films / f"{name}.png").write_bytes(pattern_film(number % 16, side=64 + number))
    reads = [FilmRead(name, "ann", number % 2 == 0, {"Effusion": 1}) for number, name in enumerate(names)]
    staged = stage(reads, films, recipe, FINDINGS, tmp_path / "work")
    # PNG files name no patient: they can only be trained on, with a lone reader's weight.
    assert (staged.training, staged.judged, staged.shown_only, staged.weight) == (40, 0, 0, 0.6)
    with (tmp_path / "work" / TABLE).open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["Effusion"] for row in rows} == {"1"}
    assert {row["weight"] for row in rows} == {"0.6000"}


def test_a_read_film_of_a_known_patient_is_judged_by_blind_reads_only(tmp_path: Path) -> None:
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    recipe = read_recipe(CONFIGS / "tiny.yaml")
    films = tmp_path / "films"
    films.mkdir()
    template = dcmread(str(get_testdata_file("RG1_UNCR.dcm", download=False) or get_testdata_file("CT_small.dcm")))
    reads = []
    for number in range(30):
        template.PatientID = f"P{number}"
        template.save_as(films / f"f{number:02}.dcm")
        blind = number % 2 == 0
        reads.append(FilmRead(f"f{number:02}", "ann", blind, {"Effusion": 1, "Pneumothorax": 0}))
    staged = stage(reads, films, recipe, FINDINGS, tmp_path / "work")
    with (tmp_path / "work" / TABLE).open(encoding="utf-8") as stream:
        rows = {row["image_id"]: row for row in csv.DictReader(stream)}
    for row in rows.values():
        held_out = split_of(row["patient"], recipe.split) != "train"
        assert not held_out or int(row["image_id"][1:]) % 2 == 0
        assert row["weight"] == ("1.0000" if held_out else "0.6000")
    assert staged.judged > 0
    assert staged.shown_only == 30 - len(rows) > 0


def test_only_reads_since_the_release_are_new(tmp_path: Path) -> None:
    from tests.releases import make_tiny_release
    from training.retrain.reads import new_reads

    base = make_tiny_release(tmp_path / "release")
    made = datetime.fromisoformat(base.manifest.created).astimezone(UTC)
    reads = [
        FilmRead("a", "ann", True, {"Effusion": 1}, made - timedelta(seconds=1)),
        FilmRead("b", "ann", True, {"Effusion": 1}, made),
        FilmRead("c", "", False, {"Effusion": 1}, None),
    ]
    assert [read.film for read in new_reads(reads, base)] == ["b", "c"]
