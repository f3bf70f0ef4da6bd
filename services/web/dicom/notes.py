"""Key object selection documents that reject films (IHE Imaging Object Change Management, RAD TF-3 4.66)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from hilum.imaging import BadFilm, Limits
from hilum.imaging.dicom import values
from hilum.imaging.dicom.part10 import read_part10
from services.web.names import is_uid

NOTE_CLASS = "1.2.840.10008.5.1.4.1.1.88.59"
# DICOM PS3.16 CID 7011 "Rejected for Quality Reasons" and its siblings.
REASONS = {
    "113001": "rejected for quality reasons",
    "113037": "rejected for patient safety reasons",
    "113038": "taken under a wrong worklist entry",
    "113039": "its time of keeping has ended",
}
MAX_FILMS = 1000


def _tag(keyword: str) -> int:
    return int(tag_for_keyword(keyword) or 0)


_TITLE, _CODE, _SCHEME = _tag("ConceptNameCodeSequence"), _tag("CodeValue"), _tag("CodingSchemeDesignator")
_EVIDENCE = (_tag("CurrentRequestedProcedureEvidenceSequence"), _tag("PertinentOtherEvidenceSequence"))
_STUDY, _SERIES, _FILMS = _tag("StudyInstanceUID"), _tag("ReferencedSeriesSequence"), _tag("ReferencedSOPSequence")
_FILM = _tag("ReferencedSOPInstanceUID")


@dataclass(frozen=True)
class Rejection:
    """What a note rejects: (study uid, film uid) pairs, and why."""

    code: str
    reason: str
    films: tuple[tuple[str, str], ...]


def read_rejection(data: bytes) -> Rejection | None:
    """The rejection that a key object note says, None where it is of another kind (for referring, for teaching ...)."""
    try:
        dataset = read_part10(data, frozenset({_TITLE, *_EVIDENCE}), Limits()).dataset
    except BadFilm:
        return None
    codes = [values.text(item, _CODE) for item in values.items(dataset, _TITLE) if values.text(item, _SCHEME) == "DCM"]
    code = next((code for code in codes if code in REASONS), None)
    if code is None:
        return None
    films = [
        (values.uid(study, _STUDY), values.uid(film, _FILM))
        for tag in _EVIDENCE
        for study in values.items(dataset, tag)
        for series in values.items(study, _SERIES)
        for film in values.items(series, _FILMS)
    ]
    named = [pair for pair in dict.fromkeys(films) if is_uid(pair[0]) and is_uid(pair[1])]
    return Rejection(code, REASONS[code], tuple(named[:MAX_FILMS]))
