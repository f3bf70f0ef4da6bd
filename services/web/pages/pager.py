"""Links to the next and the previous page of a list whose cursors only lead forward."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

# How many pages one can go back by link; the address grows by one cursor for each.
TRAIL = 20


@dataclass(frozen=True)
class Pager:
    """Addresses, None where there is no such page."""

    previous: str | None
    next: str | None


def _url(path: str, filters: dict[str, str], cursor: str, trail: list[str]) -> str:
    query = {**filters, "cursor": cursor, "trail": ",".join(trail[-TRAIL:])}
    kept = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def pager(path: str, filters: dict[str, str], cursor: str, trail: str, next_cursor: str | None) -> Pager:
    """`trail` holds the cursors of the pages before this one, oldest first; the first page's cursor is empty: "-"."""
    before = [item for item in trail.split(",") if item]
    previous = None
    if cursor:
        last = before[-1] if before else "-"
        previous = _url(path, filters, "" if last == "-" else last, before[:-1])
    following = _url(path, filters, next_cursor, [*before, cursor or "-"]) if next_cursor else None
    return Pager(previous, following)
