"""The sample films: few, small, real, each with its source, its licence and its hash."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from hilum.findings import dataset_labels
from hilum.imaging import decode

FOLDER = Path(__file__).resolve().parents[2] / "samples"
FILMS = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))["films"]
MAX_BYTES = 6_000_000


def test_every_film_is_listed_and_every_listed_film_is_there() -> None:
    present = {path.name for path in FOLDER.iterdir() if path.is_file()} - {"samples.json", "make.py"}
    assert sorted(entry["file"] for entry in FILMS) == sorted(present)


def test_there_are_16_to_24_films_of_6_mb_at_most() -> None:
    assert 16 <= len(FILMS) <= 24
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) <= MAX_BYTES


@pytest.mark.parametrize("entry", FILMS, ids=lambda entry: entry["file"])
def test_a_film_has_its_source_licence_and_hash_and_can_be_read(entry: dict[str, object]) -> None:
    body = (FOLDER / str(entry["file"])).read_bytes()
    assert hashlib.sha256(body).hexdigest() == entry["sha256"]
    assert entry["source"]
    assert entry["licence"]
    assert entry["citation"]
    film = decode(body)
    assert film.unscorable is None
    assert {warning.code for warning in film.warnings} <= {"lossy"}


def test_the_labels_are_the_data_sets_own_and_varied() -> None:
    seen: set[str] = set()
    for entry in FILMS:
        labels = entry["labels"]
        if entry["file"].startswith("nih_0"):
            assert set(labels) <= {*dataset_labels("nih"), "No Finding"}, entry["file"]
            assert 1280 <= int(entry["patient"]) <= 3970
        seen.update(labels)
    assert {"Effusion", "Pneumothorax", "Cardiomegaly", "Edema", "Mass", "No Finding", "PNEUMONIA", "NORMAL"} <= seen


def test_the_films_are_of_different_patients_and_studies() -> None:
    patients = [(entry["source"], entry["patient"]) for entry in FILMS]
    assert len(set(patients)) == len(patients)
    headers = [decode((FOLDER / entry["file"]).read_bytes()).header for entry in FILMS if ".dcm" in entry["file"]]
    assert len({header.study_uid for header in headers if header}) == len(headers) == 4


def test_no_sample_names_a_person() -> None:
    for path in FOLDER.glob("*.dcm"):
        assert not re.search(rb"\x10\x00[\x10\x30]\x00(PN|DA)", path.read_bytes()), path.name


def test_every_source_is_in_the_notice() -> None:
    notice = " ".join((FOLDER.parent / "NOTICE").read_text(encoding="utf-8").split())
    for entry in FILMS:
        assert str(entry["citation"]).split(".")[0] in notice, entry["file"]
