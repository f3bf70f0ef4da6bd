"""Every bad input gets an error of its own, with a status and a sentence that says what to do."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from hilum.imaging import (
    BadFilm,
    ColourImage,
    DamagedFilm,
    EmptyFile,
    FilmTooLarge,
    FilmTooSmall,
    Limits,
    MissingTag,
    NoPixels,
    NotAnImage,
    NotAnImageObject,
    NotARadiograph,
    SeveralFrames,
    TruncatedFilm,
    UnsupportedEncoding,
    decode,
)
from tests.hilum.imaging.bodies import (
    PYDICOM,
    ROOT,
    compressed,
    dataset,
    dicom,
    grey,
    large_grey,
    picture,
    pydicom_data,
    sample,
    written,
)

PIXEL_DATA = b"\xe0\x7f\x10\x00"


def refused(body: bytes, error: type[BadFilm], status: int, limits: Limits | None = None) -> str:
    """The sentence with which `body` is refused."""
    with pytest.raises(BadFilm) as caught:
        decode(body, limits or Limits())
    assert type(caught.value) is error
    assert caught.value.status == status
    assert str(caught.value).endswith(".")
    return str(caught.value)


def png_bomb(side: int) -> bytes:
    """A real, whole PNG of `side` x `side` black pixels at one bit each."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes((side // 8 + 1) * side), 1)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_an_empty_file_is_refused() -> None:
    refused(b"", EmptyFile, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"This is a letter, not a film. " * 20,
        b"x",
        "ein Brief mit Umlauten äöü".encode(),
        b"\0" * 5000,
        b"GIF89a" + b"\0" * 100,
        b"PK\x03\x04" + b"\0" * 100,
        b"%PDF-1.7 " + b"\0" * 100,
        b"{" + b'"a": 1, ' * 100,
    ],
    ids=["letter", "one byte", "umlauts", "zeros", "gif", "zip", "pdf", "json"],
)
def test_what_is_no_image_is_refused_whatever_its_name(body: bytes) -> None:
    refused(body, NotAnImage, 415)


def test_an_archive_is_named_as_one() -> None:
    assert "unpack" in refused(b"PK\x03\x04" + b"\0" * 100, NotAnImage, 415)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["baseline jpeg", "progressive jpeg", "png"])
def test_a_truncated_picture_is_refused(kind: str, kept: float) -> None:
    bodies = {
        "baseline jpeg": picture(grey(), "JPEG", quality=90),
        "progressive jpeg": picture(grey(), "JPEG", quality=90, progressive=True),
        "png": picture(grey()),
    }
    body = bodies[kind]
    decode(body)
    refused(body[: int(len(body) * kept)], TruncatedFilm, 400)


def test_a_picture_without_its_last_bytes_is_refused() -> None:
    refused(picture(grey(), "JPEG")[:-2], TruncatedFilm, 400)
    refused(picture(grey())[:-12], TruncatedFilm, 400)


def test_a_png_with_a_flipped_bit_is_refused() -> None:
    body = bytearray(picture(grey()))
    body[len(body) // 2] ^= 1
    refused(bytes(body), DamagedFilm, 400)


def test_a_jpeg_with_thousands_of_scans_is_refused() -> None:
    body = picture(grey(), "JPEG", progressive=True)
    scan = body.rindex(b"\xff\xda")
    refused(body[:scan] + body[scan:-2] * 100 + b"\xff\xd9", DamagedFilm, 400)


def test_a_png_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_bomb(40_000))
    code = (
        "import resource, sys; from hilum.imaging import decode, FilmTooLarge\n"
        "body = open(sys.argv[1], 'rb').read()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: decode(body)\n"
        "except FilmTooLarge as error: print(error.status)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(bomb)], cwd=ROOT, capture_output=True, text=True, check=True)
    status, grown_kb = done.stdout.split()
    assert int(status) == FilmTooLarge.status == 413
    assert int(grown_kb) < 20_000


def test_the_size_limit_is_a_setting_and_holds_for_every_kind() -> None:
    limits = Limits(max_pixels=128 * 128 - 1)
    for body in (picture(grey()), picture(grey(), "JPEG"), dicom()):
        refused(body, FilmTooLarge, 413, limits)
        decode(body, Limits(max_pixels=128 * 128))


def test_a_dicom_header_that_promises_too_many_pixels_is_refused() -> None:
    refused(dicom(Rows=65_000, Columns=65_000), FilmTooLarge, 413)


def test_a_deflated_dicom_bomb_is_refused() -> None:
    film = dataset(np.zeros((2000, 2000), np.uint16))
    film.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    body = written(film)
    assert len(body) < 20_000
    refused(body, FilmTooLarge, 413, Limits(max_inflated_bytes=1_000_000))


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_a_compressed_stream_larger_than_its_header_says_is_refused(syntax: str) -> None:
    film = dataset(large_grey())
    compressed(film, syntax)
    film.Rows, film.Columns = 64, 64
    refused(written(film), DamagedFilm, 400)


def test_an_rle_stream_is_decoded_no_further_than_its_header_says() -> None:
    film = dataset(grey()[:64])
    bomb = struct.pack("<II", 1, 64).ljust(64, b"\0") + b"\x81\x40" * 3_000_000
    film.file_meta.TransferSyntaxUID = RLELossless
    film.PixelData = encapsulate([bomb])
    film["PixelData"].VR = "OB"
    film["PixelData"].is_undefined_length = True
    tracemalloc.start()
    decoded = decode(written(film))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (decoded.pixels == np.float32(0x40 / 255)).all()
    assert peak < 60_000_000


@pytest.mark.parametrize("side", [1, 31])
def test_a_tiny_picture_is_refused(side: int) -> None:
    pixels = grey()[:side, :side].copy()
    for body in (picture(pixels), picture(pixels, "JPEG"), dicom(pixels)):
        refused(body, FilmTooSmall, 422)


def test_a_colour_photograph_is_refused() -> None:
    photograph = np.stack([grey(), grey()[::-1], grey()[:, ::-1]], axis=-1)
    for body in (picture(photograph), picture(photograph, "JPEG"), dicom(photograph)):
        refused(body, ColourImage, 422)


def test_an_animation_is_refused() -> None:
    first, second = Image.fromarray(grey()), Image.fromarray(255 - grey())
    stream = BytesIO()
    first.save(stream, "PNG", save_all=True, append_images=[second])
    refused(stream.getvalue(), SeveralFrames, 422)


def test_a_multi_frame_dicom_is_refused() -> None:
    cine = np.stack([grey(), grey()])
    body = written(dataset(grey(), NumberOfFrames=2, PixelData=cine.tobytes()))
    assert "2 frames" in refused(body, SeveralFrames, 422)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CT_small.dcm", "CT slice"),
        ("693_J2KI.dcm", "CT slice"),
        ("MR_small.dcm", "MR image"),
        ("MR_small_bigendian.dcm", "MR image"),
        ("examples_rgb_color.dcm", "ultrasound"),
    ],
)
def test_an_image_of_another_kind_is_named_and_refused(name: str, words: str) -> None:
    assert words in refused((PYDICOM / name).read_bytes(), NotARadiograph, 422)


@pytest.mark.parametrize(
    ("sop_class", "words"),
    [
        ("1.2.840.10008.5.1.4.1.1.1.2", "mammogram"),
        ("1.2.840.10008.5.1.4.1.1.1.3.1", "intra-oral"),
        ("1.2.840.10008.5.1.4.1.1.12.1", "angiography"),
        ("1.2.840.10008.5.1.4.1.1.128", "PET"),
        ("1.2.840.10008.5.1.4.1.1.20", "nuclear"),
        ("1.2.840.10008.5.1.4.1.1.2.1", "CT slice"),
        ("1.2.840.10008.5.1.4.1.1.77.1.4", "photograph"),
        ("1.2.840.10008.5.1.4.1.1.14.1", "Coherence"),
    ],
)
def test_other_storage_classes_are_named_and_refused(sop_class: str, words: str) -> None:
    assert words in refused(dicom(SOPClassUID=sop_class), NotARadiograph, 422)


@pytest.mark.parametrize(
    ("sop_class", "words"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", "structured report"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "key object selection"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "presentation state"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "encapsulated document"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "segmentation"),
    ],
)
def test_a_dicom_document_is_named_and_refused(sop_class: str, words: str) -> None:
    assert words in refused(dicom(SOPClassUID=sop_class, PixelData=None), NotAnImageObject, 422)


def test_real_documents_are_refused() -> None:
    for name in ("reportsi.dcm", "test-SR.dcm", "rtplan.dcm", "waveform_ecg.dcm", "rtdose_rle.dcm"):
        refused((PYDICOM / name).read_bytes(), NotAnImageObject, 422)
    refused((pydicom_data() / "liver.dcm").read_bytes(), NotAnImageObject, 422)


def test_a_dicom_without_pixels_is_refused() -> None:
    refused(dicom(PixelData=None), NoPixels, 422)


def test_float_pixels_are_refused() -> None:
    film = dataset(grey(), PixelData=None, FloatPixelData=grey().astype("<f4").tobytes())
    refused(written(film), UnsupportedEncoding, 415)


def test_32_bit_pixels_are_refused() -> None:
    refused(dicom(grey().astype(np.uint32)), UnsupportedEncoding, 415)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SOPInstanceUID"])
def test_a_missing_uid_is_refused_and_its_tag_named(keyword: str) -> None:
    tag = {"StudyInstanceUID": "(0020,000D)", "SOPInstanceUID": "(0008,0018)"}[keyword]
    film = dataset(grey(), **{keyword: None})
    assert tag in refused(written(film, enforce_file_format=False), MissingTag, 422)


@pytest.mark.parametrize("value", ["", "not a uid", "1.2.abc", "1." * 40 + "1", "1..2 3"])
def test_a_study_uid_that_is_none_is_refused(value: str) -> None:
    assert "(0020,000D)" in refused(dicom(StudyInstanceUID=value), MissingTag, 422)


@pytest.mark.parametrize("kept", [0.001, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("syntax", ["native", JPEG2000Lossless, JPEGLSLossless, RLELossless, "deflated"])
def test_a_truncated_dicom_is_refused(syntax: str, kept: float) -> None:
    film = dataset(large_grey())
    if syntax == "deflated":
        film.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    body = written(film) if syntax in {"native", "deflated"} else compressed(film, syntax)
    decode(body)
    cut = max(int(len(body) * kept), 400)
    with pytest.raises((DamagedFilm, NoPixels)) as caught:
        decode(body[:cut])
    assert caught.value.status in {400, 422}


def test_a_transfer_syntax_that_is_not_read_is_refused() -> None:
    film = dataset(grey())
    body = written(film).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0", 1)
    assert "transfer syntax" in refused(body, UnsupportedEncoding, 415)


def test_a_header_of_endless_elements_is_refused() -> None:
    film = dataset(grey())
    body = written(film)
    at = body.index(b"\x08\x00\x16\x00UI")
    filler = struct.pack("<HH2sH", 0x0008, 0x0010, b"SH", 0) * 100_000
    assert "too many" in refused(body[:at] + filler + body[at:], DamagedFilm, 400)


def test_small_pieces_without_end_are_refused_soon() -> None:
    """Files of some megabytes that took minutes before the number of their pieces was limited."""
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    lut = struct.pack("<HH2sHI", 0x0028, 0x3010, b"SQ", 0, 0xFFFFFFFF)
    body = dicom()
    at = body.index(PIXEL_DATA)
    png, chunk = picture(grey()), b"\0\0\0\0abCd" + struct.pack(">I", zlib.crc32(b"abCd"))
    refused(body[:at] + lut + item * 300_000 + end + body[at:], DamagedFilm, 400)
    refused(png[:33] + chunk * 300_000 + png[33:], DamagedFilm, 400)
    for piece in (b"\xff", b"\xff\xd0", b"\xff\x00", b"\xff\xe0\0\2"):
        with pytest.raises(DamagedFilm):
            decode(b"\xff\xd8\xff" + piece * 3_000_000)


def test_a_header_nested_without_end_is_refused() -> None:
    opened = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    body = dicom()
    at = body.index(b"\x08\x00\x16\x00UI")
    refused(body[:at] + opened * 20_000 + body[at:], DamagedFilm, 400)


def test_no_error_quotes_the_patient() -> None:
    secrets = {"PatientName": "Zzyzx^Quentin", "PatientID": "P-17-SECRET", "InstitutionName": "Zzyzx Clinic"}
    bodies = [
        dicom(StudyInstanceUID="P-17-SECRET", **secrets),
        dicom(Rows=0, **secrets),
        dicom(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", **secrets),
        dicom(PixelData=b"\0" * 10, **secrets),
        dicom(BitsAllocated=7, **secrets),
    ]
    for body in bodies:
        with pytest.raises(BadFilm) as caught:
            decode(body)
        shown = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.title}"
        assert "Zzyzx" not in shown
        assert "SECRET" not in shown


def test_a_blank_film_is_kept_and_not_scored() -> None:
    for body in (picture(np.full((64, 64), 90, np.uint8)), dicom(np.full((64, 64), 900, np.uint16))):
        assert "blank" in str(decode(body).unscorable)
    assert decode(sample("nih_00001350_000.jpg")).unscorable is None


def test_an_error_has_one_name_on_the_wire_for_every_service() -> None:
    assert NotARadiograph("").kind == "not-a-radiograph"
    assert EmptyFile("").kind == "empty-file"
