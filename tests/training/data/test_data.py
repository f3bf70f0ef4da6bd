"""Reading NIH's and Kermany's films: labels, masks, patients, and what is said when something is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hilum.imaging.preprocess import squash
from tests.training.films import HEADER, write_table
from training.data import nih_findings, read_all
from training.data.kermany import patient_of, read_kermany
from training.data.manifest import UNKNOWN, BadData
from training.data.nih import labels_of, read_nih
from training.data.store import decode, load, pixels_of

FINDINGS = nih_findings()
PNEUMONIA = FINDINGS.index("Pneumonia")


def _grey(path: Path, size: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(path.name))
    Image.fromarray(rng.integers(0, 255, (size, size), dtype=np.uint8)).save(path)


def _nih(folder: Path, labels: str, patient: str = "1500") -> Path:
    _grey(folder / "images" / "00001500_000.jpg")
    cells = ("00001500_000.png", labels, patient, "50", "F", "PA")
    write_table(folder, [dict(zip(HEADER, cells, strict=True))])
    return folder


def test_the_findings_are_nihs_in_nihs_column_order_by_hilums_names() -> None:
    assert len(FINDINGS) == 14
    assert FINDINGS[0] == "Atelectasis"
    assert FINDINGS[-1] == "Hernia"
    assert "Pleural Thickening" in FINDINGS
    assert "No Finding" not in FINDINGS


@pytest.mark.parametrize(("patient", "known"), [(1279, False), (1280, True), (3970, True), (3971, False), (61, False)])
def test_pneumonia_is_unknown_where_the_patient_number_gives_it_away(patient: int, known: bool) -> None:
    with_pneumonia = labels_of("Pneumonia|Effusion", patient, FINDINGS)
    without = labels_of("No Finding", patient, FINDINGS)
    assert (with_pneumonia[PNEUMONIA], without[PNEUMONIA]) == ((1, 0) if known else (UNKNOWN, UNKNOWN))
    assert with_pneumonia[FINDINGS.index("Effusion")] == 1
    assert without.count(1) == 0


def test_an_nih_film_carries_its_patient_view_sex_and_age(tmp_path: Path) -> None:
    (film,) = read_nih(_nih(tmp_path, "Pleural_Thickening"), FINDINGS)
    assert (film.patient, film.view, film.sex, film.age) == ("nih:1500", "PA", "F", 50)
    assert [name for name, label in zip(FINDINGS, film.labels, strict=True) if label == 1] == ["Pleural Thickening"]


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person447_virus_921_1.jpeg", "kermany:person:447"),
        ("person447_bacteria_2.jpeg", "kermany:person:447"),
        ("IM-0115-0001.jpeg", "kermany:im:115"),
        ("NORMAL2-IM-0115-0001-0002.jpeg", "kermany:im:115"),
    ],
)
def test_kermanys_patient_is_the_number_whatever_stands_before_it(name: str, patient: str) -> None:
    assert patient_of(name) == patient


def test_kermanys_films_know_pneumonia_alone(tmp_path: Path) -> None:
    _grey(tmp_path / "train" / "PNEUMONIA" / "person1_virus_1.jpeg")
    _grey(tmp_path / "train" / "NORMAL" / "IM-0001-0001.jpeg")
    films = read_kermany(tmp_path, FINDINGS)
    assert sorted(film.labels[PNEUMONIA] for film in films) == [0, 1]
    for film in films:
        assert {label for k, label in enumerate(film.labels) if k != PNEUMONIA} == {UNKNOWN}


def test_a_film_of_nobody_is_refused() -> None:
    with pytest.raises(BadData, match="whose film"):
        patient_of("chest.jpeg")


def test_an_unknown_label_is_refused_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"row 2: unknown label 'Gout'"):
        read_nih(_nih(tmp_path, "Effusion|Gout"), FINDINGS)


def test_a_missing_film_is_refused_with_its_row(tmp_path: Path) -> None:
    (_nih(tmp_path, "Effusion") / "images" / "00001500_000.jpg").unlink()
    with pytest.raises(BadData, match=r"row 2: .*00001500_000.jpg"):
        read_nih(tmp_path, FINDINGS)


def test_a_missing_data_folder_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="HILUM_TRAINING_DATA"):
        read_all(tmp_path / "nowhere")


def test_a_broken_film_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no film")
    with pytest.raises(BadData, match=r"broken\.jpg"):
        decode(tmp_path / "broken.jpg")


def test_the_store_holds_what_serving_would_squash(tmp_path: Path) -> None:
    _grey(tmp_path / "train" / "NORMAL" / "IM-0001-0001.jpeg", size=50)
    (film,) = read_kermany(tmp_path, FINDINGS)
    stored = pixels_of(load([film], 32))[0]
    np.testing.assert_allclose(stored, squash(decode(film.path), 32, 32), atol=1e-5)
