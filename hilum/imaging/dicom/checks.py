"""Warnings for the reader, and the reasons for which a film is not scored."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from hilum.imaging.dicom import header as tags
from hilum.imaging.dicom import values
from hilum.imaging.dicom.kinds import FOR_PROCESSING_CLASS
from hilum.imaging.film import FilmHeader, FilmWarning

_FRONTAL = {"PA", "AP"}
# PS3.3 C.8.1.1's and C.8.11.5's terms, and what machines write instead.
_LATERAL = {"LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT", "L LAT", "R LAT", "LEFT LATERAL", "RIGHT LATERAL"}
_OTHER_VIEWS = {"LLD": "a decubitus", "RLD": "a decubitus", "LLO": "an oblique", "RLO": "an oblique"}
_LATERAL_CODES = {"399173006", "399198007", "R-10236", "R-10232"}  # SNOMED CT and SNOMED RT, CID 4010
# Words of a series' description; with a frontal word beside it ("CHEST PA AND LAT") it describes the whole study.
_LATERAL_WORDS = {"LAT", "LATERAL", "LLAT", "RLAT", "SEITLICH"}
_FRONTAL_WORDS = {"PA", "AP", "FRONTAL"}
_XRAY_MODALITIES = {"CR", "DX", "DR", "RG", "XR", "OT", "SC"}
_CHEST = ("CHEST", "THORAX", "LUNG")
_PATIENT_POSITIONS = {"HFP", "HFS", "HFDR", "HFDL", "FFP", "FFS", "FFDR", "FFDL", "HFV", "FFV"}


def warnings_of(dataset: Dataset, header: FilmHeader, known_class: bool, lossy: bool) -> tuple[FilmWarning, ...]:
    """Every oddity of the header, in a fixed order; a warning never refuses a film."""
    found: list[FilmWarning] = []

    def warn(code: str, text: str) -> None:
        found.append(FilmWarning(code, text))

    if not known_class:
        warn("sop_class", "The header does not name a radiograph's SOP class.")
    if not header.series_uid:
        warn("series_uid", "SeriesInstanceUID (0020,000E) is missing.")
    if not header.patient_id:
        warn("patient_id", "The patient ID is missing; check whose film this is.")
    if not header.modality:
        warn("modality_missing", "The modality is missing.")
    elif header.modality not in _XRAY_MODALITIES:
        warn("modality", f"The modality is {values.quotable(header.modality)}, not that of a radiograph.")
    if not header.body_part:
        warn("body_part_missing", "The body part is missing.")
    elif not any(name in header.body_part for name in _CHEST):
        warn("body_part", f"The body part is {values.quotable(header.body_part)}, not CHEST.")
    found.extend(_view_warnings(dataset, header))
    if values.code(dataset, tags.BURNED_IN) == "YES":
        warn("burned_in", "Text is burned into the film; it may name the patient.")
    if lossy:
        warn("lossy", "The film went through a lossy compression.")
    return tuple(found)


def _view_warnings(dataset: Dataset, header: FilmHeader) -> list[FilmWarning]:
    found = []
    position = header.patient_position
    if position and position not in _PATIENT_POSITIONS | _FRONTAL | _LATERAL | set(_OTHER_VIEWS):
        found.append(FilmWarning("patient_position", f"The patient position is {values.quotable(position)}, unknown."))
    view = header.view_position
    known = _FRONTAL | _LATERAL | set(_OTHER_VIEWS)
    if view and view not in known:
        found.append(FilmWarning("view", f"The view position is {values.quotable(view)}; check that it is frontal."))
    elif not view and position not in known and not _lateral(dataset, header):
        found.append(FilmWarning("view_missing", "The view is missing; the film is taken as frontal."))
    if _row_direction(dataset) == "R":
        found.append(FilmWarning("mirrored", "The header says that the film is stored mirrored, left for right."))
    return found


def _row_direction(dataset: Dataset) -> str:
    """The direction of the rows (PS3.3 C.7.6.1.1.1): L in a frontal film, R in a mirrored, A or P in a lateral one."""
    return values.code(dataset, tags.PATIENT_ORIENTATION)[:1]


def _view(header: FilmHeader) -> str:
    """The view, from the patient position where a machine wrote it there."""
    return header.view_position or header.patient_position


def _lateral(dataset: Dataset, header: FilmHeader) -> bool:
    view = _view(header)
    if view in _LATERAL:
        return True
    if view in _FRONTAL:
        return False
    if any(values.text(item, tags.CODE_VALUE) in _LATERAL_CODES for item in values.items(dataset, tags.VIEW_CODES)):
        return True
    return _row_direction(dataset) in {"A", "P"} or _described_as_lateral(dataset)


def _described_as_lateral(dataset: Dataset) -> bool:
    words = set(re.split(r"[^A-Z]+", values.text(dataset, tags.SERIES_DESCRIPTION).upper()))
    return bool(words & _LATERAL_WORDS) and not words & _FRONTAL_WORDS


def names_a_lateral(view: str) -> bool:
    """Whether `view`, as a person or a machine writes it, is a lateral one."""
    return view.strip().upper() in _LATERAL


def names_a_frontal(view: str) -> bool:
    """Whether `view` is PA or AP."""
    return view.strip().upper() in _FRONTAL


def unscorable(dataset: Dataset, header: FilmHeader) -> str | None:
    """Why a model trained on frontal films for presentation must not score this one; None where it may."""
    if header.presentation_intent == "FOR PROCESSING" or header.sop_class_uid == FOR_PROCESSING_CLASS:
        return "The film is raw detector data: its Presentation Intent Type is FOR PROCESSING."
    if _lateral(dataset, header):
        return "The film is a lateral view; only frontal films are scored."
    other = _OTHER_VIEWS.get(_view(header))
    if other is not None:
        return f"The film is {other} view; only frontal films are scored."
    return None
