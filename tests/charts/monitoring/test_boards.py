"""Boards and rules speak of series that exist, in units, from a source that any Grafana can give them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.monitoring.metrics import ours, unknown
from tests.charts.monitoring.promtool import RULES, promtool
from tests.charts.tools import ROOT

CHART = ROOT / "charts/monitoring"
UNITS = {"short", "s", "percentunit", "percent", "bytes", "decmbytes", "Bps", "reqps", "ops"}
BOARDS = sorted((CHART / "dashboards").glob("*.json"))


def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_boards", CHART / "boards/make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expressions() -> list[str]:
    return [
        target["expr"]
        for path in BOARDS
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]


def test_there_is_a_board_for_each_who_looks() -> None:
    names = {path.stem for path in BOARDS}
    assert names == {"reading-room", "model", "inference", "promotion", "platform", "training"}


def test_the_dashboards_are_what_the_boards_say() -> None:
    make = maker()
    for name, board in make.boards().items():
        written = (CHART / f"dashboards/{name}.json").read_text(encoding="utf-8")
        assert written == make.text(name, board), "run: python charts/monitoring/boards/make.py"


@pytest.mark.parametrize("path", BOARDS, ids=lambda p: p.stem)
def test_every_panel_has_a_title_of_its_own_a_unit_and_a_relative_source(path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    titles = [panel["title"] for panel in board["panels"]]
    assert len(titles) == len(set(titles))
    assert board["uid"] == f"hilum-{path.stem}"
    for panel in board["panels"]:
        assert panel["title"] and panel["title"][0].isupper()
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}, panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target["legendFormat"] or target["format"] == "table" or len(panel["targets"]) == 1, panel["title"]
    assert "http://" not in path.read_text(encoding="utf-8")


def test_every_metric_of_a_board_exists() -> None:
    assert {name for expression in expressions() for name in unknown(expression)} == set()


def test_every_metric_of_a_rule_exists() -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES]
    rules = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    assert {name for rule in rules for name in unknown(rule["expr"])} == set()


def test_a_metric_that_no_code_has_is_found() -> None:
    assert unknown('sum(rate(hilum_films_eaten_total{site="north"}[5m]))') == {"hilum_films_eaten_total"}
    assert unknown("max by (environment) (hilum_gone offset 1d > 2 * hilum_model_ready)") == {"hilum_gone"}
    assert {"hilum_model_ready", "hilum_reads_total", "hilum_ranked_seconds_bucket"} <= ours()


def test_promtool_reads_every_query(tmp_path: Path) -> None:
    program = promtool()
    if program is None:
        pytest.skip("promtool is not here: apt-get install prometheus")
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$environment", "production")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}, width=10_000), encoding="utf-8")
    done = subprocess.run([program, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
