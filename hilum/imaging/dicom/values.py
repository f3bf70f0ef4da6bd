"""Reading single values out of a data set that may be wrong in any way: a defect gives nothing, never an exception."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from pydicom.dataset import Dataset

MAX_TEXT = 64
# A sequence that is wanted here holds at most a lookup table of 65,536 entries.
MAX_SEQUENCE_BYTES = 1 << 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")


def _value(dataset: Dataset, tag: int) -> object:
    try:
        return dataset[tag].value if tag in dataset else None
    # pydicom converts lazily, and raises whatever a damaged value leads to.
    except Exception:
        return None


def values(dataset: Dataset, tag: int) -> list[object]:
    """All values of `tag`, none where it is absent, empty or can't be read."""
    value = _value(dataset, tag)
    if value is None or isinstance(value, Dataset):
        return []
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return [] if value in {"", b""} else [value]
    return [part for part in value if part not in {"", b"", None}]


def text(dataset: Dataset, tag: int) -> str:
    """The first value of `tag` as text: without control characters, at most 64 characters."""
    return _whole_text(dataset, tag)[:MAX_TEXT].strip()


def _whole_text(dataset: Dataset, tag: int) -> str:
    found = values(dataset, tag)
    if not found:
        return ""
    first = found[0]
    decoded = first.decode("ascii", "replace") if isinstance(first, bytes) else str(first)
    return _CONTROL.sub(" ", decoded).strip()


def code(dataset: Dataset, tag: int) -> str:
    """The first value of `tag` as a code string: upper case."""
    return text(dataset, tag).upper()


def quotable(value: str) -> str:
    """`value` in quotes where it is a code string as the standard has it, else words that quote nothing."""
    return f"'{value}'" if _CODE.fullmatch(value) else "not a code that the standard knows"


def uid(dataset: Dataset, tag: int) -> str:
    """The value of `tag` where it is a UID (digits and points, at most 64), else an empty text."""
    found = _whole_text(dataset, tag)
    return found if len(found) <= MAX_TEXT and _UID.fullmatch(found) else ""


def number(dataset: Dataset, tag: int) -> float | None:
    """The first value of `tag` as a finite number."""
    found = numbers(dataset, tag)
    return found[0] if found else None


def numbers(dataset: Dataset, tag: int) -> list[float]:
    """The values of `tag` that are finite numbers."""
    result = []
    for value in values(dataset, tag):
        try:
            parsed = float(str(value).replace(",", "."))
        except ValueError:
            continue
        if math.isfinite(parsed):
            result.append(parsed)
    return result


def integer(dataset: Dataset, tag: int) -> int | None:
    """The first value of `tag` as a whole number."""
    found = number(dataset, tag)
    return int(found) if found is not None and found == int(found) else None


def items(dataset: Dataset, tag: int) -> Iterator[Dataset]:
    """The items of the sequence `tag`; nothing where it is too long or can't be read."""
    try:
        raw = dataset.get_item(tag)
        if raw is None or (isinstance(raw.value, bytes) and len(raw.value) > MAX_SEQUENCE_BYTES):
            return
        found = list(dataset[tag].value or [])
    # As in `_value`.
    except Exception:
        return
    yield from (item for item in found if isinstance(item, Dataset))


def date_time(date: str, time: str, offset: str) -> datetime | None:
    """DA and TM of PS3.5 (with points and colons too) and a UTC offset "+0100"; None where there is no date."""
    digits = re.sub(r"[.\-/]", "", date)
    clock = re.sub(r"[:]", "", time).split(".")[0].ljust(6, "0")[:6]
    try:
        # The time zone is added below, where the header gives one.
        stamp = datetime.strptime(digits, "%Y%m%d")  # noqa: DTZ007
        stamp = stamp.replace(hour=int(clock[:2]), minute=int(clock[2:4]), second=min(int(clock[4:]), 59))
    except ValueError:
        try:
            stamp = datetime.strptime(digits, "%Y%m%d")  # noqa: DTZ007
        except ValueError:
            return None
    if match := re.fullmatch(r"([+-])(\d\d)([0-5]\d)", offset):
        minutes = int(match[2]) * 60 + int(match[3])
        if minutes <= 14 * 60:
            shift = timedelta(minutes=-minutes if match[1] == "-" else minutes)
            return stamp.replace(tzinfo=timezone(shift) if shift else UTC)
    return stamp


def age_years(age: str) -> float | None:
    """PS3.5's AS ("081Y", "010M", "03W", "012D"; "81" is taken as years), in years."""
    match = re.fullmatch(r"(\d{1,3})([DWMY]?)", age.upper())
    if not match:
        return None
    return int(match[1]) / {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0, "": 1.0}[match[2]]
