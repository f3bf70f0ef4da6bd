"""NIH ChestX-ray14: labels, patients, and the mask of the shared pool."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.data.made import data, grey, nih, write_csv
from training.config import Source
from training.data import BadData, Manifest, nih_findings, read_sources
from training.data.nih import COLUMNS, TABLE

FINDINGS = nih_findings()
PNEUMONIA = FINDINGS.index("Pneumonia")
SOURCE = Source(kind="nih", path="nih")


def _read(folder: Path, **fields: object) -> Manifest:
    return read_sources(data(SOURCE, **fields), folder)


def test_the_findings_are_nihs_in_nihs_column_order_by_hilums_names() -> None:
    assert len(FINDINGS) == 14
    assert (FINDINGS[0], FINDINGS[-1]) == ("Atelectasis", "Hernia")
    assert "Pleural Thickening" in FINDINGS
    assert "No Finding" not in FINDINGS


def test_a_film_carries_its_patient_view_sex_age_and_every_label(tmp_path: Path) -> None:
    nih(tmp_path / "nih", ("00001500_000", "Pleural_Thickening|Effusion", 1500))
    (film,) = _read(tmp_path).films
    assert (film.patient, film.view, film.sex, film.age, film.source) == ("nih:1500", "PA", "F", 50, "nih")
    present = [name for name, label in zip(FINDINGS, film.labels, strict=True) if label == 1]
    assert present == ["Effusion", "Pleural Thickening"]
    assert film.labels.count(0) == 12


def test_a_finding_that_nih_does_not_have_is_unknown_not_absent(tmp_path: Path) -> None:
    nih(tmp_path / "nih", ("00001500_000", "Consolidation", 1500))
    (film,) = _read(tmp_path, findings=("Consolidation", "Lung Opacity", "Fracture")).films
    assert film.labels == (1, None, None)


def test_pneumonia_is_unknown_where_the_patients_number_gives_it_away(tmp_path: Path) -> None:
    inside = [("00001280_000", "Pneumonia", 1280), ("00003970_000", "No Finding", 3970)]
    outside = [("00001279_000", "Pneumonia|Effusion", 1279), ("00003971_000", "Pneumonia", 3971)]
    nih(tmp_path / "nih", *inside, *outside)
    manifest = _read(tmp_path)
    assert {film.name: film.labels[PNEUMONIA] for film in manifest.films} == {
        "00001280_000": 1,
        "00003970_000": 0,
        "00001279_000": None,
        "00003971_000": None,
    }
    effusion = {film.name: film.labels[FINDINGS.index("Effusion")] for film in manifest.films}
    assert effusion["00001279_000"] == 1
    (mask,) = manifest.masked
    assert (mask.finding, mask.films) == ("Pneumonia", 2)


def test_in_the_whole_collection_nothing_is_masked(tmp_path: Path) -> None:
    """There the patients outside the shared pool's range have films without pneumonia too."""
    nih(tmp_path / "nih", ("00000061_000", "Pneumonia", 61), ("00000062_000", "No Finding", 62))
    manifest = _read(tmp_path)
    assert [film.labels[PNEUMONIA] for film in manifest.films] == [1, 0]
    assert manifest.masked == ()


def test_the_original_layout_of_several_image_folders_is_read(tmp_path: Path) -> None:
    folder = nih(tmp_path / "nih", ("00001500_000", "Effusion", 1500))
    (folder / "images" / "00001500_000.jpg").unlink()
    kept = grey(folder / "images_002" / "images" / "00001500_000.png")
    (film,) = _read(tmp_path).films
    assert film.path == kept


def test_an_unknown_label_is_refused_with_its_row(tmp_path: Path) -> None:
    nih(tmp_path / "nih", ("00001500_000", "Effusion|Gout", 1500))
    with pytest.raises(BadData, match=r"nih/Data_Entry_2017_v2020\.csv, row 2: unknown label 'Gout'"):
        _read(tmp_path)


def test_an_age_above_what_anyone_reaches_is_unknown(tmp_path: Path) -> None:
    folder = nih(tmp_path / "nih", ("00001500_000", "Effusion", 1500))
    write_csv(folder / TABLE, COLUMNS, ("00001500_000.png", "Effusion", 1500, 414, "F", "PA"))
    assert _read(tmp_path).films[0].age is None
