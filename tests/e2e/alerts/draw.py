"""Each board as one picture, from what a Prometheus holds: `python -m tests.e2e.alerts.draw ADDRESS [--hours 1]`.

Grafana could not be had where this was written; the pictures show the same panels in the same order, drawn by
matplotlib, and are no picture of Grafana. A panel without data says so.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import httpx
import matplotlib as mpl

from tests.charts.tools import ROOT
from tests.e2e.alerts.panels import _name, boards

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib import dates
from matplotlib.axes import Axes

COLUMNS, MOST = 3, 6
FACTORS = {"percentunit": (100.0, "%"), "percent": (1.0, "%"), "bytes": (1 / 2**20, "MiB"), "Bps": (1 / 2**10, "KiB/s")}
COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#64473a")
Series = list[tuple[str, list[float], list[float]]]


def asked(http: httpx.Client, queries: list[tuple[str, str]], hours: float) -> Series:
    """(name, times, values) of each series over the last `hours`; what is not a number is left out."""
    now = time.time()
    found: Series = []
    for expression, legend in queries:
        span = {"start": now - hours * 3600, "end": now, "step": max(15, hours * 3600 / 240)}
        answer = http.get("/api/v1/query_range", params={"query": expression.replace("$environment", ".*"), **span})
        for series in answer.raise_for_status().json()["data"]["result"]:
            points = [(at, float(value)) for at, value in series["values"] if math.isfinite(float(value))]
            if points:
                found.append((_name(series, legend), [at for at, _ in points], [value for _, value in points]))
    return found


def panel(axes: Axes, given: dict[str, Any], series: Series) -> None:
    """Lines for a graph, the newest values for a table; the largest first."""
    factor, unit = FACTORS.get(given["unit"], (1.0, "" if given["unit"] == "short" else given["unit"]))
    axes.set_title(given["title"] + (f", {unit}" if unit else ""), fontsize=9, loc="left", fontweight="bold")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=7, length=2)
    shown = sorted(series, key=lambda each: -each[2][-1])[:MOST]
    if not shown:
        axes.text(
            0.5, 0.5, f"no data: {given.get('empty', 'none yet')}", ha="center", va="center", fontsize=7, wrap=True
        )
        axes.set_axis_off()
    elif given.get("kind") == "table":
        axes.set_axis_off()
        for row, (name, _, values) in enumerate(shown):
            axes.text(0, 0.9 - 0.15 * row, name[:52], fontsize=7, va="center")
            axes.text(1, 0.9 - 0.15 * row, f"{factor * values[-1]:.3g}", fontsize=7, va="center", ha="right")
    else:
        for (name, at, values), colour in zip(shown, COLOURS, strict=False):
            hours = [dates.date2num(np_time) for np_time in map(_utc, at)]
            axes.plot(hours, [factor * value for value in values], color=colour, linewidth=1.2, label=name[:40])
        axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
        axes.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=5))
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.legend(fontsize=6, framealpha=0.7, edgecolor="none", loc="upper left")
    if len(series) > MOST:
        axes.text(1, 1.02, f"{MOST} of {len(series)}", transform=axes.transAxes, fontsize=6, ha="right")


def _utc(at: float) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC)


def main() -> None:
    """Draw every board."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("address", help="of Prometheus, such as a port-forward gives")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images")
    chosen = parser.parse_args()
    make, all_boards = boards()
    with httpx.Client(base_url=chosen.address, timeout=60, trust_env=False) as http:
        for name, board in all_boards.items():
            rows = math.ceil(len(board["panels"]) / COLUMNS)
            figure, grid = plt.subplots(rows, COLUMNS, figsize=(13, 2.3 * rows + 0.5), squeeze=False)
            for axes in grid.flat[len(board["panels"]) :]:
                axes.set_axis_off()
            for axes, given in zip(grid.flat, board["panels"], strict=False):
                panel(axes, given, asked(http, make.queries(given), chosen.hours))
            title = f"{board['title']}, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}"
            figure.suptitle(title, x=0.01, y=0.998, ha="left", va="top")
            figure.tight_layout(rect=(0, 0, 1, 1 - 0.3 / figure.get_figheight()))
            figure.savefig(chosen.out / f"board-{name}.webp", dpi=80, pil_kwargs={"quality": 70, "method": 6})
            plt.close(figure)
            print(f"board-{name}.webp", flush=True)


if __name__ == "__main__":
    main()
