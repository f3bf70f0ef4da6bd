"""Every panel's query, asked of the cluster's Prometheus: what came, or why nothing could.

python -m tests.e2e.alerts.panels          writes the tables into docs/monitoring.md; status 1 where a panel is
                                           empty without a reason
python -m tests.e2e.alerts.panels --train  a tiny training on this machine first, for the board of trainings
python -m tests.e2e.alerts.panels --cost   also what monitoring costs: memory, series

A query that gives nothing now is asked of the last two hours, each half minute back: the proofs mend what they break.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.charts.tools import ROOT
from tests.e2e.alerts.monitor import TRAINING_PORT
from tests.e2e.alerts.results import PAGE
from tests.e2e.alerts.site import WATCHES
from tests.e2e.alerts.watch import Watch
from tests.e2e.cluster.kube import get
from tests.training.films import small_data, tiny_recipe

HOURS, STEP_SECONDS = 2, 30
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


def _ask(watches: list[Watch], queries: list[tuple[str, str]], unit: str) -> tuple[list[str], str]:
    """What the panel's queries give now, else when last they gave something, and that time."""
    now = time.time()
    for back in range(0, HOURS * 3600, STEP_SECONDS):
        found = [
            f"{_name(series, legend)}: {_shown(series, unit)}".removeprefix(": ")
            for expression, legend in queries
            for watch in watches
            for series in watch.query(expression.replace("$environment", ".*"), now - back)
        ]
        if found:
            return found, time.strftime(" (%H:%M)", time.gmtime(now - back)) if back else ""
    return [], ""


def train() -> None:
    """`hilum train` of a tiny recipe on real films, scraped while it runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = small_data(folder / "films", 1200)
        recipe = tiny_recipe(data).model_dump(mode="json")
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        options = ["--data", data, "--work", folder / "run", "--store", folder / "store", "--no-tracking"]
        listens = ["--metrics-port", TRAINING_PORT, "--metrics-address", "0.0.0.0"]
        command = [sys.executable, "-m", "services.cli", "train", folder / "recipe.yaml", *options, *listens]
        subprocess.run([str(part) for part in command], cwd=ROOT, check=True)


def main() -> int:
    """Ask, write, count what is empty."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--train", action="store_true")
    options = parser.parse_args()
    if options.train:
        train()
    make, all_boards = boards()
    # The environments that ArgoCD keeps have their own; the proofs' hospital has what those have not.
    named = [name for name in ("monitoring", WATCHES[1]) if get("", "namespace", name)]
    watches = [Watch(name) for name in named]
    lines, empty = [], 0
    for name, board in all_boards.items():
        lines += [f"\n**{board['title']}** (`{name}.json`)\n", "| panel | what came |", "|---|---|"]
        for panel in board["panels"]:
            found, when = _ask(watches, make.queries(panel), panel["unit"])
            reason = panel.get("empty", "")
            empty += not found and not reason
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            said = "; ".join(found[:3]) + more + when if found else f"no data: {reason or '**no reason known**'}"
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
