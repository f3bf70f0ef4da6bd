"""DICOM films: one file in, one `Film` out, or one `Frame` with the values as they are stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from hilum.imaging.dicom import geometry as geometry_tags
from hilum.imaging.dicom import header as header_tags
from hilum.imaging.dicom import presentation, values
from hilum.imaging.dicom.checks import unscorable, warnings_of
from hilum.imaging.dicom.geometry import read_geometry
from hilum.imaging.dicom.kinds import check_kind
from hilum.imaging.dicom.part10 import check_syntax_is_known, looks_like_dicom, read_part10
from hilum.imaging.dicom.pixels import ALWAYS_LOSSY, PERHAPS_LOSSY, READABLE, stored_values
from hilum.imaging.dicom.spacing import TAGS as SPACING_TAGS
from hilum.imaging.dicom.spacing import read_spacing
from hilum.imaging.errors import NotAnImage
from hilum.imaging.film import Film, FilmHeader, FilmWarning, Pixels
from hilum.imaging.frame import Frame, frame_of
from hilum.imaging.grey import Channels, to_grey
from hilum.imaging.limits import Limits
from hilum.imaging.voi import Counts, Display, display_table

__all__ = ["decode_dicom", "decode_dicom_frame", "looks_like_dicom"]

_TAGS = header_tags.TAGS | geometry_tags.TAGS | presentation.TAGS | SPACING_TAGS


@dataclass(frozen=True, eq=False)
class _Opened:
    """A film's stored values as `index` (H, W) above `lowest`, how often each occurs, and how they are shown."""

    dataset: Dataset
    header: FilmHeader
    index: np.ndarray[tuple[int, int], np.dtype[np.int32]]
    lowest: int
    bits: int
    counts: Counts
    display: Display
    table: Pixels
    lossy: bool
    warnings: tuple[FilmWarning, ...]


def decode_dicom(data: bytes, limits: Limits) -> Film:
    """Decode a DICOM body; raises BadFilm. Wrong but harmless headers give warnings instead."""
    opened = _open(data, limits)
    return Film(
        opened.table[opened.index],
        "application/dicom",
        bits=opened.bits,
        lossy=opened.lossy,
        pixel_spacing_mm=header_tags.pixel_spacing_mm(opened.dataset),
        header=opened.header,
        warnings=opened.warnings,
        unscorable=unscorable(opened.dataset, opened.header),
    )


def decode_dicom_frame(data: bytes, limits: Limits) -> Frame:
    """The stored values of a DICOM body and how they are shown; raises BadFilm as `decode_dicom` does."""
    opened = _open(data, limits)
    return frame_of(
        opened.index,
        lowest=opened.lowest,
        bits=opened.bits,
        display=opened.display,
        table=opened.table,
        lossy=opened.lossy,
        windows=presentation.named_windows(opened.dataset),
        spacing=read_spacing(opened.dataset),
        orientation=header_tags.patient_orientation(opened.dataset),
    )


def _open(data: bytes, limits: Limits) -> _Opened:
    part10 = read_part10(data, _TAGS, limits)
    dataset = part10.dataset
    if not dataset and data[128:132] != b"DICM":
        raise NotAnImage("The file is not a PNG, JPEG or DICOM image, whatever its name says. Choose the film itself.")
    sop_class = values.uid(dataset, header_tags.SOP_CLASS_UID) or part10.sop_class_uid
    known_class = check_kind(sop_class, values.code(dataset, header_tags.MODALITY))
    geometry = read_geometry(dataset, limits)
    check_syntax_is_known(part10.transfer_syntax_uid, READABLE)
    header = header_tags.read_header(part10)
    stored = stored_values(dataset, part10.transfer_syntax_uid, geometry)

    stated = values.text(dataset, header_tags.LOSSY)
    syntax = part10.transfer_syntax_uid
    lossy = syntax in ALWAYS_LOSSY or stated == "01" or (syntax in PERHAPS_LOSSY and stated != "00")
    warnings = warnings_of(dataset, header, known_class, lossy)
    bits, signed, lowest = geometry.stored, geometry.signed, geometry.lowest
    if stored.ndim == 3:
        bits, signed, lowest = (bits if geometry.samples == 3 else 8), False, 0
        unsigned: Channels = stored.astype(np.uint16) if bits > 8 else stored.astype(np.uint8)
        stored, marks = to_grey(unsigned, (1 << bits) - 1)
        warnings += marks
        # A colour model's values are display values already: no window, no inversion.
        display = Display(full_range=True)
    else:
        display, odd = presentation.read_display(dataset, signed, part10.little_endian)
        warnings += odd
    # A lossy stream may overshoot what the header says can be stored.
    index = np.clip(stored.astype(np.int32) - lowest, 0, (1 << bits) - 1)
    counts = np.bincount(index.ravel(), minlength=1 << bits)
    table, shown = display_table(display, lowest, counts)
    return _Opened(dataset, header, index, lowest, bits, counts, display, table, lossy, warnings + shown)
