"""The simulation's report: one figure and one HTML file that fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluate.page import environment, png
from training.simulate.run import FIGURES, ORDERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = ("critical median", "critical p95", "missed critical p95", "missed critical longest", "longest")
COLOURS = ("#68737f", "#1f4e79", "#b3541e")


def waits_figure(report: Mapping[str, Any]) -> Figure:
    """Waits by utilisation, one panel a figure, one line an order, 95 % intervals as bars."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and not needed for the numbers

    figure = Figure(figsize=(2.6 * len(SHOWN), 3.1), layout="constrained")
    x = np.array([u["utilisation"] for u in report["utilisations"]])
    for axes, name in zip(figure.subplots(1, len(SHOWN)), SHOWN, strict=True):
        for order, colour in zip(ORDERS, COLOURS, strict=True):
            found = [u["orders"][order][name] for u in report["utilisations"]]
            values = np.array([[f["value"], f["low"], f["high"]] if f else [np.nan] * 3 for f in found])
            error = np.abs(values[:, 1:] - values[:, :1]).T
            axes.errorbar(x, values[:, 0], error, fmt="o-", ms=3, lw=1.2, capsize=2, color=colour, label=order)
        axes.set_title(name, fontsize=9)
        axes.set_yscale("symlog", linthresh=1)
        axes.set_xticks(x)
        axes.tick_params(labelsize=8)
        axes.set_xlabel("utilisation", fontsize=8)
    figure.axes[0].set_ylabel("minutes", fontsize=8)
    figure.axes[0].legend(fontsize=7)
    return figure


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    template = environment(Path(__file__).parent).get_template("page.html")
    return template.render(report=report, figures=FIGURES, orders=ORDERS, plot=png(waits_figure(report)))
