"""What a result takes over from its film: whose and which study it is, in values that the standard allows."""

from __future__ import annotations

import re
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset

from services.web.names import clean

# (keyword, longest text, form) of the patient and study modules.
_TEXTS = (
    ("PatientID", 64, r".*"),
    ("IssuerOfPatientID", 64, r".*"),
    ("PatientBirthDate", 8, r"\d{8}|"),
    ("PatientSex", 1, r"[MFO]|"),
    ("AccessionNumber", 16, r".*"),
    ("StudyID", 16, r".*"),
    ("StudyDate", 8, r"\d{8}|"),
    ("StudyTime", 13, r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?|"),
    ("StudyDescription", 64, r".*"),
    ("BurnedInAnnotation", 3, r"YES|NO|"),
)
# They pass through, and are kept in no row.
_NAMES = ("PatientName", "ReferringPhysicianName")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


def source_of(data: bytes) -> Dataset:
    """The clean identity of the film `data`; texts that the standard does not allow become empty."""
    film = pydicom.dcmread(
        BytesIO(data), stop_before_pixels=True, force=True,
        specific_tags=[*(keyword for keyword, _, _ in _TEXTS), *_NAMES, *_UIDS, "SpecificCharacterSet"],
    )  # fmt: skip
    found = Dataset()
    found.SpecificCharacterSet = "ISO_IR 192"
    for keyword, longest, form in _TEXTS:
        text = _text(film, keyword).replace("\\", "/")
        setattr(found, keyword, text if len(text) <= longest and re.fullmatch(form, text) else "")
    for keyword in _NAMES:
        groups = [clean(part, 64) for part in _text(film, keyword).replace("\\", "/").split("=")[:3]]
        setattr(found, keyword, "=".join(groups))
    for keyword in _UIDS:
        setattr(found, keyword, _text(film, keyword))
    if not found.SeriesInstanceUID:
        found.SeriesInstanceUID = found.StudyInstanceUID
    found.Rows, found.Columns = 1, 1
    return found


def _text(film: Dataset, keyword: str) -> str:
    try:
        value = film.get(keyword, "")
        return clean(str(value), 200)
    # pydicom converts lazily, and raises whatever a damaged value leads to.
    except Exception:
        return ""
