"""charts/monitoring over the hospital: once as it is, and twice with the same rules in faster time (`compress`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.alerts.compress import chart
from tests.e2e.alerts.site import APP, CANARY, FOLDER, SLOW, STORES, WATCHES, Site, applied, installed, pod, secret
from tests.e2e.cluster.kube import ROOT, kubectl

TEAMS = ("clinical", "platform", "data-science", "watchdog")
# Where no registry is to be had: programs of Debian 12 and of Go modules, as images (docs/monitoring.md says how).
IMAGES = {
    "prometheus": os.environ.get("E2E_PROMETHEUS", "docker.io/prom/prometheus:v3.15.0"),
    "alertmanager": os.environ.get("E2E_ALERTMANAGER", "docker.io/prom/alertmanager:v0.25.0"),
    "kubeStateMetrics": os.environ.get(
        "E2E_KUBE_STATE_METRICS", "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.15.0"
    ),
    "postgresqlExporter": os.environ.get(
        "E2E_POSTGRES_EXPORTER", "quay.io/prometheuscommunity/postgres-exporter:v0.11.1"
    ),
}
# A site's own rule that can't be evaluated once a pod gives `made_up` with many numbers: many match many.
OWN_RULE = """groups:
  - name: site
    rules:
      - record: site:made_up:ratio
        expr: made_up / on (job) made_up
"""
# The kubelet counts volumes once a minute; its page is too long to be read each second.
VOLUMES: dict[str, Any] = {
    "job_name": "kubelet",
    "scheme": "https",
    "scrape_interval": "15s",
    "authorization": {"credentials_file": "/var/run/secrets/kubernetes.io/serviceaccount/token"},
    "tls_config": {"insecure_skip_verify": True},
    "kubernetes_sd_configs": [{"role": "node"}],
    "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": "kubelet_volume_stats_.*", "action": "keep"}],
}


def install(site: Site) -> None:
    """All three, each with a receiver of its own."""
    for factor, namespace in WATCHES.items():
        kubectl("create", "namespace", namespace, check=False)
        _roles(namespace)
        secret(namespace, "mon-postgresql", username="monitoring", password=site.memory["watcher"])
        for space in (APP, CANARY, SLOW):
            _let_in(space, namespace)
        _receiver(site, namespace)
        _chart(factor, namespace)
    for namespace in WATCHES.values():
        for what in ("statefulset/prometheus", "statefulset/alertmanager", "deployment/kube-state-metrics"):
            kubectl("-n", namespace, "rollout", "status", what, "--timeout=240s")
        kubectl("-n", namespace, "wait", "pod/receiver", "--for=condition=Ready", "--timeout=120s")


def _roles(namespace: str) -> None:
    """k8s/bootstrap's accounts and roles, for this namespace."""
    made = []
    for document in yaml.safe_load_all((ROOT / "k8s/bootstrap/monitoring.yaml").read_text(encoding="utf-8")):
        if document["kind"] == "Namespace":
            continue
        if document["kind"] == "ServiceAccount":
            document["metadata"]["namespace"] = namespace
        else:
            document["metadata"]["name"] += f"-{namespace}"
        if document["kind"] == "ClusterRoleBinding":
            document["roleRef"]["name"] += f"-{namespace}"
            document["subjects"][0]["namespace"] = namespace
        made.append(document)
    applied(*made)


def _let_in(space: str, watch: str) -> None:
    """A further scraper: charts/hilum lets one namespace in."""
    if watch == WATCHES[1]:
        return
    spec = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "hilum"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": watch}}}],
                     "ports": [{"port": "http", "protocol": "TCP"}]}],
    }  # fmt: skip
    meta = {"name": f"metrics-{watch}", "namespace": space}
    applied({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})


def _chart(factor: int, namespace: str) -> None:
    real = factor == 1
    to = {team: {"webhooks": [{"url": f"http://receiver:8080/{team}"}]} for team in TEAMS}
    little = {"requests": {"cpu": "5m", "memory": "64Mi"}, "limits": {"memory": "600Mi"}}
    small = {"requests": {"cpu": "5m", "memory": "24Mi"}, "limits": {"memory": "128Mi"}}
    # Promoter, evaluation and training of the proof run on the host, as tests/e2e/promotion does.
    outside = {"promoter": [{"targets": [f"{NODE}:{PROMOTER_PORT}"]}],
               "evaluation": [{"targets": [f"{NODE}:{EVALUATION_PORT}"],
                               "labels": {"environment": "staging"}}],
               "training": [{"targets": [f"{NODE}:{TRAINING_PORT}"]}]}  # fmt: skip
    if real:
        outside["argocd"] = [{"targets": [f"{NODE}:8182"]}]
    folder = chart(factor, FOLDER / f"chart-{factor}", {"site.yaml": OWN_RULE} if real else None)
    installed("monitoring", namespace, {
        "environments": [APP, CANARY, SLOW],
        "prometheus": {"image": IMAGES["prometheus"], "storage": "2Gi", "intervalSeconds": 15 if real else 2,
                       "resources": little, "targets": outside, "scrapeConfigs": [] if real else [VOLUMES]},
        "scrape": {"argocd": "", "minio": f"minio.{STORES}.svc:9000" if real else "", "kubelet": real,
                   "rollouts": "argo-rollouts" if real else "", "dcgm": namespace if real else ""},
        "kubeStateMetrics": {"image": IMAGES["kubeStateMetrics"], "resources": small},
        "postgresqlExporter": {"enabled": factor <= 60,
                               "image": IMAGES["postgresqlExporter"], "secret": "mon-postgresql",
                               "uri": f"postgresql.{STORES}.svc:5432/postgres?sslmode=disable"},
        "alertmanager": {"image": IMAGES["alertmanager"], "groupWait": "1s", "groupInterval": "5s", "receivers": to,
                         "resources": small},
        "grafana": {"enabled": False},
    }, str(folder))  # fmt: skip


def _receiver(site: Site, namespace: str) -> None:
    program = (Path(__file__).with_name("receiver.py")).read_text(encoding="utf-8")
    applied(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "receiver", "namespace": namespace},
         "data": {"receiver.py": program}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "receiver", "namespace": namespace},
         "spec": {"selector": {"app": "receiver"}, "ports": [{"port": 8080, "protocol": "TCP"}]}},
        pod("receiver", namespace, ["python", "/program/receiver.py"], labels={"app": "receiver"},
            image=site.python, program="receiver"),
    )  # fmt: skip


NODE = os.environ.get("E2E_NODE", "172.31.255.1")
PROMOTER_PORT, EVALUATION_PORT, TRAINING_PORT = 19802, 19803, 19804
