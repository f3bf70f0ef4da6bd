"""The Prometheus operator: targets by the chart's PodMonitor and ServiceMonitor, rules by its PrometheusRules."""

from __future__ import annotations

from typing import Any

import httpx

from tests.e2e.alerts.site import applied
from tests.e2e.cluster.kube import get, kubectl, wait_until
from tests.e2e.cluster.site import forwarded
from tests.e2e.operators.site import ROOM, WATCH, Site, installed

LABELS = {"release": "kube-prometheus-stack"}
OFF = {"enabled": False}


def prometheus(monitors: str) -> dict[str, Any]:
    """A Prometheus that chooses by label in all namespaces, as kube-prometheus-stack makes it."""
    chosen = {"matchLabels": LABELS}
    return {
        "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
        "metadata": {"name": "operated", "namespace": WATCH},
        "spec": {
            "image": "docker.io/prom/prometheus:v3.15.0", "version": "3.15.0", "replicas": 1,
            "serviceAccountName": "prometheus",
            "evaluationInterval": "5s", "resources": {"requests": {"cpu": "10m", "memory": "128Mi"}},
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532,
                                "seccompProfile": {"type": "RuntimeDefault"}},
            "ruleSelector": chosen, "ruleNamespaceSelector": {}, f"{monitors}Selector": chosen,
            f"{monitors}NamespaceSelector": {},
        },
    }  # fmt: skip


def account() -> None:
    """The role of k8s/bootstrap, and what the operator's discovery asks besides (kube-prometheus-stack grants it)."""
    kubectl("create", "serviceaccount", "prometheus", "-n", WATCH, check=False)
    group = "rbac.authorization.k8s.io"
    who = [{"kind": "ServiceAccount", "name": "prometheus", "namespace": WATCH}]
    for name in ("hilum-prometheus", "ops-endpoints"):
        applied({"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": f"ops-{name}"},
                 "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}, "subjects": who})  # fmt: skip
    rule = {"apiGroups": [""], "resources": ["endpoints"], "verbs": ["get", "list", "watch"]}
    applied(
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "ops-endpoints"}, "rules": [rule]}
    )


def asked(path: str) -> dict[str, Any]:
    """What that Prometheus answers."""
    with forwarded(WATCH, "prometheus-operated", 9090) as address:
        found: dict[str, Any] = httpx.get(f"{address}/api/v1/{path}", timeout=30, trust_env=False).json()["data"]
    return found


def targets() -> list[tuple[str, str, str]]:
    """Job, environment and pod of each target that answers."""
    up = [one["labels"] for one in asked("targets?state=active")["activeTargets"] if one["health"] == "up"]
    return sorted((one["job"], one.get("environment", ""), one["pod"]) for one in up)


def expected() -> list[tuple[str, str, str]]:
    """What there is to scrape in the room."""
    pods = get(ROOM, "pods", "-l", "app.kubernetes.io/name=hilum")["items"]
    running = [p for p in pods if p["status"]["phase"] == "Running" and "deletionTimestamp" not in p["metadata"]]
    part = "app.kubernetes.io/component"
    return sorted((p["metadata"]["labels"][part], "production", p["metadata"]["name"]) for p in running)


def the_prometheus_operator_finds_each_pod_once_and_evaluates_the_rules(site: Site) -> str:
    """charts/monitoring with operator-values.yaml, then charts/hilum's own ServiceMonitor in its place."""
    account()
    off = dict.fromkeys(("prometheus", "kubeStateMetrics", "postgresqlExporter", "alertmanager", "grafana"), OFF)
    watching = {"environments": [ROOM], "networkPolicy": OFF, **off}
    site.install("web", "inference", "feedback")
    installed("monitoring", WATCH, {**watching, "operator": {"enabled": True}, "prometheus": {
        "enabled": False, "intervalSeconds": 5}})  # fmt: skip
    kubectl("-n", WATCH, "delete", "prometheus.monitoring.coreos.com", "operated", "--ignore-not-found")
    applied(prometheus("podMonitor"))
    wait_until("its pod", lambda: ready("prometheus-operated-0"), 240)
    wait_until("a target for each pod", lambda: targets() == expected(), 240)
    by_pods = targets()
    # An alert of ours that always fires, and a rule of which it is made.
    wait_until("rules", lambda: bool(asked("rules")["groups"]), 120)
    groups = asked("rules")["groups"]
    bad = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]
    assert not bad, bad
    rules = sum(len(group["rules"]) for group in groups)
    wait_until("the Watchdog", lambda: "Watchdog" in firing(), 120)
    boards = get(WATCH, "configmap", "hilum-dashboards")
    assert boards["metadata"]["labels"]["grafana_dashboard"] == "1"
    # The other way: the application's own monitor; nothing of charts/monitoring chooses pods.
    applied(prometheus("serviceMonitor") | {})
    kubectl("-n", WATCH, "delete", "podmonitor", "hilum")
    site.install("inference", serviceMonitor={"enabled": True, "interval": "5s"}, inference=twice())
    wait_until("a target for each pod by the ServiceMonitor", lambda: targets() == expected(), 240)
    return (
        f"PodMonitor: {len(by_pods)} targets, each pod once ({', '.join(sorted({job for job, _, _ in by_pods}))}); "
        f"{rules} rules in {len(groups)} groups, none in error, Watchdog fires; {len(boards['data'])} boards labelled; "
        f"ServiceMonitor in its place: {len(targets())} targets, each pod once"
    )


def twice() -> dict[str, Any]:
    """Two pods of inference."""
    return {"replicas": 2}


def ready(name: str) -> bool:
    """Whether a pod answers."""
    conditions = get(WATCH, "pod", name).get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def firing() -> set[str]:
    """Names of the alerts that fire."""
    return {one["labels"]["alertname"] for one in asked("alerts")["alerts"] if one["state"] == "firing"}
