"""What of a film's header may stay. Everything else goes: private tags, overlays, what the standard adds tomorrow.

PS3.15 table E.1-1 names what must go; a list of what may stay can't forget one of them. Free text stays nowhere. Code
strings stay where they are one of the words below, for senders write names into any field.
"""

from __future__ import annotations

NUMBERS = frozenset({
    "BitsAllocated", "BitsStored", "Columns", "DistanceSourceToDetector", "DistanceSourceToPatient",
    "EstimatedRadiographicMagnificationFactor", "HighBit", "ImagerPixelSpacing", "InstanceNumber",
    "LargestImagePixelValue", "LossyImageCompressionRatio", "NominalScannedPixelSpacing", "NumberOfFrames",
    "PixelAspectRatio", "PixelIntensityRelationshipSign", "PixelPaddingRangeLimit", "PixelPaddingValue",
    "PixelRepresentation", "PixelSpacing", "PlanarConfiguration", "RescaleIntercept", "RescaleSlope", "Rows",
    "SamplesPerPixel", "SmallestImagePixelValue", "WindowCenter", "WindowWidth",
})  # fmt: skip
PIXELS = frozenset({"PixelData"})
# Of these sequences only the numbers of the table itself.
TABLES = frozenset({"ModalityLUTSequence", "VOILUTSequence"})
TABLE_NUMBERS = frozenset({"LUTDescriptor", "LUTData"})

_YES_NO = frozenset({"YES", "NO"})
WORDS: dict[str, frozenset[str]] = {
    "BodyPartExamined": frozenset({"CHEST", "THORAX", "LUNG", "RIB", "RIBS", "PORT CHEST", "ABDOMEN"}),
    "BurnedInAnnotation": _YES_NO,
    "ConversionType": frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"}),
    "ImageLaterality": frozenset({"R", "L", "U", "B"}),
    "ImageType": frozenset({"ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY"}),
    "Laterality": frozenset({"R", "L"}),
    "LossyImageCompression": frozenset({"00", "01"}),
    "LossyImageCompressionMethod": frozenset({"ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_15444_15"}),
    "Modality": frozenset({"CR", "DX", "RG", "SC", "OT", "RF", "XA"}),
    "PatientOrientation": frozenset({"L", "R", "A", "P", "H", "F", "LF", "RF", "LH", "RH", "AF", "PF", "AH", "PH"}),
    "PatientPosition": frozenset({"HFP", "HFS", "HFDR", "HFDL", "FFDR", "FFDL", "FFP", "FFS"}),
    "PhotometricInterpretation": frozenset({
        "MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT",
    }),
    "PixelIntensityRelationship": frozenset({"LIN", "LOG", "DISP"}),
    "PixelSpacingCalibrationType": frozenset({"GEOMETRY", "FIDUCIAL"}),
    "PresentationIntentType": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "PresentationLUTShape": frozenset({"IDENTITY", "INVERSE"}),
    "RescaleType": frozenset({"US", "OD", "HU", "UNSPECIFIED"}),
    "VOILUTFunction": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),
    "ViewPosition": frozenset({"AP", "PA", "LL", "RL", "LLD", "RLD", "LATERAL", "LAT", "LLO", "RLO", "RAO", "LAO"}),
}  # fmt: skip
# The image modules want these present; they stay, empty.
EMPTY = (
    "AccessionNumber", "Manufacturer", "PatientBirthDate", "PatientSex", "ReferringPhysicianName", "SeriesNumber",
    "StudyDate", "StudyID", "StudyTime",
)  # fmt: skip
