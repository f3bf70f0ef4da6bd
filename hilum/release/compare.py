"""Two releases side by side, from their manifests and evaluation reports alone: nothing is scored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hilum.release.bundle import BadRelease, Release


@dataclass(frozen=True)
class FindingRow:
    """One finding in both releases; None where a release does not score it, or gives no such figure."""

    name: str
    established: tuple[bool | None, bool | None]
    rule_out: tuple[float | None, float | None]
    alert: tuple[float | None, float | None]
    auroc: tuple[float | None, float | None]


@dataclass(frozen=True)
class Comparison:
    """`facts` are (name, A's, B's) for what a release says of itself; `same_order` whether all findings agree in order.

    AUROCs are each release's own on its locked patients: a difference means little where those are not the same, which
    `same_data` tells. The paired judgement is `hilum compare`'s.
    """

    facts: tuple[tuple[str, str, str], ...]
    findings: tuple[FindingRow, ...]
    same_order: bool
    same_data: bool


def _report(release: Release) -> dict[str, Any]:
    try:
        report = json.loads(release.read(release.manifest.evaluation))
    except ValueError as error:
        if isinstance(error, BadRelease):
            raise
        raise BadRelease(f"{release.manifest.evaluation} is not JSON") from error
    return report if isinstance(report, dict) else {}


def _population(report: dict[str, Any]) -> dict[str, Any]:
    """The population that the thresholds are of; reports before 1.1 have NIH's alone."""
    populations = report.get("populations") or {}
    source = (report.get("critical") or {}).get("source")
    return populations.get(source) or report.get("nih") or {}


def _value(figure: Any) -> float | None:
    return figure.get("value") if isinstance(figure, dict) else None


def _facts(a: Release, b: Release, reports: tuple[dict[str, Any], dict[str, Any]]) -> list[tuple[str, str, str]]:
    def of(release: Release, report: dict[str, Any]) -> dict[str, str]:
        manifest = release.manifest
        variant = manifest.variant(manifest.default_precision)
        mean = _population(report).get("mean_auroc")
        spoken = "-" if not mean else f"{mean['value']:.3f} ({mean['low']:.3f} to {mean['high']:.3f})"
        quick = [s for s in variant.speed if s.batch == 1]
        return {
            "release": f"{manifest.name} {manifest.version}",
            "digest": release.digest,
            "created": manifest.created,
            "training data": manifest.training_data_digest[:12],
            "input": f"{manifest.input.height} x {manifest.input.width}, {manifest.input.normalisation}",
            "precisions": ", ".join(v.precision for v in manifest.variants),
            "critical margin": f"{variant.critical_margin:.3f}",
            "mean AUROC, locked": spoken,
            "MB": f"{sum((release.folder / name).stat().st_size for name in manifest.files) / 1e6:.1f}",
            "ms a film": ", ".join(f"{s.provider} {s.ms_per_film:.1f}" for s in quick) or "-",
        }

    left, right = of(a, reports[0]), of(b, reports[1])
    return [(name, left[name], right[name]) for name in left]


def compare(a: Release, b: Release) -> Comparison:
    """Findings, thresholds and figures of two verified releases; raises BadRelease where a report can't be read."""
    reports = (_report(a), _report(b))
    tables = [_population(report).get("findings") or {} for report in reports]
    specs = [{s.name: s for s in r.manifest.variant(r.manifest.default_precision).findings} for r in (a, b)]
    rows = []
    for name in dict.fromkeys((*a.findings, *b.findings)):
        one, other = (spec.get(name) for spec in specs)
        aurocs = [_value((table.get(name) or {}).get("auroc")) for table in tables]
        rows.append(
            FindingRow(
                name,
                established=(one.established if one else None, other.established if other else None),
                rule_out=(one.rule_out.threshold if one else None, other.rule_out.threshold if other else None),
                alert=(one.alert.threshold if one else None, other.alert.threshold if other else None),
                auroc=(aurocs[0], aurocs[1]),
            )
        )
    same_data = a.manifest.training_data_digest == b.manifest.training_data_digest
    return Comparison(tuple(_facts(a, b, reports)), tuple(rows), a.findings == b.findings, same_data)
