"""What is kept of a DICOM object's header for queries: cleaned texts by keyword, never the patient's name."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from hilum.imaging import BadFilm, Limits
from hilum.imaging.dicom import looks_like_dicom, values
from hilum.imaging.dicom.kinds import is_document
from hilum.imaging.dicom.part10 import read_part10
from services.web.names import clean, is_uid

# Texts that QIDO-RS gives back, beside UIDs; at most 64 characters each, without control characters.
KEYWORDS = (
    *("StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber"),
    *("PatientID", "IssuerOfPatientID", "PatientSex"),
    *("Modality", "SeriesDescription", "SeriesNumber", "BodyPartExamined", "Laterality", "Manufacturer"),
    *("InstanceNumber", "Rows", "Columns", "BitsAllocated", "BitsStored", "NumberOfFrames", "ViewPosition"),
    *("PhotometricInterpretation", "ContentLabel"),
)
_TAGS = {keyword: int(tag_for_keyword(keyword) or 0) for keyword in KEYWORDS}
_UIDS = {name: int(tag_for_keyword(name) or 0)
         for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")}  # fmt: skip
_WANTED = frozenset(_TAGS.values()) | frozenset(_UIDS.values())
# Who makes Hilum's own results: a heat map that an archive sends back must not be taken for a film.
MANUFACTURER = "Hilum"
HEAT_SERIES = "Hilum: heat map"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
REPORTS, PRESENTATIONS = "1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.11."


@dataclass(frozen=True)
class InstanceFacts:
    """Names and texts of one object. `document` says in words what kind of document it is, None for an image."""

    uid: str
    study_uid: str
    series_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    document: str | None
    attributes: dict[str, str]

    @property
    def keeps_document(self) -> bool:
        """Whether this kind of document is kept: reports and notes, presentation states, Hilum's own results."""
        return self.sop_class_uid.startswith((REPORTS, PRESENTATIONS)) or self.sop_class_uid == SECONDARY_CAPTURE

    @property
    def modality(self) -> str:
        """Modality (0008,0060), upper case."""
        return self.attributes.get("Modality", "")[:16].upper()

    @property
    def study_date(self) -> str:
        """YYYYMMDD, or nothing."""
        digits = self.attributes.get("StudyDate", "").replace(".", "").replace("-", "")
        return digits if len(digits) == 8 and digits.isascii() and digits.isdigit() else ""


def read_facts(data: bytes) -> InstanceFacts | None:
    """The facts of `data`; None where it is no DICOM object or names no study and instance.

    A missing series is named after its study, as a film without a SeriesInstanceUID is kept too.
    """
    if not looks_like_dicom(data):
        return None
    try:
        part10 = read_part10(data, _WANTED, Limits())
    except BadFilm:
        return None
    found = {name: values.uid(part10.dataset, tag) for name, tag in _UIDS.items()}
    uid = found["SOPInstanceUID"] or part10.sop_instance_uid
    study_uid = found["StudyInstanceUID"]
    if not is_uid(uid) or not is_uid(study_uid):
        return None
    sop_class = found["SOPClassUID"] or part10.sop_class_uid
    texts = {keyword: clean(values.text(part10.dataset, tag), 64) for keyword, tag in _TAGS.items()}
    attributes = {keyword: text for keyword, text in texts.items() if text}
    return InstanceFacts(
        uid=uid,
        study_uid=study_uid,
        series_uid=found["SeriesInstanceUID"] or study_uid,
        sop_class_uid=sop_class,
        transfer_syntax_uid=part10.transfer_syntax_uid,
        document=_document(sop_class, attributes),
        attributes=attributes,
    )


def _document(sop_class: str, attributes: dict[str, str]) -> str | None:
    ours = attributes.get("Manufacturer") == MANUFACTURER
    # Both, so that no film is hidden by one odd text in its header.
    if sop_class == SECONDARY_CAPTURE and ours and attributes.get("SeriesDescription", "").startswith(HEAT_SERIES):
        return "a result of Hilum"
    return is_document(sop_class, attributes.get("Modality", "").upper())
