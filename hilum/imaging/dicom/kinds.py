"""Which DICOM objects are films: SOP classes of projection radiographs, and names for what is sent by mistake."""

from __future__ import annotations

from pydicom.uid import UID

from hilum.imaging.errors import NotAnImageObject, NotARadiograph, SeveralFrames

_STORAGE = "1.2.840.10008.5.1.4.1.1."
FOR_PROCESSING_CLASS = _STORAGE + "1.1.1"
FILM_CLASSES = {
    _STORAGE + "1",  # Computed Radiography
    _STORAGE + "1.1",  # Digital X-Ray, for presentation
    FOR_PROCESSING_CLASS,
    _STORAGE + "7",  # Secondary Capture
    _STORAGE + "7.2",  # Multi-frame Grayscale Byte Secondary Capture: one frame is a film
    _STORAGE + "7.3",  # the same, Word
    _STORAGE + "7.4",  # Multi-frame True Color Secondary Capture: grey values pass
}
# By prefix, first match wins.
_DOCUMENTS = (
    (_STORAGE + "88.59", "a key object selection"),
    (_STORAGE + "88.67", "a radiation dose report"),
    (_STORAGE + "88", "a structured report"),
    (_STORAGE + "11", "a presentation state"),
    (_STORAGE + "104", "an encapsulated document"),
    (_STORAGE + "9", "a waveform"),
    (_STORAGE + "66", "a registration, segmentation or measurement object"),
    (_STORAGE + "481", "a radiotherapy object"),
    ("1.2.840.10008.1.3.10", "a DICOMDIR, the index of a disk"),
)
_OTHER_IMAGES = (
    (_STORAGE + "2", "a CT slice"),
    (_STORAGE + "4", "an MR image"),
    (_STORAGE + "3", "an ultrasound image"),
    (_STORAGE + "6", "an ultrasound image"),
    (_STORAGE + "1.2", "a mammogram"),
    (_STORAGE + "1.3", "an intra-oral film"),
    (_STORAGE + "12", "an angiography or fluoroscopy image"),
    (_STORAGE + "13", "a tomosynthesis or other 3D X-ray image"),
    (_STORAGE + "20", "a nuclear medicine image"),
    (_STORAGE + "128", "a PET image"),
    (_STORAGE + "77", "a photograph, microscopy or eye image"),
)


def _match(uid: str, table: tuple[tuple[str, str], ...]) -> str | None:
    return next((name for prefix, name in table if uid == prefix or uid.startswith(prefix + ".")), None)


def is_document(sop_class_uid: str, modality: str) -> str | None:
    """What kind of document the object is, or None for an image."""
    named = _match(sop_class_uid, _DOCUMENTS)
    if named is not None or sop_class_uid:
        return named
    by_modality = {"SR": "a structured report", "KO": "a key object selection", "PR": "a presentation state"}
    return by_modality.get(modality)


def check_kind(sop_class_uid: str, modality: str) -> bool:
    """Raise NotAnImageObject or NotARadiograph for what is no film; return False where the class is missing or unknown.

    An unknown or missing class passes: its modality then warns.
    """
    document = is_document(sop_class_uid, modality)
    if document is not None:
        raise NotAnImageObject(f"The DICOM object is {document}, not a film. Send the film that it belongs to.")
    if sop_class_uid in FILM_CLASSES:
        return True
    image = _match(sop_class_uid, _OTHER_IMAGES)
    if image is not None:
        raise NotARadiograph(f"The DICOM object is {image}; {image} is not a radiograph. Send a chest radiograph.")
    if sop_class_uid.startswith(_STORAGE) and UID(sop_class_uid).name != sop_class_uid:
        raise NotARadiograph(f"The DICOM object is of the kind '{UID(sop_class_uid).name}'. Send a chest radiograph.")
    return False


def check_frames(frames: int) -> None:
    """Raise SeveralFrames where there is more than one."""
    if frames > 1:
        raise SeveralFrames(f"The DICOM object has {frames} frames. Send each film as an object of its own.")
