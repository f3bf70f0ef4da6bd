"""What Hilum takes from a DICOM header, and what it says about oddities there."""

from __future__ import annotations

import re

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from hilum.imaging.dicom import values
from hilum.imaging.dicom.part10 import Part10
from hilum.imaging.errors import MissingTag
from hilum.imaging.film import FilmHeader


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise LookupError(f"no DICOM attribute '{keyword}'")
    return int(tag)


STUDY_UID = _tag("StudyInstanceUID")
SERIES_UID = _tag("SeriesInstanceUID")
INSTANCE_UID = _tag("SOPInstanceUID")
SOP_CLASS_UID = _tag("SOPClassUID")
PATIENT_ID = _tag("PatientID")
PATIENT_ID_ISSUER = _tag("IssuerOfPatientID")
PATIENT_SEX = _tag("PatientSex")
PATIENT_AGE = _tag("PatientAge")
ACCESSION = _tag("AccessionNumber")
ACCESSION_ISSUER = _tag("IssuerOfAccessionNumberSequence")
LOCAL_ENTITY = _tag("LocalNamespaceEntityID")
UNIVERSAL_ENTITY = _tag("UniversalEntityID")
INSTITUTION = _tag("InstitutionName")
MANUFACTURER = _tag("Manufacturer")
MODALITY = _tag("Modality")
BODY_PART = _tag("BodyPartExamined")
VIEW_POSITION = _tag("ViewPosition")
VIEW_CODES = _tag("ViewCodeSequence")
SERIES_DESCRIPTION = _tag("SeriesDescription")
CODE_VALUE = _tag("CodeValue")
PATIENT_POSITION = _tag("PatientPosition")
PATIENT_ORIENTATION = _tag("PatientOrientation")
INTENT = _tag("PresentationIntentType")
PRIORITY = _tag("RequestedProcedurePriority")
REQUEST = _tag("RequestAttributesSequence")
STUDY_DATE = _tag("StudyDate")
STUDY_TIME = _tag("StudyTime")
UTC_OFFSET = _tag("TimezoneOffsetFromUTC")
BURNED_IN = _tag("BurnedInAnnotation")
LOSSY = _tag("LossyImageCompression")
PIXEL_SPACING = _tag("PixelSpacing")
IMAGER_SPACING = _tag("ImagerPixelSpacing")

TAGS = frozenset(value for name, value in list(globals().items()) if name.isupper() and isinstance(value, int)) - {
    LOCAL_ENTITY,
    UNIVERSAL_ENTITY,
    CODE_VALUE,
}


def read_header(part10: Part10) -> FilmHeader:
    """The header of a film; raises MissingTag without a StudyInstanceUID or a SOPInstanceUID.

    The meta information stands in for a missing SOP class or instance UID, the study's UID for a missing series UID.
    """
    dataset = part10.dataset
    study = values.uid(dataset, STUDY_UID)
    if not study:
        raise MissingTag(
            "StudyInstanceUID (0020,000D) is missing or not a UID, so the film can't be filed under a study. "
            "Correct it at the sender."
        )
    instance = values.uid(dataset, INSTANCE_UID) or part10.sop_instance_uid
    if not instance:
        raise MissingTag(
            "SOPInstanceUID (0008,0018) is missing or not a UID, so the film can't be told from others. "
            "Correct it at the sender."
        )
    return FilmHeader(
        study_uid=study,
        series_uid=values.uid(dataset, SERIES_UID),
        instance_uid=instance,
        sop_class_uid=values.uid(dataset, SOP_CLASS_UID) or part10.sop_class_uid,
        transfer_syntax_uid=part10.transfer_syntax_uid,
        patient_id=values.text(dataset, PATIENT_ID),
        patient_id_issuer=values.text(dataset, PATIENT_ID_ISSUER),
        patient_sex=values.code(dataset, PATIENT_SEX),
        patient_age_years=values.age_years(values.text(dataset, PATIENT_AGE)),
        accession=values.text(dataset, ACCESSION),
        accession_issuer=_issuer(dataset),
        institution=values.text(dataset, INSTITUTION),
        manufacturer=values.text(dataset, MANUFACTURER),
        modality=values.code(dataset, MODALITY),
        body_part=values.code(dataset, BODY_PART),
        view_position=values.code(dataset, VIEW_POSITION),
        patient_position=values.code(dataset, PATIENT_POSITION),
        presentation_intent=values.code(dataset, INTENT),
        priority=_priority(dataset),
        study_datetime=values.date_time(
            values.text(dataset, STUDY_DATE), values.text(dataset, STUDY_TIME), values.text(dataset, UTC_OFFSET)
        ),
    )


def _issuer(dataset: Dataset) -> str:
    for item in values.items(dataset, ACCESSION_ISSUER):
        return values.text(item, LOCAL_ENTITY) or values.text(item, UNIVERSAL_ENTITY)
    return ""


def _priority(dataset: Dataset) -> str:
    """(0040,1003) belongs to the order; senders write it at the top or in the request attributes."""
    found = [values.code(dataset, PRIORITY)]
    found += [values.code(item, PRIORITY) for item in values.items(dataset, REQUEST)]
    return next((value for value in found if value), "")


def patient_orientation(dataset: Dataset) -> tuple[str, str] | None:
    """Where the rows and the columns run to (PS3.3 C.7.6.1.1.1), as ("L", "F"); None where the header does not say.

    Only letters of the standard count: a mark on a film is never guessed.
    """
    found = [str(value).strip().upper() for value in values.values(dataset, PATIENT_ORIENTATION)]
    if len(found) != 2 or not all(re.fullmatch(r"[LRAPHF]{1,3}", value) for value in found):
        return None
    return found[0], found[1]


def pixel_spacing_mm(dataset: Dataset) -> tuple[float, float] | None:
    """Row and column spacing: calibrated where there is one, else at the detector."""
    for tag in (PIXEL_SPACING, IMAGER_SPACING):
        found = values.numbers(dataset, tag)
        if len(found) == 2 and min(found) > 0.0:
            return found[0], found[1]
    return None
