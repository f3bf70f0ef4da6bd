"""The picture of `bench.drift`: films to the alarm, per change."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def draw(table: Path, picture: Path, within: int, most: int) -> None:
    """Draw the rows of `table` (bench.drift's CSV): bar to the median, line to the 90 % quantile, on a log axis."""
    with table.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in list(csv.reader(stream))[2:] if row[2]]
    figure, axes = plt.subplots(figsize=(9, 0.32 * len(rows) + 1), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        middle, late = (float(most if text.startswith("over") else text) for text in row[2:4])
        axes.barh(place, middle, color="#3b8686" if middle <= within else "#b5651d", height=0.6)
        axes.plot([middle, late], [place, place], color="black", linewidth=1)
        if row[5]:
            axes.plot([float(row[5])], [place], marker="|", color="#8b0000", markersize=11)
    axes.set_yticks(range(len(rows)), [row[0] for row in reversed(rows)], fontsize=8)
    axes.axvline(within, color="grey", linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(1, most)
    axes.set_xlabel(f"Films to the alarm: median (bar), 90 % (line); dashed: {within}; red: least by perfect labels")
    figure.savefig(picture, dpi=110)
    plt.close(figure)
