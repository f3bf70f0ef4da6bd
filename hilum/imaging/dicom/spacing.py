"""Pixel spacing of a projection radiograph (PS3.3 10.7.1.3, C.8.11.4).

A projection has no one scale: what lies nearer to the tube is larger. So the plane of a spacing is said with it, and
the detector's spacing never passes for the patient's.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from hilum.imaging.dicom import values
from hilum.imaging.spacing import Spacing, SpacingKind

PIXEL, IMAGER, CALIBRATION, MAGNIFICATION = 0x00280030, 0x00181164, 0x00280A02, 0x00181114
TAGS = frozenset({PIXEL, IMAGER, CALIBRATION, MAGNIFICATION})
# Writers round the same spacing differently in the two attributes.
SAME = 0.001


def read_spacing(dataset: Dataset) -> Spacing | None:
    """The spacing to measure with, None where the header has none that can be used."""
    pixel, imager = _pair(dataset, PIXEL), _pair(dataset, IMAGER)
    factor = values.number(dataset, MAGNIFICATION)
    if pixel is not None:
        return Spacing(*pixel, _kind(dataset, pixel, imager))
    if imager is None:
        return None
    if factor is not None and factor > 1.0:
        return Spacing(imager[0] / factor, imager[1] / factor, "magnification")
    return Spacing(*imager, "detector")


def _kind(dataset: Dataset, pixel: tuple[float, float], imager: tuple[float, float] | None) -> SpacingKind:
    same = imager is not None and all(abs(a - b) <= SAME * b for a, b in zip(pixel, imager, strict=True))
    if same:
        return "detector"
    if values.code(dataset, CALIBRATION) in {"FIDUCIAL", "GEOMETRY"} or imager is not None:
        return "calibrated"
    return "unstated"


def _pair(dataset: Dataset, tag: int) -> tuple[float, float] | None:
    found = values.numbers(dataset, tag)
    return (found[0], found[1]) if len(found) == 2 and min(found) > 0.0 else None
