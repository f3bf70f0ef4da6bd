"""The model card's tables: figures per population, subgroups with their gaps, precisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hilum.release import Variant
from training.release.parts import title

_COLUMNS = (
    "| finding | positive films / patients | AUROC | AUPRC | rule-out: sensitivity | specificity | alert: sensitivity "
    "| specificity | Brier | ECE | slope |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def row_of(cells: Iterable[object]) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def figure(interval: Mapping[str, float] | None, digits: int = 3) -> str:
    """A figure with its interval; a dash where there is none."""
    if interval is None:
        return "-"
    return f"{interval['value']:.{digits}f} ({interval['low']:.{digits}f} to {interval['high']:.{digits}f})"


def _finding(name: str, figures: Mapping[str, Any]) -> str:
    cells = [name, f"{figures['positive_films']} / {figures['positive_patients']}"]
    cells += [figure(figures["auroc"]), figure(figures["auprc"])]
    for point in ("rule_out", "alert"):
        point_figures = figures.get(point, {})
        cells += [figure(point_figures.get(kind), 2) for kind in ("sensitivity", "specificity")]
    ece, slope = figures.get("ece"), figures.get("calibration_slope")
    cells += [
        figure(figures.get("brier")),
        "-" if ece is None else f"{ece:.3f}",
        "-" if slope is None else f"{slope:.2f}",
    ]
    return row_of(cells)


def _gaps(gaps: Any) -> list[str]:
    """The largest gap of each attribute, and whether the films bear it."""
    lines = []
    for gap in gaps or []:
        if gap.get("gap"):
            borne = "borne out" if gap["claimed"] else "not borne out by so few films"
            lines.append(
                f"- {gap['attribute']}: {gap['finding']} {gap['figure']} is {figure(gap['gap'])} higher for "
                f"{gap['higher']} than for {gap['lower']}; {borne}"
            )
    return ["\nLargest gaps:\n", *lines] if lines else []


def _population(source: str, population: Mapping[str, Any], calibrated: bool) -> list[str]:
    lines = [f"\n### {title(source)}: {population['films']} films of {population['patients']} patients\n"]
    if not calibrated:
        lines.append("At operating points that were made on another population.\n")
    if mean := population.get("mean_auroc"):
        without = population.get("mean_auroc_without_hernia")
        lines.append(
            f"Mean AUROC over the {mean.get('findings', len(population['findings']))} findings: **{figure(mean)}**"
            + (f"; without Hernia: **{figure(without)}**.\n" if without else ".\n")
        )
    lines += [_COLUMNS, *(_finding(name, figures) for name, figures in population["findings"].items())]
    if population.get("critical_composite", {}).get("auroc"):
        composite = population["critical_composite"]
        lines.append(
            f"\nAny critical finding against none, by what makes a film critical: AUROC {figure(composite['auroc'])} "
            f"({composite['positive_films']} films of {composite['films']})."
        )
    if groups := population.get("subgroups"):
        lines += [
            "\nSubgroups (mean AUROC over the findings that the group can give; small groups swing widely):\n",
            "| group | films | patients | mean AUROC |\n|---|---|---|---|",
            *(row_of([name, g["films"], g["patients"], figure(g["mean_auroc"])]) for name, g in groups.items()),
        ]
    return [*lines, *_gaps(population.get("gaps"))]


def evaluation(report: Mapping[str, Any], source: str) -> list[str]:
    """The figures on the locked patients; `source` is the population that set the thresholds, which stands first."""
    lines = [
        "\n## Figures on the locked patients\n",
        "Of the exported ONNX file; each use of the locked patients is counted in docs/locked-uses.jsonl of the "
        f"repository. 95 % intervals by {report['bootstrap_draws']} bootstrap draws of patients. Populations are never "
        "pooled. A dash: too few films to say.",
    ]
    populations = report["populations"]
    for name in sorted(populations, key=lambda s: (s != source, s)):
        lines += _population(name, populations[name], calibrated=name == source)
    for pair, guessed in (report.get("sources") or {}).items():
        if isinstance(guessed, Mapping) and guessed.get("from_all_scores") is not None:
            lines.append(
                f"\nHow well the source ({pair}) can be told from the scores (they differ in age and disease, so "
                f"this is not 0.5 even for an honest model): AUROC {guessed['from_all_scores']}."
            )
    return lines


def _mean(report: Mapping[str, Any], precision: str, source: str) -> str:
    part = report if precision == "fp32" else report["variants"].get(precision, {})
    return figure((part.get("populations", {}).get(source) or {}).get("mean_auroc"))


def precisions(variants: Sequence[Variant], sizes: Mapping[str, int], report: Mapping[str, Any]) -> list[str]:
    """Size, speed and losses of each precision, and why another that was asked for is not here."""
    source = report["critical"]["source"]
    lines = [
        "\n## Precisions\n",
        "Each has its own calibration and operating points. Parity: the largest difference of a probability from "
        "PyTorch's. Losses are against fp32 on calibration and validation films.\n",
        f"| precision | MB | parity | mean AUROC, locked {title(source)} | mean AUROC lost | most lost on a critical "
        "finding | studies moved across bands |\n|---|---|---|---|---|---|---|",
    ]
    for v in variants:
        lost = v.fidelity
        worst = max(lost.critical_auroc_loss.values(), default=0.0) if lost else 0.0
        losses = [f"{lost.mean_auroc_loss:.4f}", f"{worst:.4f}", f"{lost.studies_moved:.2%}"] if lost else ["-"] * 3
        parity = f"{v.parity.max_probability_difference:.1e}" if v.parity else "-"
        lines.append(
            row_of([v.precision, f"{sizes[v.file] / 1e6:.1f}", parity, _mean(report, v.precision, source), *losses])
        )
    lines += [f"\n{reason}." for reason in report["refused_variants"].values()]
    machines = sorted({speed.machine for v in variants for speed in v.speed})
    lines += [
        f"\nMilliseconds a film on one thread of {', '.join(machines) or 'no machine'}, the best of several runs:\n",
        "| precision | provider | one film | 16 at once |\n|---|---|---|---|",
    ]
    for v in variants:
        for provider in dict.fromkeys(speed.provider for speed in v.speed):
            took = {speed.batch: speed.ms_per_film for speed in v.speed if speed.provider == provider}
            lines.append(row_of([v.precision, provider, took.get(1, "-"), took.get(16, "-")]))
    return lines
