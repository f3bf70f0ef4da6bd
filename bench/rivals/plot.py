"""The plot beside the table: throughput over concurrency per payload, and p99 latency."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl

COLOURS = {
    "bare ONNX Runtime": "#888888",
    "hilum": "#0b6e4f",
    "BentoML": "#1f77b4",
    "Ray Serve": "#e07b00",
    "KServe": "#8e44ad",
}


def plot(table: Path) -> Path:
    """Draw `table` (a rivals-*.csv) to a PNG of the same name."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    groups = list(dict.fromkeys((row["model"], row["payload"]) for row in rows))
    figure, axes = plt.subplots(2, len(groups), figsize=(3.6 * len(groups), 6.4), squeeze=False)
    for column, (model, payload) in enumerate(groups):
        mine = [row for row in rows if (row["model"], row["payload"]) == (model, payload)]
        for server, colour in COLOURS.items():
            points = [row for row in mine if row["server"] == server]
            x = [int(row["concurrency"]) for row in points]
            style = {"color": colour, "linewidth": 2.4 if server == "hilum" else 1.4, "marker": "."}
            axes[0][column].plot(x, [float(row["films_per_second"]) for row in points], label=server, **style)
            axes[1][column].plot(x, [float(row["p99_ms"]) for row in points], **style)
        axes[0][column].set_title(f"{payload}, {model} model")
        for line in axes:
            line[column].set_xscale("log", base=2)
        axes[1][column].set_yscale("log")
        axes[1][column].set_xlabel("connections")
        axes[0][column].set_ylim(bottom=0)
    axes[0][0].set_ylabel("films a second")
    axes[1][0].set_ylabel("99th percentile, ms")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="upper center", ncols=len(COLOURS), fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    target = table.with_suffix(".png")
    figure.savefig(target, dpi=110)
    plt.close(figure)
    return target
