"""The way to a verdict as a drawing: each step as a bar from its beginning to the next one's, as long as it took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from hilum.gates.record import GateRecord

ROW, LABEL, WIDE, AFTER = 18, 190, 320, 80
# In `figures` of a record.
TIMELINE = "timeline"


def entry(at: datetime, step: str) -> dict[str, str]:
    """A step as a record keeps it: when it began, and its name."""
    return {"at": at.isoformat(), "step": step}


def timeline(record: GateRecord) -> Markup | None:
    """The drawing of `record`'s steps up to its end; None where it tells none."""
    given: Iterable[dict[str, Any]] = record.figures.get(TIMELINE) or ()
    steps = [(datetime.fromisoformat(one["at"]), str(one["step"])) for one in given]
    return _draw([*steps, (max(record.ended, steps[-1][0]), "")]) if steps else None


def _draw(steps: Sequence[tuple[datetime, str]]) -> Markup:
    began, whole = steps[0][0], (steps[-1][0] - steps[0][0]).total_seconds() or 1.0
    high = ROW * (len(steps) - 1) + 4
    size = f'viewBox="0 0 {LABEL + WIDE + AFTER} {high}" width="{LABEL + WIDE + AFTER}"'
    parts = [f'<svg {size} role="img" aria-label="Timeline, {length(whole)} in all">']
    for row, ((start, step), (end, _)) in enumerate(pairwise(steps)):
        y, seconds = ROW * row + 4, (end - start).total_seconds()
        x = LABEL + WIDE * (start - began).total_seconds() / whole
        bar = max(WIDE * seconds / whole, 1.5)
        parts.append(
            f'<text x="{LABEL - 6}" y="{y + 10}" text-anchor="end">{Markup.escape(step)}</text>'
            f'<rect x="{x:.1f}" y="{y + 2}" width="{bar:.1f}" height="9" fill="var(--live)"/>'
            f'<text x="{x + bar + 5:.1f}" y="{y + 10}">{length(seconds)}</text>'
        )
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 - numbers and escaped names


def length(seconds: float) -> str:
    """Seconds in the largest unit that fits: `42 s`, `3.5 min`, `7.2 h`, `2.1 d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.2g} s"
