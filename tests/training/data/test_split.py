"""Splitting by patient."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.films import SHARED
from training.config import CONFIGS, read_recipe
from training.data import nih_findings, read_all
from training.data.manifest import BadData, Film, digest
from training.data.split import EDGES, SPLITS, check_apart, patient_hash, split_films, split_of

FILM = Film("a", Path("a.jpg"), "0" * 64, "nih", "nih:1", (0, 1))


def _films(count: int) -> list[Film]:
    return [replace(FILM, name=f"{p}_{n}", patient=f"nih:{p}") for p in range(count) for n in range(3)]


def test_no_patient_crosses_and_every_film_is_somewhere() -> None:
    films = _films(500)
    parts = split_films(films, "salt")
    homes: dict[str, set[str]] = {}
    for name, members in parts.items():
        for film in members:
            homes.setdefault(film.patient, set()).add(name)
    assert sum(map(len, parts.values())) == len(films)
    assert all(len(names) == 1 for names in homes.values())


def test_a_patient_stays_in_its_split_when_data_grows() -> None:
    before = {film.name: name for name, members in split_films(_films(50), "salt").items() for film in members}
    after = {film.name: name for name, members in split_films(_films(400), "salt").items() for film in members}
    assert all(after[name] == split for name, split in before.items())


def test_the_shares_follow_the_edges() -> None:
    counts = Counter(split_of(f"nih:{p}", "salt") for p in range(20_000))
    low = 0.0
    for name, edge in EDGES:
        assert counts[name] / 20_000 == pytest.approx(edge - low, abs=0.012)
        low = edge


def test_another_salt_splits_otherwise() -> None:
    assert [split_of(f"nih:{p}", "a") for p in range(50)] != [split_of(f"nih:{p}", "b") for p in range(50)]


def test_a_patient_in_two_splits_is_refused() -> None:
    with pytest.raises(BadData, match="stands in train and in locked"):
        check_apart({"train": [FILM], "locked": [replace(FILM, name="b")]})


def test_the_digest_changes_with_a_label_a_film_or_a_split() -> None:
    def of(films: list[Film], salt: str = "s") -> str:
        return digest(films, lambda p: split_of(p, salt), lambda p: patient_hash(p, salt))

    films = _films(4)
    first = of(films)
    assert of(films[::-1]) == first
    assert of(films[1:]) != first
    assert of([replace(films[0], labels=(1, 1)), *films[1:]]) != first
    assert of([replace(films[0], sha256="1" * 64), *films[1:]]) != first
    assert of(films, "another") != first


@pytest.mark.skipif(not SHARED.exists(), reason="the training data is not here")
def test_the_bundled_recipe_leaves_enough_positive_patients_in_every_split() -> None:
    films = [film for film in read_all(SHARED) if film.source == "nih"]
    parts = split_films(films, read_recipe(CONFIGS / "default.yaml").split.salt)
    assert set(parts) == set(SPLITS)
    for k, name in enumerate(nih_findings()):
        positive = {split: len({f.patient for f in members if f.labels[k] == 1}) for split, members in parts.items()}
        if name != "Hernia":
            assert positive["calibration"] >= 15, name
            assert positive["locked"] >= 10, name
