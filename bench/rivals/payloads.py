"""What is sent: a JPEG of some 300 kB, a PNG of 1 MB, a 16-bit DICOM of 2 MB, and one film's tensor."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from hilum.imaging import decode
from hilum.settings import REPOSITORY


def _film(side: int) -> np.ndarray:
    film = decode((REPOSITORY / "samples" / "nih_test1.dcm").read_bytes())
    image = Image.fromarray(film.pixels).resize((side, side), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(image, dtype=np.float32), 0.0, 1.0)


def jpeg() -> bytes:
    """A JPEG nearest to 300 kB: the sample film at 2048 px, by quality."""
    image = Image.fromarray((_film(2048) * 255).astype(np.uint8))
    made = []
    for quality in range(60, 97, 3):
        stream = BytesIO()
        image.save(stream, "JPEG", quality=quality)
        made.append(stream.getvalue())
    return min(made, key=lambda data: abs(len(data) - 300_000))


def png() -> bytes:
    """A PNG nearest to 1 MB, by size in pixels."""
    made = []
    for side in range(1024, 2049, 128):
        stream = BytesIO()
        Image.fromarray((_film(side) * 255).astype(np.uint8)).save(stream, "PNG")
        made.append(stream.getvalue())
    return min(made, key=lambda data: abs(len(data) - 1_000_000))


def dicom() -> bytes:
    """A 16-bit DX film of 1024 x 1024 pixels, uncompressed."""
    stored = np.rint(_film(1024) * 4095).astype("<u2")
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = Dataset()
    data.file_meta = meta
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.Modality, data.BodyPartExamined, data.ViewPosition = "DX", "CHEST", "PA"
    data.PatientID = "BENCH"
    data.Rows, data.Columns = stored.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PresentationIntentType = "FOR PRESENTATION"
    data.PixelData = stored.tobytes()
    stream = BytesIO()
    pydicom.dcmwrite(stream, data, enforce_file_format=True)
    return stream.getvalue()
