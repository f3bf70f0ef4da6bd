"""Plots of the simulation, as SVG: outcomes and time of each gate, and what a labelled set of a size can tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

GOOD, BAD, OPEN = "#1f4e79", "#b3541e", "#c9d3dc"
RATES = (100.0, 740.0, 5000.0)
GATES = ("canary", "Argo's example, 1 h", "Argo's example, 24 h", "Flagger's example")


def draw(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write `gates-outcomes.svg` and `gates-power.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in (("gates-outcomes", _outcomes(rows)), ("gates-power", _power(rows))):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def _outcomes(rows: Sequence[dict[str, Any]]) -> Figure:
    worlds = list(dict.fromkeys(r["world"] for r in rows))
    figure = Figure(figsize=(11, 2.2 * len(GATES) / 2 + 1.5), layout="constrained")
    grid = figure.subplots(1, len(worlds), sharey=True)
    for axes, world in zip(grid, worlds, strict=True):
        names = []
        for at, (gate, rate) in enumerate((g, r) for g in GATES for r in RATES):
            found = next(r for r in rows if (r["gate"], r["world"], r["films_a_day"]) == (gate, world, rate))
            left = 0.0
            for key, colour in (("passed", GOOD), ("undecided", OPEN), ("rejected", BAD)):
                axes.barh(at, found[key], left=left, color=colour, height=0.8)
                left += found[key]
            names.append(f"{gate}, {rate:.0f} a day")
        axes.set_yticks(range(len(names)), names, fontsize=7)
        axes.set_title(world, fontsize=9)
        axes.set_xlim(0, 1)
        axes.tick_params(axis="x", labelsize=7)
    grid[0].invert_yaxis()
    figure.supxlabel("share of runs: passed (blue), undecided (grey), rejected (orange)", fontsize=8)
    return figure


def _power(rows: Sequence[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    for world, key, colour, style, name in (
        ("good", "passed", GOOD, "-", "good candidate passes"),
        ("one acute finding -5 points", "rejected", BAD, "-", "5 points worse: rejected"),
        ("one acute finding -5 points", "passed", BAD, ":", "5 points worse: passes (at most 5 %)"),
        ("good", "rejected", GOOD, ":", "good candidate rejected (at most 0.3 %)"),
    ):
        found = [r for r in rows if r["gate"] == "staging" and r["world"] == world]
        axes.plot([r["positives"] for r in found], [r[key] for r in found], style, color=colour, label=name)
    axes.set(xlabel="positive films of each of five acute findings in the labelled set", ylabel="share of runs")
    axes.set_xscale("log")
    axes.set_xticks([r["positives"] for r in found], [str(r["positives"]) for r in found])
    axes.minorticks_off()
    axes.legend(fontsize=8, frameon=False)
    return figure
