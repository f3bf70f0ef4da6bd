"""What the charts make is what the Kubernetes and Argo APIs take, checked without a cluster."""

from __future__ import annotations

import copy
import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.charts.tools import ROOT, ci_values, named, objects

# No cluster of ours has these: their own operators bring them.
ELSEWHERE = {
    "external-secrets.io/v1 ExternalSecret",
    "keda.sh/v1alpha1 ScaledObject",
    "monitoring.coreos.com/v1 PodMonitor",
    "monitoring.coreos.com/v1 PrometheusRule",
    "monitoring.coreos.com/v1 ServiceMonitor",
}
CASES = [
    pytest.param(chart, file, id=f"{chart}-{file.stem}")
    for chart in ("hilum", "monitoring", "platform")
    for file in ci_values(chart)
]


@cache
def schemas() -> dict[str, Any]:
    text = lzma.decompress(Path(__file__).with_name("schemas.json.xz").read_bytes())
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def validator(kind: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator({**schemas()["kinds"][kind], "definitions": schemas()["definitions"]})


def faults(document: dict[str, Any]) -> list[str]:
    kind = f"{document['apiVersion']} {document['kind']}"
    if kind in ELSEWHERE:
        return []
    where = f"{document['kind']}/{document['metadata']['name']}"
    found = list(validator(kind).iter_errors(document))
    return [f"{where}: {'.'.join(map(str, error.path))}: {error.message[:200]}" for error in found]


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_every_object_is_one_that_the_api_takes(chart: str, values: Path) -> None:
    assert [fault for document in objects(chart, values) for fault in faults(document)] == []


def test_a_misspelt_field_is_found() -> None:
    made = objects("hilum", ROOT / "charts/hilum/ci/production-values.yaml")
    good = named(made, "Rollout", "inference")
    wrong = copy.deepcopy(good)
    wrong["spec"]["strategy"]["blueGreen"]["activService"] = "inference"
    assert any("activService" in fault for fault in faults(wrong))
    web = copy.deepcopy(named(made, "Deployment", "web"))
    web["spec"]["template"]["spec"]["containers"][0]["imagePullPolcy"] = "Always"
    assert any("imagePullPolcy" in fault for fault in faults(web))
