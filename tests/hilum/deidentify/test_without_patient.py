"""No word of the patient survives: every text of DICOM's dictionary, private tags, notes in the pixels' own format."""

from __future__ import annotations

import stat
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from hilum.deidentify import CannotStrip, Pseudonyms, read_key, why_text_is_likely, without_notes, without_patient
from hilum.imaging import decode
from tests.hilum.imaging.bodies import compressed, dataset, grey, picture, sample, written

NAMES = Pseudonyms(bytes(range(32)))
SECRET = "MUELLER"
TEXTS = {"PN", "LO", "SH", "ST", "LT", "UT", "UC", "CS", "AE", "UR"}
DATES = {"DA": "19610203", "TM": "040506", "DT": "19610203040506", "AS": "061Y"}
# Without them the file is no film.
NEEDED = {"PhotometricInterpretation", "SpecificCharacterSet", "TransferSyntaxUID", "Modality"}


def full_of_secrets() -> Dataset:
    """A film with something of the patient in every attribute that can hold text or a date, and in private ones."""
    film = dataset(grey())
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if tag >> 16 <= 2 or not keyword or keyword in NEEDED:
            continue
        value = SECRET if vr in TEXTS else DATES.get(vr)
        if value:
            film.add_new(tag, vr, value)
    block = film.private_block(0x0019, "MUELLER PRIVATE", create=True)
    block.add_new(0x01, "LO", SECRET)
    film.add_new(0x60003000, "OB", SECRET.encode() + b"\0")
    film.add_new(0x00081140, "SQ", Sequence([Dataset()]))
    film.ReferencedImageSequence[0].PatientName = SECRET
    film.VOILUTSequence = Sequence([Dataset()])
    table = film.VOILUTSequence[0]
    table.LUTDescriptor, table.LUTExplanation = [2, 0, 8], SECRET
    table.add_new(0x00283006, "OW", b"\x00\x00\xff\x00")
    return film


def test_nothing_of_the_patient_is_left_in_any_attribute_of_the_dictionary() -> None:
    film = full_of_secrets()
    assert len(film) > 1500
    out = without_patient(written(film), NAMES, "P-1")
    assert SECRET.encode() not in out
    for date in DATES.values():
        assert date.encode() not in out
    for uid in (film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID):
        assert uid.encode() not in out
    new = pydicom.dcmread(BytesIO(out))
    assert (new.PatientName, new.PatientID, new.PatientIdentityRemoved) == ("P-1", "P-1", "YES")
    assert new.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert not [element for element in new if element.tag.is_private]
    assert new.VOILUTSequence[0].LUTDescriptor == [2, 0, 8]
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID


@pytest.mark.parametrize("name", ["nih_test1.dcm", "nema_rg1.dcm"])
def test_the_pixels_of_a_real_film_stay_as_they_are(name: str) -> None:
    body = sample(name)
    out = without_patient(body, NAMES, "P-1")
    before, after = decode(body), decode(out)
    assert np.array_equal(before.pixels, after.pixels)
    old, new = pydicom.dcmread(BytesIO(body)), pydicom.dcmread(BytesIO(out))
    assert new.PatientID == "P-1"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert str(old[keyword].value).encode() not in out, keyword


def test_notes_in_compressed_pixels_go_and_the_pixels_stay() -> None:
    film = compressed(dataset(grey()), JPEG2000Lossless)
    plain = pydicom.dcmread(BytesIO(film))
    (frame,) = generate_frames(plain.PixelData, number_of_frames=1)
    note = b"\xff\x64" + (4 + len(SECRET)).to_bytes(2, "big") + b"\x00\x01" + SECRET.encode()
    at = 4 + int.from_bytes(frame[4:6], "big")
    plain.PixelData = encapsulate([frame[:at] + note + frame[at:]])
    body = written(plain)
    assert SECRET.encode() in body
    out = without_patient(body, NAMES, "P-1")
    assert SECRET.encode() not in out
    assert np.array_equal(decode(body).pixels, decode(out).pixels)


def test_pictures_keep_their_pixels_and_lose_their_notes() -> None:
    notes = PngInfo()
    notes.add_text("Patient", SECRET)
    exif = Image.Exif()
    exif[0x010E] = SECRET
    stream = BytesIO()
    Image.fromarray(grey()).save(stream, "PNG", pnginfo=notes, exif=exif)
    jpeg = BytesIO()
    Image.fromarray(grey()).save(jpeg, "JPEG", exif=exif, comment=SECRET)
    for body in (stream.getvalue() + SECRET.encode(), jpeg.getvalue() + SECRET.encode()):
        assert SECRET.encode() in body
        out = without_notes(body)
        assert SECRET.encode() not in out
        assert np.array_equal(np.asarray(Image.open(BytesIO(out))), np.asarray(Image.open(BytesIO(body))))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"GIF89a",
        picture(grey())[:200],
        picture(grey(), "JPEG")[:200],
        b"\xff\xd8\xff\xe1\xff",
        b"\xff\xd8\xff\xd9",
    ],
)
def test_a_picture_that_can_not_be_followed_is_not_exported(body: bytes) -> None:
    with pytest.raises(CannotStrip):
        without_notes(body)


@pytest.mark.parametrize(
    ("changes", "likely"),
    [
        ({"BurnedInAnnotation": "YES"}, True),
        ({"BurnedInAnnotation": "NO"}, False),
        ({}, False),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, True),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2", "BurnedInAnnotation": "NO"}, False),
        ({"ConversionType": "DF"}, True),
        ({"ImageType": ["DERIVED", "SECONDARY"]}, True),
        ({"ImageType": ["ORIGINAL", "PRIMARY"]}, False),
    ],
)
def test_burnt_in_text_is_judged_by_the_header(changes: dict[str, object], likely: bool) -> None:
    assert bool(why_text_is_likely(dataset(grey(), **changes))) == likely


def test_a_picture_without_a_header_may_hold_text() -> None:
    assert why_text_is_likely(None)


def test_names_are_the_same_each_time_and_differ_by_key_and_kind() -> None:
    other = Pseudonyms(bytes(range(1, 33)))
    assert NAMES.uid("1.2.3") == NAMES.uid("1.2.3") != other.uid("1.2.3")
    assert NAMES.patient("P1") != NAMES.patient("P1", "another hospital") != other.patient("P1")
    assert NAMES.uid("1.2.3").startswith("2.25.")
    assert len(NAMES.uid("1.2.3")) <= 64
    assert "key" not in repr(NAMES)
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"short")


def test_a_key_is_made_once_and_refused_where_others_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "export.key"
    first = read_key(path)
    assert read_key(path) == first
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        read_key(path)
    path.chmod(0o600)
    for text in ("no key", "00ff"):
        path.write_text(text)
        with pytest.raises(ValueError, match="is no key"):
            read_key(path)


def test_jpeg_inside_dicom_loses_its_notes_too() -> None:
    jpeg = BytesIO()
    Image.fromarray(grey()).save(jpeg, "JPEG", comment=SECRET, quality=90)
    film = dataset(grey())
    film.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    film.PixelData = encapsulate([jpeg.getvalue()])
    film["PixelData"].VR = "OB"
    out = without_patient(written(film), NAMES, "P-1")
    assert SECRET.encode() not in out
    assert decode(out).pixels.shape == grey().shape
