"""Plots as SVG, made here: bars and lines over time. Each stands before a table with the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 84, 6, 14, 32
MOST_TICKS = 4


@dataclass(frozen=True)
class Bar:
    """One bar: its place in the drawing and what it says."""

    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Plot:
    """What templates/_plot.html draws. `line` is a polyline's points, empty for a plot of bars."""

    title: str
    unit: str
    bars: tuple[Bar, ...]
    line: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    summary: str


def _scale(greatest: float) -> tuple[float, list[float]]:
    """A round upper end, and two or three marks below it."""
    if greatest <= 0:
        return 1.0, [0, 1]
    power = 10.0 ** (len(str(int(greatest))) - 1)
    top = next(step * power for step in (1, 2, 3, 4, 5, 8, 10) if step * power >= greatest)
    return top, [0, top / 2, top] if top % 2 == 0 or top < 1 else [0, top]


def plot(title: str, unit: str, labels: Sequence[str], values: Sequence[float], *, as_line: bool = False) -> Plot:
    """A plot of `values` under `labels`, in their order."""
    top, marks = _scale(max(values, default=0))
    inner = HEIGHT - TOP - BOTTOM
    slot = (WIDTH - LEFT - RIGHT) / max(len(values), 1)

    def y(value: float) -> float:
        return round(TOP + inner * (1 - value / top), 1)

    bars = tuple(
        Bar(round(LEFT + slot * n + slot * 0.1, 1), y(value), round(slot * 0.8, 2), round(TOP + inner - y(value), 1),
            f"{label}: {value:,.0f} {unit}")
        for n, (label, value) in enumerate(zip(labels, values, strict=True))
    )  # fmt: skip
    line = ""
    if as_line:
        line = " ".join(f"{LEFT + slot * (n + 0.5):.1f},{y(value)}" for n, value in enumerate(values))
    every = max(1, -(-len(labels) // MOST_TICKS))
    x_ticks = tuple(Tick(round(LEFT + slot * (n + 0.5), 1), labels[n]) for n in range(0, len(labels), every))
    return Plot(
        title=title,
        unit=unit,
        bars=bars,
        line=line,
        x_ticks=x_ticks,
        y_ticks=tuple(Tick(y(mark), f"{mark:,.0f}") for mark in marks),
        summary=f"{title}. Greatest {max(values, default=0):,.0f}, last {values[-1] if values else 0:,.0f} {unit}.",
    )
