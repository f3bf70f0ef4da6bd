"""Splitting by patient."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.data.made import data, grey, shared_manifest, write_csv
from tests.training.films import SHARED
from training.config import CONFIGS, Source, Split, read_recipe
from training.data import nih_findings, read_sources
from training.data.manifest import BadData, Film
from training.data.split import SPLITS, check_apart, edges, split_films, split_of

FILM = Film("a", Path("a.jpg"), "0" * 64, "nih", "nih:1", (0, 1))
SPLIT = Split(salt="salt")


def _films(count: int) -> list[Film]:
    return [
        replace(FILM, name=f"{p}_{n}", patient=f"nih:{p}", sha256=f"{p:032x}{n:032x}")
        for p in range(count)
        for n in range(3)
    ]


def test_no_patient_crosses_and_every_film_is_somewhere() -> None:
    films = _films(500)
    parts = split_films(films, SPLIT)
    homes: dict[str, set[str]] = {}
    for name, members in parts.items():
        for film in members:
            homes.setdefault(film.patient, set()).add(name)
    assert sum(map(len, parts.values())) == len(films)
    assert all(len(names) == 1 for names in homes.values())


def test_a_patient_stays_in_its_split_when_data_grows() -> None:
    before = {film.name: name for name, members in split_films(_films(50), SPLIT).items() for film in members}
    after = {film.name: name for name, members in split_films(_films(400), SPLIT).items() for film in members}
    assert all(after[name] == split for name, split in before.items())


def test_the_shares_follow_the_edges() -> None:
    counts = Counter(split_of(f"nih:{p}", SPLIT) for p in range(20_000))
    low = 0.0
    for name, edge in edges(SPLIT):
        assert counts[name] / 20_000 == pytest.approx(edge - low, abs=0.012)
        low = edge


def test_another_salt_splits_otherwise() -> None:
    assert [split_of(f"nih:{p}", Split(salt="a")) for p in range(50)] != [
        split_of(f"nih:{p}", Split(salt="b")) for p in range(50)
    ]


def test_a_patient_in_two_splits_is_refused() -> None:
    with pytest.raises(BadData, match="stands in train and in locked"):
        check_apart({"train": [FILM], "locked": [replace(FILM, name="b")]})


def test_the_same_bytes_in_two_splits_are_refused_though_the_numbers_differ(tmp_path: Path) -> None:
    """One person under two numbers, or one film in two data sets."""
    rows = [(f"film{n}", f"{n}", 1) for n in range(12)]
    for name, _, _ in rows:
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / f"{name}.png").write_bytes(grey(tmp_path / "one.png").read_bytes())
    write_csv(tmp_path / "labels.csv", ("film", "patient", "Mass"), *rows)
    films = read_sources(data(Source(kind="table", path="."), findings=("Mass",)), tmp_path).films
    with pytest.raises(BadData, match=r"byte for byte table's film.* give both the same patient, or remove one"):
        split_films(films, SPLIT)


def test_the_bundled_releases_split_has_not_moved() -> None:
    """The sha256 was computed with the split that trained release 1.0.2, over every number that NIH and Kermany use."""
    patients = [f"nih:{n}" for n in range(1, 30806)]
    patients += [f"kermany:person:{n}" for n in range(1, 2000)] + [f"kermany:im:{n}" for n in range(1, 1000)]
    split = read_recipe(CONFIGS / "default.yaml").split
    lines = [f"{patient}={split_of(patient, split)}" for patient in patients]
    assert Counter(line.partition("=")[2] for line in lines)["locked"] == 4075
    pinned = "a1925df35095a035b463b4dd02b2624499b22efe65da53a2bc4b78c91801a6f1"
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == pinned


@pytest.mark.skipif(not SHARED.exists(), reason="the training data is not here")
def test_the_bundled_recipe_leaves_enough_positive_patients_in_every_split() -> None:
    recipe = read_recipe(CONFIGS / "default.yaml")
    films = [film for film in shared_manifest().films if film.source == "nih"]
    parts = split_films(films, recipe.split)
    assert set(parts) == set(SPLITS)
    for k, name in enumerate(nih_findings()):
        positive = {split: len({f.patient for f in members if f.labels[k] == 1}) for split, members in parts.items()}
        if name != "Hernia":
            assert positive["calibration"] >= 15, name
            assert positive["locked"] >= 10, name
