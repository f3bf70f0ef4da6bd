"""Rule tests by the real promtool: a case says which series come, when an alert fires and when it does not."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.charts.tools import ROOT

RULES = sorted((ROOT / "charts/monitoring/rules").glob("*.yaml"))


@dataclass(frozen=True)
class Case:
    """`series` in promtool's notation, a value a minute; the alert fires, or is quiet, at the given times.

    Our own series are production's unless they say otherwise. `nan` are series that are not a number all the time.
    Rules are evaluated `every` so often: less often where a case takes days.
    """

    alert: str
    says: str
    series: dict[str, str]
    fires: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    nan: tuple[str, ...] = ()
    every: str = "1m"

    def document(self, rules: str) -> dict[str, Any]:
        """The case as a test file of promtool, over the file `rules`."""
        firing = f'count(ALERTS{{alertname="{self.alert}",alertstate="firing"}}) or vector(0)'
        checks = [
            {"expr": firing, "eval_time": time, "exp_samples": [{"labels": "{}", "value": float(there)}]}
            for there, times in ((1, self.fires), (0, self.quiet))
            for time in times
        ]
        series = [{"series": _in_production(name), "values": values} for name, values in self.series.items()]
        test = {"name": self.says, "interval": "1m", "input_series": series, "promql_expr_test": checks}
        return {"rule_files": [rules], "evaluation_interval": self.every, "tests": [test]}

    def rules(self) -> dict[str, Any]:
        """The alert with the recording rules that it stands on; promtool can't be given NaN, so a rule gives it."""
        made = [
            {"record": name.partition("{")[0], "expr": "vector(0) / 0", "labels": _labels(_in_production(name))}
            for name in self.nan
        ]
        return {"groups": [{"name": "case", "rules": [*made, *_needed(self.alert)]}]}


@cache
def _all() -> tuple[dict[str, Any], ...]:
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    return tuple(rule for file in files for group in file["groups"] for rule in group["rules"])


def _needed(alert: str) -> list[dict[str, Any]]:
    """The rules in the order of their files, without those that the alert does not use: promtool is slow on days."""
    recorded = {rule["record"]: rule for rule in _all() if "record" in rule}
    (top,) = (rule for rule in _all() if rule.get("alert") == alert)

    def names(rule: dict[str, Any]) -> Iterator[str]:
        for name in re.findall(r"[a-z_]+:[a-z_0-9]+:[a-z_0-9]+|[a-z_]+:[a-z_]+", rule["expr"]):
            if name in recorded:
                yield from names(recorded[name])
                yield name

    wanted = set(names(top))
    return [rule for name, rule in recorded.items() if name in wanted] + [top]


def _in_production(series: str) -> str:
    """Our own series carry an environment, as every scraped target of ours does."""
    if not series.startswith(("hilum_", "up")) or "environment=" in series:
        return series
    name, _, labels = series.partition("{")
    return f'{name}{{environment="production",{labels}' if labels else f'{name}{{environment="production"}}'


def _labels(series: str) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="([^"]*)"', series))


def promtool() -> str | None:
    """The program, where it is installed (Debian's package `prometheus` holds it)."""
    return shutil.which("promtool")


def run(cases: list[Case], folder: Path) -> str:
    """What promtool says of `cases`; empty: every one holds."""
    program = promtool()
    assert program is not None
    files = []
    for number, case in enumerate(cases):
        rules = folder / f"{number}-rules.yaml"
        rules.write_text(yaml.safe_dump(case.rules(), width=10_000), encoding="utf-8")
        file = folder / f"{number} {case.alert}, {re.sub('[^a-z0-9 ]', '', case.says.lower())}.yaml"
        file.write_text(yaml.safe_dump(case.document(str(rules)), sort_keys=False, width=10_000), encoding="utf-8")
        files.append(str(file))
    done = subprocess.run([program, "test", "rules", *files], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
