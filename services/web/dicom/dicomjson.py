"""The DICOM JSON model (PS3.18 annex F): elements by tag."""

from __future__ import annotations

from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

Elements = dict[str, dict[str, Any]]
MEDIA_TYPE = "application/dicom+json"
_NUMBERS = {"US", "UL", "IS", "SS", "SL"}


def tag(keyword: str) -> str:
    """The tag of `keyword` as eight hexadecimal digits; raises KeyError."""
    number = tag_for_keyword(keyword)
    if number is None:
        raise KeyError(keyword)
    return f"{int(number):08X}"


def element(keyword: str, *values: object) -> Elements:
    """One element with its values; empty texts are left out, as the model asks."""
    vr = dictionary_VR(tag(keyword))
    kept: list[object] = []
    for value in values:
        if isinstance(value, str) and vr in _NUMBERS:
            if value.lstrip("+-").isdigit():
                kept.append(int(value))
        elif value not in {"", None}:
            kept.append(value)
    return {tag(keyword): {"vr": vr, **({"Value": kept} if kept else {})}}


def sequence(keyword: str, items: list[Elements]) -> Elements:
    """A sequence."""
    return {tag(keyword): {"vr": "SQ", "Value": items}}
