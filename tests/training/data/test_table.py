"""A plain table, and the feedback export with the films that it names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from services.feedback.export import Selection, csv_lines
from services.feedback.ledger import Ledger
from services.feedback.tables import Base
from tests.fixtures.reads import a_read
from tests.training.data.made import data, grey, write_csv
from tests.training.films import ROOT
from training.config import Source, Split
from training.data import BadData, Manifest, read_sources
from training.data.split import split_of

FINDINGS = ("Effusion", "Pneumothorax", "Mass")
TABLE = Source(kind="table", path=".", site="Ward")
FEEDBACK = Source(kind="feedback", path=".")


def _read(folder: Path, source: Source = TABLE, **fields: object) -> Manifest:
    return read_sources(data(source, findings=FINDINGS, **fields), folder)


def _plain(folder: Path, header: tuple[str, ...], *rows: tuple[object, ...]) -> Path:
    for row in rows:
        grey(folder / "images" / f"{row[0]}.png")
    write_csv(folder / "labels.csv", header, *rows)
    return folder


def test_a_plain_table_says_what_it_knows_and_blank_is_unknown(tmp_path: Path) -> None:
    header = ("film", "patient", "site", "device", "devices", "view", "sex", "age", "weight", "Mass", "Effusion")
    _plain(tmp_path, header, ("a", "7", "", "Maker X", "1", "AP", "female", "61", "0.5", "", "-1"))
    (film,) = _read(tmp_path).films
    assert film.labels == (-1, None, None)
    assert (film.patient, film.site, film.device, film.devices) == ("table:7", "Ward", "Maker X", 1)
    assert (film.view, film.sex, film.age, film.weight) == ("AP", "F", 61, 0.5)


def test_the_same_person_in_two_sources_is_one_patient_by_a_full_name(tmp_path: Path) -> None:
    _plain(tmp_path, ("film", "patient", "Mass"), ("a", "nih:61", 1))
    assert _read(tmp_path).films[0].patient == "nih:61"


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (("film", "patient", "Gout"), ("a", "7", 1), r"labels\.csv: column 'Gout' is neither a finding nor one of"),
        (("film", "patient"), ("a", "7"), "no column is a finding"),
        (("image", "patient", "Mass"), ("a", "7", 1), r"labels\.csv: no column 'film'; it has image, patient, Mass"),
        (("film", "patient", "Mass"), ("a", "7", "yes"), r"row 2: 'Mass' is 'yes'"),
        (("film", "patient", "Hernia"), ("a", "7", "5"), r"row 2: 'Hernia' is '5'"),
        (("film", "patient", "age", "Mass"), ("a", "7", "old", 1), r"row 2: 'age' is 'old'"),
        (("film", "patient", "weight", "Mass"), ("a", "7", "-2", 1), r"row 2: 'weight' is '-2'"),
        (("film", "patient", "Mass", "Mass"), ("a", "7", 1, 1), "column 'Mass' stands there twice"),
        (("film", "patient", "Mass"), ("a", "7"), r"row 2: 2 cells under 3 columns"),
    ],
)
def test_a_wrong_table_is_refused_by_column_and_row(
    header: tuple[str, ...], row: tuple[object, ...], message: str, tmp_path: Path
) -> None:
    _plain(tmp_path, header, row)
    with pytest.raises(BadData, match=message):
        _read(tmp_path)


def test_a_film_that_stands_twice_is_refused_with_both_rows(tmp_path: Path) -> None:
    _plain(tmp_path, ("film", "patient", "Mass"), ("a", "7", 1), ("b", "7", 1), ("a", "7", 0))
    with pytest.raises(BadData, match=r"row 4: film a stands already in .*row 2"):
        _read(tmp_path)


def test_a_patient_of_two_sexes_is_refused_with_both_rows(tmp_path: Path) -> None:
    _plain(tmp_path, ("film", "patient", "sex", "Mass"), ("a", "7", "F", 1), ("b", "7", "", 1), ("c", "7", "M", 0))
    with pytest.raises(BadData, match=r"row 4: patient table:7 is M here and F in .*row 2"):
        _read(tmp_path)


def test_an_export_of_real_reads_trains_with_the_films_it_names(tmp_path: Path) -> None:
    """The ledger writes the CSV; the DICOM films say whose they are, and the number itself is not kept."""
    engine = create_engine(f"sqlite:///{tmp_path / 'feedback.db'}")
    Base.metadata.create_all(engine)
    ledger = Ledger(engine)
    ledger.append(a_read(1, labels={"Effusion": 1, "Mass": 0}), "key-1")
    ledger.append(a_read(2, labels={"Pneumothorax": -1}), "key-2")
    (tmp_path / "new_data.csv").write_text("".join(csv_lines(ledger, Selection())), encoding="utf-8")
    (tmp_path / "feedback_images").mkdir()
    shutil.copy(ROOT / "samples" / "nih_test1.dcm", tmp_path / "feedback_images" / "1.2.1.1.dcm")
    shutil.copy(ROOT / "samples" / "nih_test2.dcm", tmp_path / "feedback_images" / "1.2.2.1")
    films = {film.name: film for film in _read(tmp_path, FEEDBACK).films}
    assert films["1.2.1.1"].labels == (1, None, 0)
    assert films["1.2.2.1"].labels == (None, -1, None)
    assert all(film.patient.startswith("feedback:") and len(film.patient) == 29 for film in films.values())
    assert films["1.2.1.1"].study


def test_a_film_of_no_known_patient_is_left_out_or_learned_from_but_never_judged_on(tmp_path: Path) -> None:
    grey(tmp_path / "feedback_images" / "1.2.1.1.png")
    write_csv(tmp_path / "new_data.csv", ("image_id", "Mass"), ("1.2.1.1", 1))
    with pytest.raises(BadData, match=r"new_data\.csv, row 2: 1\.2\.1\.1: whose film is it\?"):
        _read(tmp_path, FEEDBACK)
    (film,) = _read(tmp_path, Source(kind="feedback", path=".", patientless="train")).films
    assert {split_of(film.patient, Split(salt=f"salt-{n}")) for n in range(50)} == {"train"}


def test_a_quoted_formula_in_an_export_is_still_the_films_name(tmp_path: Path) -> None:
    grey(tmp_path / "feedback_images" / "-1.png")
    write_csv(tmp_path / "new_data.csv", ("image_id", "patient", "Mass"), ("'-1", "p", 1))
    (film,) = _read(tmp_path, FEEDBACK).films
    assert film.name == "-1"
    assert film.patient.startswith("feedback:")
    assert "p" not in film.patient.removeprefix("feedback:")
