"""Plots of parts as SVG: one line per band, site, reader, release or finding, with a bar for each kind of number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

# The drawing's own units; it is as wide as a plot over time.
LEFT, RIGHT, BAR, GAP, TOP = 220, 150, 22, 14, 6
WIDTH = 640
# A line per reader of a large department would be no picture any more: the table below has them all.
MOST_LINES = 16
LONGEST_NAME = 16


@dataclass(frozen=True)
class PartBar:
    """One bar; `kind` 0 or 1 gives its colour, `says` stands at its end."""

    kind: int
    y: int
    width: float
    says: str


@dataclass(frozen=True)
class PartLine:
    """One part with its bars; `y` is the middle of its name."""

    name: str
    whole_name: str
    y: int
    bars: tuple[PartBar, ...]


@dataclass(frozen=True)
class Parts:
    """What templates/_parts.html draws. `left_out`: how many parts have no line."""

    title: str
    kinds: tuple[str, ...]
    lines: tuple[PartLine, ...]
    height: int
    left_out: int
    summary: str


def parts(
    title: str,
    kinds: tuple[str, ...],
    values: Sequence[tuple[str, Sequence[float | None]]],
    say: Callable[[float], str],
    *,
    top: float | None = None,
) -> Parts:
    """A plot of `values`: each part with a number (or None) for each of `kinds`; `top` is what fills a line."""
    shown = values[:MOST_LINES]
    longest = top or max((v for _, each in shown for v in each if v is not None), default=0.0) or 1.0
    lines = []
    y = TOP
    for name, each in shown:
        bars = []
        for kind, value in enumerate(each):
            width = 0.0 if value is None else round((WIDTH - LEFT - RIGHT) * min(value / longest, 1.0), 1)
            bars.append(PartBar(kind, y + kind * BAR, width, "–" if value is None else say(value)))
        middle = y + len(each) * BAR // 2
        short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        lines.append(PartLine(short, name, middle, tuple(bars)))
        y += len(each) * BAR + GAP
    said = "; ".join(
        f"{line.whole_name}: " + ", ".join(f"{kind} {bar.says}" for kind, bar in zip(kinds, line.bars, strict=True))
        for line in lines
    )
    return Parts(title, kinds, tuple(lines), max(y, 40), len(values) - len(shown), f"{title}. {said or 'Nothing yet.'}")
