"""Kermany's children: whose film it is, and that it knows pneumonia alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.data.made import data, grey
from training.config import Source
from training.data import BadData, nih_findings, read_sources
from training.data.kermany import patient_of

PNEUMONIA = nih_findings().index("Pneumonia")
RECIPE = data(Source(kind="kermany", path="."))


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person447_virus_921_1.jpeg", "kermany:person:447"),
        ("person447_bacteria_2.jpeg", "kermany:person:447"),
        ("IM-0115-0001.jpeg", "kermany:im:115"),
        ("NORMAL2-IM-0115-0001-0002.jpeg", "kermany:im:115"),
    ],
)
def test_the_patient_is_the_number_whatever_stands_before_it(name: str, patient: str) -> None:
    assert patient_of(name) == patient


def test_its_films_know_pneumonia_alone(tmp_path: Path) -> None:
    grey(tmp_path / "train" / "PNEUMONIA" / "person1_virus_1.jpeg")
    grey(tmp_path / "test" / "NORMAL" / "IM-0001-0001.jpeg")
    films = read_sources(RECIPE, tmp_path).films
    assert sorted(str(film.labels[PNEUMONIA]) for film in films) == ["0", "1"]
    assert {label for film in films for k, label in enumerate(film.labels) if k != PNEUMONIA} == {None}


def test_a_film_of_nobody_is_left_out_and_counted(tmp_path: Path) -> None:
    grey(tmp_path / "train" / "NORMAL" / "IM-0001-0001.jpeg")
    grey(tmp_path / "train" / "NORMAL" / "chest.jpeg")
    with pytest.raises(BadData, match=r"1 of 2 films \(50\.0%\) can't be used.*whose film is it"):
        read_sources(RECIPE, tmp_path)
    manifest = read_sources(RECIPE.model_copy(update={"left_out_share": 0.5}), tmp_path)
    assert (len(manifest.films), len(manifest.faults)) == (1, 1)


def test_a_third_group_is_refused(tmp_path: Path) -> None:
    grey(tmp_path / "train" / "COVID" / "person1_virus_1.jpeg")
    with pytest.raises(BadData, match="COVID is neither NORMAL nor PNEUMONIA"):
        read_sources(RECIPE, tmp_path)
