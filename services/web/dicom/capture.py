"""A heat map as a secondary capture: the film with the map over it, and what it is burnt in."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from services.web.dicom.facts import HEAT_SERIES, MANUFACTURER, SECONDARY_CAPTURE
from services.web.dicom.report import device_uid
from services.web.names import derived_uid

SERIES_NUMBER = 9902
LONGEST_SIDE = 1024
# Below this the text would not be readable.
SHORTEST_WIDTH = 512
OPACITY = 0.5
_TAKEN_OVER = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "StudyDescription", "ReferringPhysicianName", "StudyInstanceUID"),
)


def make_capture(
    source: Dataset,
    film_png: bytes,
    heat_png: bytes,
    *,
    uid: str,
    version: int,
    finding: str,
    release: dict[str, str],
    made_at: datetime,
) -> bytes:
    """The picture as a DICOM file. `film_png` is the film as shown, `heat_png` the map with transparency."""
    pixels = _picture(film_png, heat_png, finding, f"{release['name']} {release['version']}")
    capture = Dataset()
    capture.file_meta = FileMetaDataset()
    capture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    capture.SpecificCharacterSet = "ISO_IR 192"
    for keyword in _TAKEN_OVER:
        setattr(capture, keyword, source.get(keyword, ""))
    capture.SOPClassUID, capture.SOPInstanceUID = SECONDARY_CAPTURE, uid
    capture.SeriesInstanceUID = derived_uid("heat-series", str(source.StudyInstanceUID))
    capture.SeriesNumber, capture.InstanceNumber = SERIES_NUMBER, version
    capture.SeriesDescription = f"{HEAT_SERIES}, influence, not location"
    capture.Modality, capture.ConversionType, capture.ImageType = "OT", "WSD", ["DERIVED", "SECONDARY"]
    capture.DerivationDescription = f"Heat map of {finding} over the film: influence on the score, not location"
    capture.Manufacturer, capture.ManufacturerModelName = MANUFACTURER, release["name"][:64]
    capture.SoftwareVersions = [release["version"][:64]]
    capture.DeviceSerialNumber, capture.DeviceUID = release["digest"], device_uid(release["digest"])
    capture.ContentDate, capture.ContentTime = made_at.strftime("%Y%m%d"), made_at.strftime("%H%M%S")
    capture.BurnedInAnnotation = "YES" if source.get("BurnedInAnnotation") == "YES" else "NO"
    capture.PatientOrientation = ""
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    capture.SourceImageSequence = [reference]
    capture.SamplesPerPixel, capture.PhotometricInterpretation, capture.PlanarConfiguration = 3, "RGB", 0
    capture.Rows, capture.Columns = pixels.shape[:2]
    capture.BitsAllocated, capture.BitsStored, capture.HighBit, capture.PixelRepresentation = 8, 8, 7, 0
    data = pixels.tobytes()
    capture.PixelData = data + b"\0" * (len(data) % 2)
    capture["PixelData"].VR = "OB"
    capture.file_meta.MediaStorageSOPClassUID = SECONDARY_CAPTURE
    capture.file_meta.MediaStorageSOPInstanceUID = uid
    stream = BytesIO()
    pydicom.dcmwrite(stream, capture, enforce_file_format=True)
    return stream.getvalue()


def _picture(film_png: bytes, heat_png: bytes, finding: str, release: str) -> npt.NDArray[np.uint8]:
    """(rows, columns, 3): the film, 512 to 1024 pixels wide, the map over it, and a band of text below."""
    with Image.open(BytesIO(film_png)) as opened:
        film = opened.convert("RGB")
    film.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if film.width < SHORTEST_WIDTH:
        film = film.resize(
            (SHORTEST_WIDTH, round(film.height * SHORTEST_WIDTH / film.width)), Image.Resampling.BILINEAR
        )
    with Image.open(BytesIO(heat_png)) as opened:
        heat = opened.convert("RGBA").resize(film.size, Image.Resampling.BILINEAR)
    heat.putalpha(heat.getchannel("A").point(lambda alpha: int(alpha * OPACITY)))
    film.paste(heat, mask=heat)
    lines = (
        f"Heat map: {finding}. INFLUENCE, NOT LOCATION.",
        f"Hilum {release}. Unverified. Not for primary diagnosis.",
    )
    size = max(9, film.width // 44)
    font = ImageFont.load_default(size)
    band = Image.new("RGB", (film.width, film.height + len(lines) * (size + size // 2) + size // 2))
    band.paste(film)
    draw = ImageDraw.Draw(band)
    for number, line in enumerate(lines):
        draw.text((size // 2, film.height + size // 4 + number * (size + size // 2)), line, (255, 255, 255), font=font)
    return np.asarray(band, dtype=np.uint8)
