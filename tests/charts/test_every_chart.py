"""What holds for every chart with every file of values: security, limits, probes, comments, schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.tools import ROOT, ci_values, objects, pods, template

CHARTS = sorted(p.parent.name for p in (ROOT / "charts").glob("*/Chart.yaml"))
CASES = [pytest.param(chart, file, id=f"{chart}-{file.stem}") for chart in CHARTS for file in ci_values(chart)]


def walk(values: Any, path: str = "") -> list[str]:
    if not isinstance(values, dict):
        return [path]
    return [path] + [leaf for key, value in values.items() for leaf in walk(value, f"{path}.{key}".lstrip("."))]


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_every_pod_is_restricted_and_bounded(chart: str, values: Path) -> None:
    for where, pod in pods(objects(chart, values)):
        assert pod["automountServiceAccountToken"] is False, where
        assert pod["securityContext"]["runAsNonRoot"] is True, where
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert not any("hostPath" in volume for volume in pod.get("volumes", [])), where
        for container in (*pod.get("initContainers", []), *pod["containers"]):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, where
            assert security["readOnlyRootFilesystem"] is True, where
            assert security["capabilities"] == {"drop": ["ALL"]}, where
            assert container["resources"]["limits"]["memory"], where
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), where
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", where


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_every_workload_that_stays_has_three_probes(chart: str, values: Path) -> None:
    for where, pod in pods(objects(chart, values)):
        if where.split("/")[0] in {"Deployment", "Rollout", "StatefulSet"}:
            for container in pod["containers"]:
                assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), where


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_no_chart_makes_a_secret(chart: str, values: Path) -> None:
    assert [d for d in objects(chart, values) if d["kind"] == "Secret"] == []


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_rendering_twice_gives_the_same(chart: str, values: Path) -> None:
    assert template(chart, values).stdout == template(chart, values).stdout


@pytest.mark.parametrize("chart", CHARTS)
def test_every_value_stands_in_the_schema_and_no_other_is_taken(chart: str) -> None:
    folder = ROOT / "charts" / chart
    schema = json.loads((folder / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8"))

    def check(tree: dict[str, Any], part: dict[str, Any], path: str) -> None:
        assert part["additionalProperties"] is False, path or "top"
        for key, value in tree.items():
            known = part.get("properties", {})
            if "patternProperties" in part or (key not in known and path.endswith(("requests", "limits"))):
                continue
            assert key in known, f"{path}.{key} is not in the schema"
            if isinstance(value, dict) and known[key].get("properties") and "additionalProperties" in known[key]:
                check(value, known[key], f"{path}.{key}")

    check(values, schema, "")
    typo = template(chart, ci_values(chart)[0], nonsense="1")
    assert typo.returncode != 0
    assert "additional properties 'nonsense' not allowed" in typo.stderr


@pytest.mark.parametrize("chart", CHARTS)
def test_every_group_of_values_is_explained_above_it(chart: str) -> None:
    lines = (ROOT / "charts" / chart / "values.yaml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[a-zA-Z]+:", line):
            above = lines[number - 1]
            following = lines[number + 1] if number + 1 < len(lines) else ""
            explained = above.startswith("#") or following.lstrip().startswith("#") or re.match(r"[a-zA-Z]+:", above)
            assert explained or following.startswith("  "), f"{chart}: {line}"
