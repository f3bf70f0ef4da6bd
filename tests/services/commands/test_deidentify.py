"""`hilum deidentify`: studies of a room become files without their patients."""

from __future__ import annotations

import csv
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner, Result

from hilum.imaging import decode
from services.cli import make_app
from services.web.identity.audit import whole_log
from tests.hilum.imaging.bodies import dicom
from tests.releases import make_tiny_release, pattern_film
from tests.services.web.room import Room, open_room


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:  # type: ignore[misc]
    release = make_tiny_release(tmp_path / "tiny").folder
    monkeypatch.setenv("HILUM_DATA", str(tmp_path / "data"))
    with open_room(tmp_path / "data", release) as opened:
        yield opened


def hilum(*words: str) -> Result:
    return CliRunner().invoke(make_app(), ["deidentify", *words])


def test_studies_leave_without_their_patients_and_the_log_says_so(room: Room, tmp_path: Path) -> None:
    one = room.sent(("mueller.dcm", dicom(PatientID="MUELLER-1", PatientName="MUELLER^HANS")))
    two = room.sent(("mueller2.dcm", dicom(PatientID="MUELLER-1", PatientName="MUELLER^HANS")))
    burnt = room.sent(("burnt.dcm", dicom(PatientID="OTHER", BurnedInAnnotation="YES")))
    png = room.sent(("mueller.png", pattern_film(1)), patient_id="MUELLER-1")
    out = tmp_path / "out"
    done = hilum(str(out))
    assert done.exit_code == 3, done.output
    assert "2 film(s)" in done.output
    assert done.output.count("left out") == 3
    lines = list(csv.DictReader((out / "index.csv").open()))
    assert len({line["patient"] for line in lines}) == 1
    assert len({line["study"] for line in lines}) == 2
    for line in lines:
        body = (out / line["file"]).read_bytes()
        assert b"MUELLER" not in body
        assert decode(body).pixels.size
        assert pydicom.dcmread(out / line["file"]).StudyInstanceUID == line["study"]
    everything = "".join(str(path.relative_to(out)) for path in out.rglob("*")) + (out / "index.csv").read_text()
    for word in ("MUELLER", "mueller", one, two, burnt, png):
        assert word not in everything
    exported = [row.study_uid for row in whole_log(room.web) if row.action == "export"]
    assert sorted(exported) == sorted([one, two, burnt, png])


def test_who_looked_at_the_films_may_export_them_and_names_stay_the_same(room: Room, tmp_path: Path) -> None:
    uid = room.sent(("burnt.dcm", dicom(PatientID="OTHER", BurnedInAnnotation="YES")))
    first, second = tmp_path / "one", tmp_path / "two"
    for out in (first, second):
        done = hilum(str(out), "--study", uid, "--looked-at")
        assert done.exit_code == 0, done.output
    assert (first / "index.csv").read_text() == (second / "index.csv").read_text()
    full = hilum(str(first))
    assert (full.exit_code, "is not empty" in full.output) == (1, True)
    unknown = hilum(str(tmp_path / "three"), "--study", "1.2.3")
    assert (unknown.exit_code, "no such study" in unknown.output) == (3, True)
