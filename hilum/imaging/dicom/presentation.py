"""How a header says that its pixels are to be shown: the attributes behind `hilum.imaging.voi.Display`."""

from __future__ import annotations

import re

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from hilum.imaging.dicom import values
from hilum.imaging.film import FilmWarning
from hilum.imaging.voi import Display, Lut, Window

SLOPE, INTERCEPT = 0x00281053, 0x00281052
CENTRE, WIDTH, FUNCTION, EXPLANATION = 0x00281050, 0x00281051, 0x00281056, 0x00281055
MAX_WINDOWS = 12
MODALITY_LUT, VOI_LUT = 0x00283000, 0x00283010
PADDING, PADDING_LIMIT = 0x00280120, 0x00280121
SHAPE, PHOTOMETRIC = 0x20500020, 0x00280004
TAGS = frozenset(
    {
        *(SLOPE, INTERCEPT, CENTRE, WIDTH, FUNCTION, EXPLANATION),
        *(MODALITY_LUT, VOI_LUT, PADDING, PADDING_LIMIT, SHAPE, PHOTOMETRIC),
    }
)
_DESCRIPTOR = tag_for_keyword("LUTDescriptor") or 0
_DATA = tag_for_keyword("LUTData") or 0


def read_display(dataset: Dataset, signed: bool, little_endian: bool) -> tuple[Display, tuple[FilmWarning, ...]]:
    """The display attributes of a film whose stored values are `signed` or not."""
    warnings: tuple[FilmWarning, ...] = ()
    slope, intercept = values.number(dataset, SLOPE), values.number(dataset, INTERCEPT)
    window = None
    centres, widths = values.numbers(dataset, CENTRE), values.numbers(dataset, WIDTH)
    if centres or widths:
        window = _window(centres, widths, values.code(dataset, FUNCTION))
        if window is None:
            warnings = (FilmWarning("window", "The header's window is unusable; the film's own range is used."),)
    modality = _lut(dataset, MODALITY_LUT, signed, little_endian)
    # The input of a VOI LUT is signed where the modality transform can give negative values.
    negative = (signed and modality is None) or (intercept or 0.0) < 0.0
    voi = _lut(dataset, VOI_LUT, negative, little_endian)
    if (modality is None and _given(dataset, MODALITY_LUT)) or (voi is None and _given(dataset, VOI_LUT)):
        text = "A lookup table of the header is unusable; the film is shown without it."
        warnings += (FilmWarning("window", text),)
    return (
        Display(
            slope=slope if slope else 1.0,
            intercept=intercept or 0.0,
            modality_lut=modality,
            voi_lut=voi,
            window=window,
            inverted=values.code(dataset, PHOTOMETRIC) == "MONOCHROME1" or values.code(dataset, SHAPE) == "INVERSE",
            padding=_padding(dataset, signed),
        ),
        warnings,
    )


def _window(centres: list[float], widths: list[float], function: str) -> Window | None:
    """The first window; PS3.3 C.11.2.1.2 asks for a width of at least 1 (LINEAR) or above 0."""
    if not centres or not widths:
        return None
    if function == "SIGMOID" and widths[0] > 0:
        return Window(centres[0], widths[0], "SIGMOID")
    if function == "LINEAR_EXACT" and widths[0] > 0:
        return Window(centres[0], widths[0], "LINEAR_EXACT")
    return Window(centres[0], widths[0]) if widths[0] >= 1 else None


def named_windows(dataset: Dataset) -> tuple[tuple[str, Window], ...]:
    """Every usable window of the header with its explanation (0028,1055), else with its number."""
    centres, widths = values.numbers(dataset, CENTRE), values.numbers(dataset, WIDTH)
    function = values.code(dataset, FUNCTION)
    names = [re.sub(r"[^\w .,+-]", "", str(name))[:24].strip() for name in values.values(dataset, EXPLANATION)]
    found = []
    for at, pair in enumerate(list(zip(centres, widths, strict=False))[:MAX_WINDOWS]):
        window = _window([pair[0]], [pair[1]], function)
        if window is not None:
            found.append(((names[at] if at < len(names) else "") or f"Window {at + 1}", window))
    return tuple(found)


def _lut(dataset: Dataset, tag: int, signed: bool, little_endian: bool) -> Lut | None:
    """The first lookup table of the sequence `tag` (PS3.3 C.11.1.1, C.11.2.1.1), None where it can't be used."""
    for item in values.items(dataset, tag):
        descriptor = [int(n) for n in values.numbers(item, _DESCRIPTOR)]
        if len(descriptor) != 3:
            return None
        count = descriptor[0] % 65536 or 65536
        first = (descriptor[1] + 32768) % 65536 - 32768 if signed else descriptor[1] % 65536
        entries = _entries(item, count, little_endian)
        if entries is None or len(entries) < 2:
            return None
        bits = descriptor[2] if 8 <= descriptor[2] <= 16 else int(entries.max()).bit_length()
        largest = float(max((1 << bits) - 1, 1))
        return Lut(first, np.minimum(entries, largest).astype(np.float64), largest)
    return None


def _given(dataset: Dataset, tag: int) -> bool:
    """Whether the header has the sequence `tag`, readable or not, with anything in it."""
    raw = dataset.get_item(tag)
    return raw is not None and bool(raw.value)


def _entries(item: Dataset, count: int, little_endian: bool) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    try:
        raw = item[_DATA].value if _DATA in item else None
    # As in `values`: a damaged value gives nothing.
    except Exception:
        return None
    if isinstance(raw, bytes):
        wide = len(raw) >= 2 * count
        kind = (np.dtype("<u2") if little_endian else np.dtype(">u2")) if wide else np.dtype("u1")
        return np.frombuffer(raw[: count * kind.itemsize], dtype=kind).astype(np.int64)
    numbers = [int(n) % 65536 for n in values.numbers(item, _DATA)]
    return np.asarray(numbers[:count], dtype=np.int64) if len(numbers) >= count else None


def _padding(dataset: Dataset, signed: bool) -> tuple[int, int] | None:
    """The inclusive range of padding values; US or SS by the pixels' own sign (PS3.3 C.7.5.1.1.2)."""
    value = values.integer(dataset, PADDING)
    if value is None:
        return None
    limit = values.integer(dataset, PADDING_LIMIT)
    ends = sorted((value, value if limit is None else limit))
    if signed:
        ends = sorted((end + 32768) % 65536 - 32768 for end in ends)
    return ends[0], ends[1]
