"""A DICOM film without its patient."""

from __future__ import annotations

from io import BytesIO

from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from hilum.deidentify.keyed import Pseudonyms
from hilum.deidentify.pictures import CannotStrip, without_notes
from hilum.deidentify.rules import EMPTY, NUMBERS, PIXELS, TABLE_NUMBERS, TABLES, WORDS

METHOD = "Hilum: PS3.15 Basic Application Level Confidentiality Profile, by a list of what stays"
_WITH_NOTES = frozenset({
    JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless,
    JPEGLSNearLossless,
})  # fmt: skip


def without_patient(data: bytes, names: Pseudonyms, patient: str) -> bytes:
    """The film as a new DICOM file: `patient` as name and id, UIDs by `names`, what `rules` allows, and nothing else.

    Raises CannotStrip, and what pydicom raises for a file that it can't read.
    """
    old = dcmread(BytesIO(data))
    new = _kept(old)
    for keyword in EMPTY:
        setattr(new, keyword, None)
    new.SpecificCharacterSet = "ISO_IR 192"
    new.SOPClassUID = old.SOPClassUID
    new.PatientName = new.PatientID = patient
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(new, keyword, names.uid(str(old.get(keyword, "")) or f"none of {old.SOPInstanceUID}"))
    new.PatientIdentityRemoved = "YES"
    new.DeidentificationMethod = METHOD
    new.DeidentificationMethodCodeSequence = Sequence([_code("113100", "Basic Application Confidentiality Profile")])
    new.LongitudinalTemporalInformationModified = "REMOVED"
    return _written(old, new)


def _kept(old: Dataset) -> Dataset:
    new = Dataset()
    for element in old:
        keyword = element.keyword
        if keyword in NUMBERS | PIXELS:
            new.add(element)
        elif keyword in WORDS:
            values = [element.value] if element.VM <= 1 else list(element.value)
            words = [str(value) for value in values if str(value) in WORDS[keyword]]
            if words:
                setattr(new, keyword, words)
        elif keyword in TABLES:
            tables = []
            for item in element.value:
                table = Dataset()
                for inner in item:
                    if inner.keyword in TABLE_NUMBERS:
                        table.add(inner)
                tables.append(table)
            setattr(new, keyword, Sequence(tables))
    return new


def _written(old: FileDataset, new: Dataset) -> bytes:
    syntax = old.file_meta.TransferSyntaxUID
    if syntax in _WITH_NOTES:
        frames = [without_notes(frame) for frame in generate_frames(old.PixelData, number_of_frames=1)]
        new.PixelData = encapsulate(frames)
        new["PixelData"].is_undefined_length = True
    elif syntax.is_compressed and syntax.is_encapsulated and not syntax.name.startswith("RLE"):
        raise CannotStrip(f"notes in {syntax.name} can't be told from pixels")
    new.file_meta = FileMetaDataset()
    new.file_meta.TransferSyntaxUID = syntax
    new.file_meta.MediaStorageSOPClassUID = new.SOPClassUID
    new.file_meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
    stream = BytesIO()
    new.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
