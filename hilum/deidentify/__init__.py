"""Films without their patient: DICOM PS3.15's Basic Application Level Confidentiality Profile, by what may stay."""

import hilum.imaging  # noqa: F401 - before pydicom
from hilum.deidentify.burnt_in import why_text_is_likely
from hilum.deidentify.dicom import without_patient
from hilum.deidentify.keyed import Pseudonyms, read_key
from hilum.deidentify.pictures import CannotStrip, without_notes

__all__ = ["CannotStrip", "Pseudonyms", "read_key", "why_text_is_likely", "without_notes", "without_patient"]
