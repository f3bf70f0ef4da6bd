"""Figures of an evaluation report, for its page and for MLflow: made from the report alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Report = Mapping[str, Any]
INK, SOFT, WARN = "#1f4e79", "#9db4c8", "#b3541e"
COLUMNS = 5


def figures(report: Report) -> dict[str, Figure]:
    """ROC, PR, reliability, calibration slopes and subgroups of each population: "nih roc" and so on."""
    answer: dict[str, Figure] = {}
    for name, population in report["populations"].items():
        given = {k: f for k, f in population["findings"].items() if f.get("curves")}
        if given:
            answer[f"{name} roc"] = _small_multiples(given, _roc)
            answer[f"{name} pr"] = _small_multiples(given, _pr)
            answer[f"{name} reliability"] = _small_multiples(given, _reliability)
            answer[f"{name} slopes"] = _slopes(given)
        if population["subgroups"]:
            answer[f"{name} subgroups"] = _forest(population)
    return answer


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and not needed for the numbers

    return Figure(figsize=(width, height), layout="constrained")


def _small_multiples(findings: Mapping[str, Report], draw: Any) -> Figure:
    columns = min(COLUMNS, len(findings))
    rows = -(-len(findings) // columns)
    figure = _figure(2.5 * columns + 0.3, 2.6 * rows + 0.2)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, finding) in zip(grid, findings.items(), strict=False):
        draw(axes, finding)
        axes.set_title(f"{name}, {finding['positive_films']} positive", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.xaxis.label.set_size(7)
        axes.yaxis.label.set_size(7)
    for axes in grid[len(findings) :]:
        axes.set_axis_off()
    return figure


def _roc(axes: Axes, finding: Report) -> None:
    x, y = np.array(finding["curves"]["roc"]).T
    axes.plot([0, 1], [0, 1], color=SOFT, lw=0.8, ls=":")
    axes.plot(x, y, color=INK, lw=1.4)
    for point, mark in (("rule_out", "o"), ("alert", "s")):
        reached = finding.get(point, {})
        if reached.get("sensitivity") and reached.get("specificity"):
            axes.plot(1 - reached["specificity"]["value"], reached["sensitivity"]["value"], mark, color=WARN, ms=4)
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="1 - specificity", ylabel="sensitivity", aspect="equal")
    if finding["auroc"]:
        axes.text(0.97, 0.05, f"{finding['auroc']['value']:.3f}", ha="right", fontsize=8, color=INK)


def _pr(axes: Axes, finding: Report) -> None:
    x, y = np.array(finding["curves"]["pr"]).T
    axes.axhline(finding["positive_films"] / finding["films"], color=SOFT, lw=0.8, ls=":")
    axes.plot(x, y, color=INK, lw=1.4)
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="sensitivity", ylabel="precision")
    if finding["auprc"]:
        axes.text(0.97, 0.93, f"{finding['auprc']['value']:.3f}", ha="right", fontsize=8, color=INK)


def _reliability(axes: Axes, finding: Report) -> None:
    x, y, films = np.array(finding["curves"]["reliability"]).T
    error = 1.96 * np.sqrt(np.maximum(y * (1 - y), 0.25 / films) / films)
    top = max(0.02, float(max(x.max(), (y + error).max()))) * 1.05
    axes.plot([0, top], [0, top], color=SOFT, lw=0.8, ls=":")
    axes.errorbar(x, y, error, fmt="o-", color=INK, ms=3, lw=1, elinewidth=0.7)
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="probability", ylabel="share present")
    slope = finding["calibration_slope"]
    axes.text(0.03, 0.9, f"slope {slope:.2f}" if slope is not None else "", transform=axes.transAxes, fontsize=8)


def _rows(axes: Axes, rows: list[tuple[str, Mapping[str, float] | None, bool]]) -> None:
    for place, (_, figure, strong) in enumerate(rows):
        if figure:
            colour = INK if strong else SOFT
            axes.plot([figure["low"], figure["high"]], [place, place], color=colour, lw=1.4)
            axes.plot(figure["value"], place, "o", color=colour, ms=4)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="x", labelsize=8)


def _slopes(findings: Mapping[str, Report]) -> Figure:
    figure = _figure(6.5, 0.24 * len(findings) + 0.9)
    axes = figure.subplots()
    axes.axvspan(0.8, 1.25, color=SOFT, alpha=0.25, lw=0)
    axes.axvline(1, color=SOFT, lw=0.8)
    _rows(axes, [(n, f["calibration"]["slope"], bool(f["calibration"]["judged"])) for n, f in findings.items()])
    axes.set_xlim(0, 3)
    axes.set_xlabel("calibration slope (pale: fewer than 50 positive films; band: 0.8 to 1.25)", fontsize=8)
    return figure


def _forest(population: Report) -> Figure:
    groups = population["subgroups"]
    rows = [("all", population["mean_auroc"], True)]
    rows += [
        (f"{name} ({g['films']} films, {g['patients']} patients)", g["mean_auroc"], True) for name, g in groups.items()
    ]
    figure = _figure(7, 0.26 * len(rows) + 0.9)
    axes = figure.subplots()
    if population["mean_auroc"]:
        axes.axvline(population["mean_auroc"]["value"], color=SOFT, lw=0.8)
    _rows(axes, rows)
    axes.set_xlabel("mean AUROC over the findings that the group can give", fontsize=8)
    return figure
