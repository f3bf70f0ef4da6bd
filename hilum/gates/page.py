"""A gate record as one HTML page that fetches nothing: reasons, every check, and its plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hilum.gates import draw
from hilum.gates.record import GateRecord
from hilum.gates.timeline import timeline

EDGES = [k / 20 for k in range(21)]
KEY = "Solid blue: the release it is held against. Dashed orange: the candidate."
FIRST = ("fail", "error", "inconclusive", "pass", "reported")
Plots = list[tuple[str, str, list[tuple[str, Markup]]]]


def page(record: GateRecord) -> str:
    """The whole page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    environment.filters["figure"] = lambda value: "" if value is None else f"{value:.4g}"
    checks = sorted(record.checks, key=lambda check: FIRST.index(check.verdict))
    return environment.get_template("page.html").render(record=record, checks=checks, plots=plots(record))


def plots(record: GateRecord) -> Plots:
    """Title, key and drawings of what the record has figures for."""
    figures: dict[str, Any] = dict(record.figures)
    found: Plots = []
    if roc := figures.get("roc"):
        drawn = [(name, _roc(name, sides)) for name, sides in roc.items()]
        found.append(("ROC", KEY, drawn))
    if agreement := figures.get("agreement"):
        words = "Share of films on which both call the finding alike, at each one's own alert point."
        found.append(("Agreement", words, [("all findings", _agreement(agreement))]))
    if scores := figures.get("scores"):
        drawn = [(name, _scores(name, sides)) for name, sides in scores.items()]
        found.append(("Score distributions", KEY, drawn))
    if latency := figures.get("latency"):
        found.append(
            ("Latency", f"Share of requests answered within a time. {KEY}", [("all requests", _latency(latency))])
        )
    if (drawing := timeline(record)) is not None:
        found.append(("Timeline", "Each step from its beginning to the next one's.", [("up to the verdict", drawing)]))
    return found


def _roc(name: str, sides: dict[str, Any]) -> Markup:
    drawn = {side: [(p[0], p[1]) for p in points] for side, points in sides.items()}
    title = f"ROC of {name}, both releases"
    return Markup(draw.lines(drawn, (0, 1), (0, 1), ("1 - specificity", "sensitivity"), title))  # noqa: S704 - ours


def _scores(name: str, sides: dict[str, Any]) -> Markup:
    drawn = {side: draw.steps(counts, EDGES) for side, counts in sides.items()}
    top = max((y for line in drawn.values() for _, y in line), default=1.0) or 1.0
    title = f"Distribution of the probability of {name}, both releases"
    return Markup(draw.lines(drawn, (0, 1), (0, top), ("probability", "share of films"), title))  # noqa: S704 - ours


def _latency(sides: dict[str, Any]) -> Markup:
    drawn = {side: draw.cumulated(values) for side, values in sides.items()}
    longest = max((x for line in drawn.values() for x, _ in line), default=1.0) or 1.0
    title = "Times of requests, both releases"
    return Markup(draw.lines(drawn, (0, longest), (0, 1), ("seconds", "share"), title))  # noqa: S704 - ours


def _agreement(given: dict[str, Any]) -> Markup:
    rows = [(name, one.get("value")) for name, one in given.items() if one.get("value") is not None]
    parts = [f'<svg viewBox="0 0 460 {18 * len(rows) + 4}" width="460" role="img" aria-label="Agreement per finding">']
    for at, (name, value) in enumerate(rows):
        y = 18 * at + 4
        label = Markup.escape(name)
        parts.append(
            f'<text x="130" y="{y + 10}" text-anchor="end">{label}</text>'
            f'<rect x="136" y="{y + 2}" width="{260 * value:.1f}" height="9" fill="var(--live)"/>'
            f'<text x="{142 + 260 * value:.1f}" y="{y + 10}">{100 * value:.1f} %</text>'
        )
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 - numbers and escaped names
