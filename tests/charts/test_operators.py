"""What the charts give to operators: as the real ones were seen to need it (`make e2e-operators`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.charts.test_hilum import GPU, PRODUCTION, SMALL, environment
from tests.charts.tools import named, objects


def test_another_annotation_stands_beside_cert_managers_and_serves_another_controller() -> None:
    given = {"ingress__annotations__example\\.org/size": "64m"}
    made = named(objects("hilum", PRODUCTION, **given), "Ingress", "web")["metadata"]["annotations"]
    assert (made["example.org/size"], made["cert-manager.io/cluster-issuer"]) == ("64m", "hospital")
    assert named(objects("hilum", SMALL, **given), "Ingress", "web")["metadata"]["annotations"] == {
        "example.org/size": "64m"
    }


def test_an_acme_solver_is_reached_by_the_door_alone_and_only_where_an_issuer_is_named() -> None:
    spec = named(objects("hilum", PRODUCTION), "NetworkPolicy", "acme")["spec"]
    (rule,) = spec["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]
    names = {d["metadata"]["name"] for d in objects("hilum", PRODUCTION, ingress__clusterIssuer="")}
    assert "acme" not in names


def test_no_series_is_no_empty_queue() -> None:
    (trigger,) = named(objects("hilum", GPU), "ScaledObject", "inference")["spec"]["triggers"]
    assert trigger["metadata"]["ignoreNullValues"] == "false"


def test_a_setting_of_the_provider_takes_the_place_of_cuda_and_stands_once() -> None:
    def provider(**given: str) -> list[str]:
        made = named(objects("hilum", GPU, **given), "Deployment", "inference")["spec"]["template"]["spec"]
        return [e["value"] for e in made["containers"][0]["env"] if e["name"] == "HILUM_PROVIDER"]

    assert provider() == ["cuda"]
    assert provider(inference__settings__HILUM_PROVIDER="auto") == ["auto"]
    spec = named(objects("hilum", PRODUCTION), "Rollout", "inference")["spec"]["template"]["spec"]
    assert "HILUM_PROVIDER" not in environment(spec, "inference")


def test_web_asks_for_as_many_films_at_once_as_all_pods_of_inference_take() -> None:
    def parallel(values: Path, **given: str) -> list[str]:
        spec = named(objects("hilum", values, **given), "Deployment", "web")["spec"]["template"]["spec"]
        return [e["value"] for e in spec["containers"][0]["env"] if e["name"] == "HILUM_SCORING_PARALLEL"]

    assert parallel(PRODUCTION) == ["4"], "two pods of web, four of inference with two workers each"
    assert parallel(PRODUCTION, inference__autoscaling__maxReplicas="5") == ["5"]
    assert parallel(PRODUCTION, web__settings__HILUM_SCORING_PARALLEL="3") == ["3"]
    assert parallel(SMALL) == [], "nothing is scaled there"


@pytest.mark.parametrize("values", [GPU, PRODUCTION])
def test_a_service_monitor_is_chosen_by_its_label_and_gives_the_labels_that_rules_ask_by(values: Path) -> None:
    monitor = named(objects("hilum", values, serviceMonitor__enabled="true"), "ServiceMonitor", "hilum")
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert {r["targetLabel"] for r in endpoint["relabelings"] if "targetLabel" in r} == {"job", "environment"}
    # The two Services of blue-green would be two targets for one pod otherwise.
    assert {"regex": "service", "action": "labeldrop"} in endpoint["relabelings"]
    assert endpoint["honorLabels"] is True
