"""Small line plots as SVG text: no plotting library in the image that serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 230, 190, 34, 26, 8
Line = Sequence[tuple[float, float]]


def lines(
    drawn: Mapping[str, Line], x: tuple[float, float], y: tuple[float, float], names: tuple[str, str], title: str
) -> str:
    """`drawn` ("live", "shadow") as lines over the ranges `x` and `y`, whose `names` stand at the axes.

    `title` is what a screen reader says.
    """
    wide, high = WIDTH - LEFT - 8, HEIGHT - BOTTOM - TOP

    def place(point: tuple[float, float]) -> str:
        across = (point[0] - x[0]) / ((x[1] - x[0]) or 1)
        up = (point[1] - y[0]) / ((y[1] - y[0]) or 1)
        return f"{LEFT + wide * min(1, max(0, across)):.1f},{TOP + high * (1 - min(1, max(0, up))):.1f}"

    middle, size = TOP + high / 2, f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    curves = (f'class="{_safe(side)}" points="{" ".join(place(p) for p in at)}"' for side, at in drawn.items())
    parts = [
        f'<svg {size} role="img" aria-label="{_safe(title)}">',
        f'<path class="axis" d="M{LEFT},{TOP} V{TOP + high} H{LEFT + wide}"/>',
        *(f"<polyline {curve}/>" for curve in curves),
        f'<text x="{LEFT}" y="{HEIGHT - 14}">{x[0]:g}</text>',
        f'<text x="{LEFT + wide}" y="{HEIGHT - 14}" text-anchor="end">{x[1]:.3g}</text>',
        f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 2}" text-anchor="middle">{_safe(names[0])}</text>',
        f'<text x="{LEFT - 3}" y="{TOP + high}" text-anchor="end">{y[0]:g}</text>',
        f'<text x="{LEFT - 3}" y="{TOP + 8}" text-anchor="end">{y[1]:.3g}</text>',
        f'<text x="10" y="{middle}" text-anchor="middle" transform="rotate(-90 10 {middle})">{_safe(names[1])}</text>',
        "</svg>",
    ]
    return "".join(parts)


def steps(counts: Sequence[float], edges: Sequence[float]) -> list[tuple[float, float]]:
    """Shares of a histogram as a stepped line."""
    total = sum(counts) or 1
    points = []
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        points += [(left, count / total), (right, count / total)]
    return points


def cumulated(values: Sequence[float]) -> list[tuple[float, float]]:
    """The share of `values` up to each of a hundred of them."""
    ordered = sorted(values)
    n = len(ordered)
    return [(ordered[min(n - 1, k * n // 100)], k / 100) for k in range(101)] if n else []


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
