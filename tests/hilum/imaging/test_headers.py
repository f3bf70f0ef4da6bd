"""What is taken from a DICOM header, what warns, and what keeps a film from being scored."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, generate_uid

from hilum.imaging import Film, FilmHeader, decode
from tests.hilum.imaging.bodies import ROOT, dataset, dicom, grey, pydicom_data, written

SHARED = ROOT.parent / "shared" / "data" / "dicom"


def codes(film: Film) -> list[str]:
    return [warning.code for warning in film.warnings]


def header(body: bytes) -> FilmHeader:
    found = decode(body).header
    assert found is not None
    return found


def test_a_sound_header_gives_no_warning() -> None:
    film = decode(dicom())
    assert film.warnings == ()
    assert film.unscorable is None


def test_the_header_is_read_whole() -> None:
    issuer, request = Dataset(), Dataset()
    issuer.LocalNamespaceEntityID = "North RIS"
    request.RequestedProcedurePriority = "STAT"
    found = header(
        dicom(
            AccessionNumber="A-1",
            IssuerOfAccessionNumberSequence=[issuer],
            IssuerOfPatientID="North",
            InstitutionName="North Hospital",
            Manufacturer="Acme",
            PatientSex="F",
            PatientAge="081Y",
            PatientPosition="",
            StudyDate="20260131",
            StudyTime="235901.25",
            TimezoneOffsetFromUTC="-0330",
            RequestAttributesSequence=[request],
            PresentationIntentType="FOR PRESENTATION",
        )
    )
    assert found.patient_id == "P-17"
    assert found.patient_id_issuer == "North"
    assert (found.accession, found.accession_issuer) == ("A-1", "North RIS")
    assert (found.institution, found.manufacturer) == ("North Hospital", "Acme")
    assert (found.patient_sex, found.patient_age_years) == ("F", 81.0)
    assert (found.modality, found.body_part, found.view_position) == ("CR", "CHEST", "PA")
    assert found.priority == "STAT"
    zone = timezone(-timedelta(hours=3, minutes=30))
    assert found.study_datetime == datetime(2026, 1, 31, 23, 59, 1, tzinfo=zone)


def test_the_patients_name_is_not_read() -> None:
    film = decode(dicom(PatientName="Zzyzx^Quentin"))
    assert "Zzyzx" not in repr(dataclasses.asdict(film.header) if film.header else "")
    assert "Zzyzx" not in repr(film.warnings)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"BodyPartExamined": "RIBCAGE"}, "body_part"),
        ({"BodyPartExamined": "EXTREMITY"}, "body_part"),
        ({"BodyPartExamined": None}, "body_part_missing"),
        ({"BodyPartExamined": ""}, "body_part_missing"),
        ({"Modality": "CT"}, "modality"),
        ({"Modality": "MG"}, "modality"),
        ({"Modality": None}, "modality_missing"),
        ({"PatientPosition": "XX"}, "patient_position"),
        ({"ViewPosition": "SIDEWAYS"}, "view"),
        ({"ViewPosition": None}, "view_missing"),
        ({"PatientID": None}, "patient_id"),
        ({"PatientID": "  "}, "patient_id"),
        ({"SeriesInstanceUID": None}, "series_uid"),
        ({"BurnedInAnnotation": "YES"}, "burned_in"),
        ({"LossyImageCompression": "01"}, "lossy"),
        ({"PatientOrientation": ["R", "F"]}, "mirrored"),
        ({"SOPClassUID": "1.2.3.4"}, "sop_class"),
    ],
)
def test_each_header_defect_alone_gives_one_warning_and_no_refusal(changes: dict[str, Any], code: str) -> None:
    film = decode(dicom(**changes))
    assert codes(film) == [code]
    assert film.unscorable is None
    assert film.warnings[0].text.endswith(".")


def test_a_view_in_the_patient_position_counts_as_the_view() -> None:
    film = decode(dicom(ViewPosition=None, PatientPosition="AP"))
    assert film.warnings == ()


def test_a_warning_quotes_codes_only() -> None:
    film = decode(dicom(BodyPartExamined="Mr Zzyzx, ward 9"))
    assert codes(film) == ["body_part"]
    assert "zzyzx" not in film.warnings[0].text.lower()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"PresentationIntentType": "FOR PROCESSING"}, "FOR PROCESSING"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1.1"}, "FOR PROCESSING"),
        ({"ViewPosition": "LL"}, "lateral"),
        ({"ViewPosition": "LATERAL"}, "lateral"),
        ({"ViewPosition": None, "PatientPosition": "RL"}, "lateral"),
        ({"ViewPosition": None, "PatientOrientation": ["A", "F"]}, "lateral"),
        ({"ViewPosition": None, "SeriesDescription": "Chest lat."}, "lateral"),
        ({"ViewPosition": "", "SeriesDescription": "THORAX_LATERAL"}, "lateral"),
        ({"ViewPosition": "LLD"}, "decubitus"),
        ({"ViewPosition": "RLO"}, "oblique"),
    ],
)
def test_a_film_that_must_not_be_scored_is_kept_with_the_reason(changes: dict[str, Any], words: str) -> None:
    film = decode(dicom(**changes))
    assert film.unscorable is not None
    assert words in film.unscorable
    assert film.pixels.shape == (128, 128)


@pytest.mark.parametrize(
    ("view", "description"),
    [(None, "Chest PA and LAT"), ("PA", "Chest LAT"), (None, "Collateral lung"), (None, ""), (None, "LAT, AP")],
)
def test_a_description_of_the_whole_study_makes_no_film_lateral(view: str | None, description: str) -> None:
    assert decode(dicom(ViewPosition=view, SeriesDescription=description)).unscorable is None


def test_a_lateral_view_code_is_understood() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "399173006", "SCT", "left lateral"
    assert "lateral" in str(decode(dicom(ViewPosition=None, ViewCodeSequence=[code])).unscorable)


def test_the_leg_is_decoded_with_a_warning() -> None:
    for name in ("RG3_UNCR.dcm", "RG3_J2KR.dcm"):
        film = decode((pydicom_data() / name).read_bytes())
        assert "body_part" in codes(film)
        assert "EXTREMITY" in film.warnings[0].text


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data beside this checkout")
def test_the_six_nih_test_films_warn_of_exactly_what_is_wrong() -> None:
    films = {path.stem: decode(path.read_bytes()) for path in sorted(SHARED.glob("*.dcm"))}
    assert [codes(films[f"nih_test{n}"]) for n in (1, 2, 3)] == [[], [], []]
    assert codes(films["nih_test4"]) == ["body_part"]
    assert codes(films["nih_test5"]) == ["modality"]
    assert codes(films["nih_test6"]) == ["patient_position", "view_missing"]
    first = films["nih_test1"]
    for name in ("nih_test4", "nih_test5", "nih_test6"):
        assert np.array_equal(films[name].pixels, first.pixels)
        assert films[name].header is not None
        assert first.header is not None
        assert films[name].header.instance_uid == first.header.instance_uid


def without_meta(film: Dataset, implicit: bool, little: bool) -> bytes:
    stream = BytesIO()
    pydicom.dcmwrite(stream, film, enforce_file_format=False, implicit_vr=implicit, little_endian=little)
    body = stream.getvalue()
    return body[body.index(b"\x08\x00" if little else b"\x00\x08", 132 if body[128:132] == b"DICM" else 0) :]


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_a_file_without_preamble_and_meta_information_is_read(implicit: bool, little: bool) -> None:
    film = dataset(grey())
    film["PixelData"].VR = "OB"
    del film.file_meta
    body = without_meta(film, implicit, little)
    assert b"DICM" not in body
    assert np.array_equal(decode(body).pixels, decode(dicom()).pixels)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_byte_order_gives_the_same_film(syntax: str) -> None:
    deep = grey().astype(np.uint16) * 16
    pixels = deep.astype(">u2") if syntax == ExplicitVRBigEndian else deep
    film = dataset(deep, BitsStored=12, WindowCenter=2048, WindowWidth=4096)
    film.PixelData = pixels.tobytes()
    film["PixelData"].VR = "OW"
    film.file_meta.TransferSyntaxUID = syntax
    reference = decode(dicom(deep, BitsStored=12, WindowCenter=2048, WindowWidth=4096))
    assert np.array_equal(decode(written(film)).pixels, reference.pixels)


def test_a_transfer_syntax_that_lies_about_implicit_vr_is_forgiven() -> None:
    film = dataset(grey())
    film.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    body = written(film).replace(b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0\0"[:18], 1)
    assert np.array_equal(decode(body).pixels, decode(dicom()).pixels)


def test_wrong_lengths_that_do_no_harm_are_forgiven() -> None:
    body = bytearray(dicom())
    body[140:144] = (99_999).to_bytes(4, "little")  # the group length of the meta information
    assert decode(bytes(body)).pixels.shape == (128, 128)
    longer = dicom(PixelData=grey().tobytes() + b"\0" * 100)
    assert np.array_equal(decode(longer).pixels, decode(dicom()).pixels)
    assert np.array_equal(decode(dicom() + b"\0" * 50).pixels, decode(dicom()).pixels)


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "WINDOWS-FOO", ""])
def test_an_odd_character_set_is_no_obstacle(charset: str) -> None:
    film = dataset(grey(), InstitutionName="North")
    body = written(film)
    at = body.index(b"\x08\x00\x16\x00UI")
    value = charset.encode() + b" " * (len(charset) % 2)
    element = b"\x08\x00\x05\x00CS" + len(value).to_bytes(2, "little") + value
    body = (body[:at] + element + body[at:]).replace(b"North ", b"N\xf6\xe4th ")
    found = header(body)
    assert found.institution.startswith("N")
    assert found.patient_id == "P-17"


def test_empty_and_absurd_values_are_no_obstacle() -> None:
    found = header(dicom(AccessionNumber="", PatientAge="", StudyDate="", StudyTime="", PatientSex="", RescaleSlope=""))
    assert found.accession == ""
    assert found.patient_age_years is None
    assert found.study_datetime is None
    body = dicom(StudyDate="20269999", StudyTime="99", PatientAge="OLD", PixelSpacing=["0", "-1"])
    assert header(body).study_datetime is None
    assert decode(body).pixel_spacing_mm is None


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("20260131", "", datetime(2026, 1, 31)),  # noqa: DTZ001
        ("2026.01.31", "08:15", datetime(2026, 1, 31, 8, 15)),  # noqa: DTZ001
        ("20260131", "081559.123456", datetime(2026, 1, 31, 8, 15, 59)),  # noqa: DTZ001
        ("20260131", "0", datetime(2026, 1, 31)),  # noqa: DTZ001
        ("20260131", "nonsense", datetime(2026, 1, 31)),  # noqa: DTZ001
        ("yesterday", "0815", None),
    ],
)
def test_dates_in_old_forms_are_understood(date: str, time: str, expected: datetime | None) -> None:
    assert header(dicom(StudyDate=date, StudyTime=time)).study_datetime == expected


@pytest.mark.parametrize(("age", "years"), [("081Y", 81.0), ("006M", 0.5), ("81", 81.0), ("014D", 14 / 365.25)])
def test_ages_are_in_years(age: str, years: float) -> None:
    assert header(dicom(PatientAge=age)).patient_age_years == pytest.approx(years)


def test_the_spacing_is_the_calibrated_one_else_the_detectors() -> None:
    both = decode(dicom(PixelSpacing=["0.14", "0.15"], ImagerPixelSpacing=["0.2", "0.2"]))
    assert both.pixel_spacing_mm == (0.14, 0.15)
    assert decode(dicom(ImagerPixelSpacing=["0.2", "0.2"])).pixel_spacing_mm == (0.2, 0.2)


def test_a_missing_series_uid_and_sop_class_are_forgiven() -> None:
    film = dataset(grey(), SOPClassUID=None)
    film.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    film.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    decoded = decode(written(film, enforce_file_format=False))
    assert decoded.header is not None
    assert decoded.header.sop_class_uid == "1.2.840.10008.5.1.4.1.1.1"
    assert decoded.warnings == ()


def test_nothing_is_printed_or_logged(tmp_path: Path) -> None:
    """In a process of its own: pytest replaces the filters that silence pydicom, which quotes header values."""
    odd = dicom(StudyDate="nonsense", PatientID="P\\17\\Zzyzx", PixelSpacing=["0.14", "0.15"])
    at = odd.index(b"\x08\x00\x16\x00UI")
    odd = odd[:at] + b"\x08\x00\x05\x00CS\x0c\x00ZZYZX-FOO-17" + odd[at:]
    path = tmp_path / "odd.dcm"
    path.write_bytes(odd.replace(b"0.14\\0.15", b"Zzyz\\Zzyz"))
    code = (
        "import logging, sys; logging.basicConfig(level='DEBUG'); from hilum.imaging import decode; "
        "decode(open(sys.argv[1], 'rb').read())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "zzyz" not in (done.stdout + done.stderr).lower()
    assert done.stdout == ""


def test_pictures_have_no_header() -> None:
    film = decode((Path(ROOT) / "samples" / "nih_00001350_000.jpg").read_bytes())
    assert film.header is None
    assert (film.media_type, film.width, film.height, film.bits, film.lossy) == ("image/jpeg", 128, 128, 8, True)
