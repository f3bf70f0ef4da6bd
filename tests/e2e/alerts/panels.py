"""Every panel's query, asked of the cluster's Prometheus: what came, or why nothing could.

python -m tests.e2e.alerts.panels          writes the tables into docs/monitoring.md; status 1 where a panel is
                                           empty without a reason
python -m tests.e2e.alerts.panels --cost   also what monitoring costs: memory, series
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import re
import sys
from typing import Any

from tests.charts.tools import ROOT
from tests.e2e.alerts.results import PAGE
from tests.e2e.alerts.site import WATCHES
from tests.e2e.alerts.watch import Watch
from tests.e2e.cluster.kube import get

BEGIN, END = "<!-- panels: begin -->", "<!-- panels: end -->"


def boards() -> tuple[Any, dict[str, dict[str, Any]]]:
    """The module that makes the boards, and the boards."""
    spec = importlib.util.spec_from_file_location("make_boards", ROOT / "charts/monitoring/boards/make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.boards()


def _shown(series: dict[str, Any], unit: str) -> str:
    value = float(series["value"][1])
    if unit == "s":
        return f"{value:.3g} s"
    if unit in {"percentunit", "percent"}:
        return "not a number" if math.isnan(value) else f"{value * (100 if unit == 'percentunit' else 1):.3g} %"
    if unit in {"bytes", "Bps"}:
        return f"{value / 2**20:.3g} MiB{'/s' if unit == 'Bps' else ''}"
    return f"{value:.4g}"


def _name(series: dict[str, Any], legend: str) -> str:
    labels = series["metric"]
    if legend:
        return re.sub(r"\{\{(\w+)\}\}", lambda found: str(labels.get(found.group(1), ""))[:20], legend).strip()
    return " ".join(str(value)[:20] for key, value in sorted(labels.items()) if key != "__name__")


def main() -> int:
    """Ask, write, count what is empty."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    make, all_boards = boards()
    # The environments that ArgoCD keeps have their own; the proofs' hospital has what those have not.
    named = [name for name in ("monitoring", WATCHES[1]) if get("", "namespace", name)]
    watches = [Watch(name) for name in named]
    lines, empty = [], 0
    for name, board in all_boards.items():
        lines += [f"\n**{board['title']}** (`{name}.json`)\n", "| panel | what came |", "|---|---|"]
        for panel in board["panels"]:
            found = [
                f"{_name(series, legend)}: {_shown(series, panel['unit'])}".removeprefix(": ")
                for expression, legend in make.queries(panel)
                for watch in watches
                for series in watch.query(expression.replace("$environment", ".*"))
            ]
            reason = panel.get("empty", "")
            empty += not found and not reason
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            said = "; ".join(found[:3]) + more if found else f"no data: {reason or '**no reason known**'}"
            lines.append(f"| {panel['title']} | {said.replace('|', '/')} |")
    if options.cost:
        for title, expression in {
            "memory of Prometheus, MiB": 'max(process_resident_memory_bytes{job="prometheus"}) / 2^20',
            "memory of monitoring, MiB": 'sum(container_memory_working_set_bytes{namespace=~"monitoring|mon-watch",'
            'container!="",pod!~"receiver|crowd|many|dcgm|promoter"}) by (namespace, container) / 2^20',
            "series in all": "max(prometheus_tsdb_head_series)",
            "most series of a pod, by service": 'max by (job) (scrape_samples_post_metric_relabeling{job=~"web|'
            'inference|feedback|promoter"})',
        }.items():
            for name, watch in zip(named, watches, strict=True):
                for series in watch.query(expression):
                    print(name, title, series["metric"], series["value"][1])
    text = PAGE.read_text(encoding="utf-8")
    part = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    PAGE.write_text(part.sub(lambda _: BEGIN + "\n" + "\n".join(lines) + "\n" + END, text), encoding="utf-8")
    print(f"{empty} panels are empty without a reason")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
