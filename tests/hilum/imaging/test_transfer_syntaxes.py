"""Every transfer syntax: films encoded here and decoded again, and every file of pydicom and pydicom-data."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from hilum.imaging import BadFilm, Limits, decode
from hilum.imaging.dicom.geometry import TAGS, read_geometry
from hilum.imaging.dicom.part10 import read_part10
from hilum.imaging.dicom.pixels import stored_values
from tests.hilum.imaging.bodies import (
    PYDICOM,
    compressed,
    compressed_by_gdcm,
    dataset,
    grey,
    large_grey,
    pydicom_data,
    sample,
    written,
)

BY_GDCM = {
    "JPEG lossless, any predictor": JPEGLossless,
    "JPEG lossless, first order": JPEGLosslessSV1,
    "JPEG-LS lossless": JPEGLSLossless,
    "JPEG-LS near lossless": JPEGLSNearLossless,
    "JPEG 2000 lossless": JPEG2000Lossless,
    "JPEG 2000": JPEG2000,
    "RLE": RLELossless,
    "deflated": DeflatedExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
}
# Every file there is, by name; a file of both places is taken from pydicom itself.
FILES = {path.name: path for folder in (pydicom_data(), PYDICOM) for path in sorted(folder.glob("*")) if path.is_file()}
# One grey frame of 8 or 16 bits that pydicom decodes as well: here the pixels are compared one by one.
COMPARED = (
    *("693_J2KI.dcm", "693_J2KR.dcm", "693_UNCI.dcm", "693_UNCR.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm"),
    *("JPEG-LL.dcm", "JPEG2000.dcm", "JPEG2000_UNC.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm", "MR2_J2KI.dcm"),
    *("MR2_J2KR.dcm", "MR2_UNCI.dcm", "MR2_UNCR.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm"),
    *("MR_small_expb.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"),
    *("MR_small_padded.dcm", "RG1_J2KI.dcm", "RG1_J2KR.dcm", "RG1_UNCI.dcm", "RG1_UNCR.dcm", "RG3_J2KI.dcm"),
    *("RG3_J2KR.dcm", "RG3_UNCI.dcm", "RG3_UNCR.dcm", "image_dfl.dcm", "mlut_18.dcm", "vlut_04.dcm"),
    *("MR-SIEMENS-DICOM-WithOverlays.dcm", "bad_sequence.dcm", "examples_overlay.dcm", "explicit_VR-UN.dcm"),
)


def film_of(bits: int) -> pydicom.Dataset:
    """The real film in 8, 12 or 16 bits."""
    window = {"WindowCenter": 1 << (bits - 1), "WindowWidth": 1 << bits}
    pixels = grey() if bits == 8 else (grey().astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)
    return dataset(pixels, BitsStored=bits, **window)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("name", BY_GDCM)
def test_a_film_encoded_by_gdcm_comes_back_exactly(name: str, bits: int, tmp_path: Path) -> None:
    body = written(film_of(bits))
    encoded = compressed_by_gdcm(body, BY_GDCM[name], tmp_path)
    assert encoded != body
    assert np.array_equal(decode(encoded).pixels, decode(body).pixels)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_a_film_encoded_by_pydicom_comes_back_exactly(syntax: str, bits: int) -> None:
    film = film_of(bits)
    reference = decode(written(film)).pixels
    assert np.array_equal(decode(compressed(film, syntax)).pixels, reference)


@pytest.mark.parametrize(
    ("bits", "syntax"),
    [(8, JPEGBaseline8Bit), (8, JPEGExtended12Bit), (12, JPEGExtended12Bit)],
)
def test_a_lossy_jpeg_film_comes_back_closely_and_says_so(bits: int, syntax: str, tmp_path: Path) -> None:
    body = written(film_of(bits))
    film = decode(compressed_by_gdcm(body, syntax, tmp_path))
    assert film.lossy
    assert "lossy" in {warning.code for warning in film.warnings}
    assert np.abs(film.pixels - decode(body).pixels).max() < 2.5 / 255


@pytest.mark.parametrize(("bits", "name"), [(8, "htj2k.jhc"), (12, "htj2k_12bit.jhc")])
def test_high_throughput_jpeg_2000_is_read(bits: int, name: str) -> None:
    """OpenJPH (by way of imagecodecs 2026.3.6) made the streams from the same sample film."""
    pixels = grey() if bits == 8 else grey().astype(np.uint16) * 16
    film = dataset(pixels, BitsStored=bits, WindowCenter=1 << (bits - 1), WindowWidth=1 << bits)
    reference = decode(written(film)).pixels
    film.file_meta.TransferSyntaxUID = HTJ2KLossless
    film.PixelData = encapsulate([(Path(__file__).parent / "data" / name).read_bytes()])
    film["PixelData"].VR = "OB"
    film["PixelData"].is_undefined_length = True
    assert np.array_equal(decode(written(film)).pixels, reference)


@pytest.fixture(scope="module")
def read_by_pydicom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pixels of `COMPARED` as pydicom reads them, in a process of its own: there it may use GDCM."""
    folder = tmp_path_factory.mktemp("pydicom")
    code = (
        "import sys, numpy, pydicom, pathlib\n"
        "for path in map(pathlib.Path, sys.argv[2:]):\n"
        "    numpy.save(f'{sys.argv[1]}/{path.name}.npy', pydicom.dcmread(path).pixel_array)\n"
    )
    paths = [str(FILES[name]) for name in COMPARED]
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(folder), *paths], check=True)
    return folder


@pytest.mark.parametrize("name", COMPARED)
def test_stored_values_are_those_that_pydicom_reads(name: str, read_by_pydicom: Path) -> None:
    body = FILES[name].read_bytes()
    part10 = read_part10(body, TAGS, Limits())
    geometry = read_geometry(part10.dataset, Limits())
    ours = stored_values(part10.dataset, part10.transfer_syntax_uid, geometry)
    assert np.array_equal(ours, np.load(read_by_pydicom / f"{name}.npy"))


def test_12_bit_lossy_jpeg_agrees_with_the_lossless_file_of_the_same_picture() -> None:
    lossy, lossless = decode(FILES["JPGExtended.dcm"].read_bytes()), decode(FILES["JPEG-LL.dcm"].read_bytes())
    assert np.corrcoef(lossy.pixels.ravel(), lossless.pixels.ravel())[0, 1] > 0.98  # 76:1


def test_the_four_encodings_of_the_adult_film_show_the_same() -> None:
    films = {name: decode(FILES[f"RG1_{name}.dcm"].read_bytes()) for name in ("UNCR", "J2KR", "UNCI", "J2KI")}
    assert np.array_equal(films["UNCR"].pixels, films["J2KR"].pixels)
    assert np.array_equal(films["UNCI"].pixels, films["J2KI"].pixels)
    assert np.abs(films["UNCR"].pixels - films["J2KI"].pixels).mean() < 0.01
    assert [films[name].lossy for name in films] == [False, False, True, True]


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_pydicom_is_decoded_or_refused_with_a_reason(name: str) -> None:
    body = FILES[name].read_bytes()
    try:
        film = decode(body)
    except BadFilm as error:
        assert error.status in {400, 413, 415, 422}
        assert str(error).endswith(".")
    else:
        assert film.pixels.min() >= 0.0
        assert film.pixels.max() <= 1.0


def test_the_decoded_files_of_pydicom_cover_every_kind_of_syntax() -> None:
    read = set()
    for path in FILES.values():
        try:
            film = decode(path.read_bytes())
        except BadFilm:
            continue
        assert film.header is not None
        read.add(film.header.transfer_syntax_uid)
    assert {
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        DeflatedExplicitVRLittleEndian,
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.51",
        "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.91",
    } <= read


def test_a_stream_in_many_fragments_is_read() -> None:
    film = dataset(large_grey())
    reference = decode(written(film)).pixels
    compressed(film, JPEG2000Lossless)
    stream = pydicom.encaps.get_frame(film.PixelData, 0, number_of_frames=1)
    film.PixelData = encapsulate([stream], fragments_per_frame=100, has_bot=False)
    film["PixelData"].VR = "OB"
    film["PixelData"].is_undefined_length = True
    assert np.array_equal(decode(written(film)).pixels, reference)


def test_threads_get_the_same_pixels_as_one_after_the_other(tmp_path: Path) -> None:
    bodies = [compressed_by_gdcm(written(film_of(12)), syntax, tmp_path) for syntax in BY_GDCM.values()]
    bodies += [sample("nih_test1.dcm"), sample("nih_test2.dcm"), sample("kermany_IM-0122-0001.jpeg")]
    alone = [decode(body).pixels for body in bodies]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda body: decode(body).pixels, bodies * 2))
    assert all(np.array_equal(pixels, alone[n % len(bodies)]) for n, pixels in enumerate(together))
