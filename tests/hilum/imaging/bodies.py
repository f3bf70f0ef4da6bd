"""Bodies of films for the tests, made from real sample films: DICOM with any header, compressed in any way."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "samples"
PYDICOM = Path(pydicom.__file__).parent / "data" / "test_files"
COMPUTED_RADIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1"


def pydicom_data() -> Path:
    """The folder of the package pydicom-data."""
    found = find_spec("data_store")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "data"


def sample(name: str) -> bytes:
    """A file of samples/."""
    return (SAMPLES / name).read_bytes()


@cache
def grey() -> npt.NDArray[np.uint8]:
    """A real film, 128 x 128, 8 bits."""
    with Image.open(SAMPLES / "nih_00001350_000.jpg") as image:
        return np.asarray(image.convert("L"))


@cache
def large_grey() -> npt.NDArray[np.uint8]:
    """A real film, 1024 x 1024, 8 bits."""
    return np.asarray(pydicom.dcmread(SAMPLES / "nih_test2.dcm").pixel_array, dtype=np.uint8)


def picture(pixels: npt.NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    """`pixels` as a PNG or JPEG body."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def dataset(pixels: npt.NDArray[Any], **changes: Any) -> Dataset:
    """A computed radiograph with fresh UIDs and nothing odd about it; `changes` by keyword, None removes one."""
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    bits = pixels.dtype.itemsize * 8
    values: dict[str, Any] = {
        "SOPClassUID": COMPUTED_RADIOGRAPHY,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "PatientName": "Zzyzx^Quentin",
        "PatientID": "P-17",
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "SamplesPerPixel": 1 if pixels.ndim == 2 else pixels.shape[2],
        "PhotometricInterpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": max(changes.get("BitsStored", bits), 1) - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": pixels.tobytes(),
        **({} if pixels.ndim == 2 else {"PlanarConfiguration": 0}),
        **changes,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(film, keyword, value)
    if "PixelData" in film:
        film["PixelData"].VR = "OW"
    return film


def written(film: Dataset, **options: Any) -> bytes:
    """`film` as a DICOM file."""
    if "SOPClassUID" in film and "SOPInstanceUID" in film:
        film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID
        film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    stream = BytesIO()
    pydicom.dcmwrite(stream, film, **{"enforce_file_format": "SOPInstanceUID" in film, **options})
    return stream.getvalue()


def dicom(pixels: npt.NDArray[Any] | None = None, **changes: Any) -> bytes:
    """A DICOM file of `dataset`."""
    return written(dataset(grey() if pixels is None else pixels, **changes))


def compressed(film: Dataset, syntax: str) -> bytes:
    """`film` in one of pydicom's own compressed syntaxes: JPEG 2000, JPEG-LS or RLE."""
    plugin = {JPEG2000Lossless: "pylibjpeg", JPEGLSLossless: "pyjpegls", RLELossless: "pydicom"}[syntax]
    film.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
    return written(film)


GDCM_ENCODER = """
import sys, gdcm
syntax, before, after = sys.argv[1:]
reader = gdcm.ImageReader()
reader.SetFileName(before)
assert reader.Read()
change = gdcm.ImageChangeTransferSyntax()
change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
change.SetInput(reader.GetImage())
assert change.Change()
writer = gdcm.ImageWriter()
writer.SetFileName(after)
writer.SetFile(reader.GetFile())
writer.SetImage(change.GetOutput())
assert writer.Write()
"""


def compressed_by_gdcm(body: bytes, syntax: str, folder: Path) -> bytes:
    """`body` in the transfer syntax `syntax` (a UID); in a process of its own, see hilum/imaging/without_gdcm.py."""
    before, after = folder / "before.dcm", folder / "after.dcm"
    before.write_bytes(body)
    subprocess.run([sys.executable, "-I", "-c", GDCM_ENCODER, syntax, str(before), str(after)], check=True)
    return after.read_bytes()
