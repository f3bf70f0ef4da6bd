"""Write dashboards/*.json, which Grafana is given, from the boards beside this file (run it after a change).

A board is a title, a sentence and panels: title, unit, one query or several, legend. `$of` stands for the label that
its variable chooses. `empty` says why a panel may have no data where the boards are tried (tests/e2e/alerts).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "dashboards"
CHOSEN = 'environment=~"$environment"'
KINDS = {"timeseries": "timeseries", "stat": "stat", "table": "table", "timeline": "state-timeline"}
SOURCE = {"type": "prometheus", "uid": "prometheus"}
COLUMNS, HEIGHT = 2, 8


def queries(panel: dict[str, Any]) -> list[tuple[str, str]]:
    """(expression, legend) of a panel."""
    given = panel.get("queries") or [(panel["query"], panel.get("legend", ""))]
    return [(expression.replace("$of", CHOSEN), legend) for expression, legend in given]


def _panel(number: int, panel: dict[str, Any]) -> dict[str, Any]:
    kind = panel.get("kind", "timeseries")
    table = kind == "table"
    made: dict[str, Any] = {
        "id": number + 1,
        "type": KINDS[kind],
        "title": panel["title"],
        "description": panel.get("about", ""),
        "datasource": SOURCE,
        "gridPos": {"x": number % COLUMNS * 12, "y": number // COLUMNS * HEIGHT, "w": 12, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel["unit"], "noValue": "no data"}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": table,
                "range": not table,
                "format": "table" if table else "time_series",
            }
            for index, (expression, legend) in enumerate(queries(panel))
        ],
    }
    if kind == "timeseries":
        made["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
        made["fieldConfig"]["defaults"]["custom"] = {"fillOpacity": 8, "showPoints": "never", "spanNulls": False}
    if table:
        made["transformations"] = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]
    return made


def dashboard(name: str, board: dict[str, Any]) -> dict[str, Any]:
    """The board as Grafana reads it."""
    chosen = {
        "name": "environment",
        "label": "Environment",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": "label_values(hilum_requests_total, environment)", "refId": "A"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }
    uses = any("$environment" in expression for panel in board["panels"] for expression, _ in queries(panel))
    return {
        "uid": f"hilum-{name}",
        "title": f"Hilum: {board['title']}",
        "description": board["about"],
        "tags": ["hilum"],
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["hilum"], "title": "Boards", "asDropdown": True, "keepTime": True}],
        "templating": {"list": [chosen] if uses else []},
        "annotations": {"list": []},
        "panels": [_panel(number, panel) for number, panel in enumerate(board["panels"])],
    }


def boards() -> dict[str, dict[str, Any]]:
    """Every board by its name."""
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("*.yaml"))}


def text(name: str, board: dict[str, Any]) -> str:
    """The file's content."""
    return json.dumps(dashboard(name, board), indent=1) + "\n"


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for name, board in boards().items():
        (OUT / f"{name}.json").write_text(text(name, board), encoding="utf-8")
