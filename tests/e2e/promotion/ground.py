"""What the proof stands on in the cluster: namespaces of its own, a store, a Prometheus, and an account that reads."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster.kube import get, kubectl, wait_until

PREFIX = "promo"
STORE = f"{PREFIX}-store"
ENVIRONMENTS = ("staging", "canary", "production")
SPACES = tuple(f"{PREFIX}-{name}" for name in ENVIRONMENTS)
MINIO = "docker.io/minio/minio:latest"
PROMETHEUS = "docker.io/prom/prometheus:v3.15.0"
SCRAPE = f"""
global: {{scrape_interval: 5s}}
scrape_configs:
  - job_name: pods
    kubernetes_sd_configs: [{{role: pod, namespaces: {{names: [{", ".join(SPACES)}]}}}}]
    relabel_configs:
      - {{source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: "true"}}
      - source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port]
        regex: "([^:]+)(?::\\\\d+)?;(\\\\d+)"
        target_label: __address__
        replacement: "$1:$2"
      - {{source_labels: [__meta_kubernetes_namespace], target_label: namespace}}
      - {{source_labels: [__meta_kubernetes_namespace], regex: "{PREFIX}-(.*)", target_label: environment}}
      - {{source_labels: [__meta_kubernetes_pod_name], target_label: pod}}
"""
RULES = [
    {"apiGroups": ["argoproj.io"], "resources": ["rollouts", "analysisruns", "applications"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
]


@dataclass(frozen=True)
class Ground:
    """Addresses and keys of what was made."""

    s3: str
    prometheus: str
    user: str
    password: str


def _pod(name: str, image: str, command: list[str], port: int, **more: object) -> list[dict[str, object]]:
    container: dict[str, object] = {
        "name": name, "image": image, "imagePullPolicy": "IfNotPresent", "args": command,
        "resources": {"requests": {"cpu": "10m", "memory": "100Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, *more.pop("mounts", [])],  # type: ignore[misc]
        **more.pop("container", {}),  # type: ignore[dict-item]
    }  # fmt: skip
    spec = {
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}, *more.pop("volumes", [])],  # type: ignore[misc]
        **more,
    }
    labels = {"app": name}
    return [
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": STORE},
            "spec": {"selector": {"matchLabels": labels}, "strategy": {"type": "Recreate"},
                     "template": {"metadata": {"labels": labels}, "spec": spec}},
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": STORE},
            "spec": {"selector": labels, "ports": [{"port": port, "targetPort": port, "protocol": "TCP"}]},
        },
    ]  # fmt: skip


def bring_up() -> Ground:
    """Make all of it, once; what is there stays."""
    found = get(STORE, "secret", "keys").get("data") if get("", "namespace", STORE) else None
    user, password = "promo", secrets.token_urlsafe(18)
    if found:
        import base64

        password = base64.b64decode(found["password"]).decode()
    account = {"kind": "ServiceAccount", "name": "reader", "namespace": STORE}
    objects: list[dict[str, object]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (STORE, *SPACES)
    ]
    keys = {"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": password}
    objects += [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hilum-s3", "namespace": space}, "stringData": keys}
        for space in SPACES
    ]
    objects += [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": STORE},
         "stringData": {"password": password}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": STORE}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": f"{PREFIX}-reader"},
         "rules": RULES},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": f"{PREFIX}-reader"}, "subjects": [account],
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{PREFIX}-reader"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prometheus", "namespace": STORE},
         "data": {"prometheus.yml": SCRAPE}},
        *_pod("minio", MINIO, ["server", "/data"], 9000, container={
            "env": [{"name": "MINIO_ROOT_USER", "value": user}, {"name": "MINIO_ROOT_PASSWORD", "value": password}]}),
        *_pod("prometheus", PROMETHEUS, ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"],
              9090, serviceAccountName="reader", container={"command": ["prometheus"]},
              mounts=[{"name": "config", "mountPath": "/etc/prometheus"}],
              volumes=[{"name": "config", "configMap": {"name": "prometheus"}}]),
    ]  # fmt: skip
    kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    for name in ("minio", "prometheus"):
        wait_until(name, lambda n=name: get(STORE, "deployment", n).get("status", {}).get("readyReplicas") == 1, 240)  # type: ignore[misc]
    return Ground(address(STORE, "minio", 9000), address(STORE, "prometheus", 9090), user, password)


def address(namespace: str, service: str, port: int) -> str:
    """A Service's own address, which this host reaches too."""
    return f"http://{get(namespace, 'service', service)['spec']['clusterIP']}:{port}"


def account(folder: Path) -> tuple[str, Path, Path]:
    """The API server, and files with a token of the account that reads and with the authority."""
    import base64

    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    cluster = config["clusters"][0]["cluster"]
    (folder / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    (folder / "token").write_text(kubectl("-n", STORE, "create", "token", "reader", "--duration=4h"), encoding="utf-8")
    return str(cluster["server"]), folder / "token", folder / "ca.crt"


def take_down() -> None:
    """Remove all of it, Applications first."""
    kubectl("-n", "argocd", "delete", "applicationset", f"{PREFIX}-environments", "--ignore-not-found")
    for space in SPACES:
        kubectl("-n", "argocd", "delete", "application", space, "--ignore-not-found", "--wait=false")
    for name in (*SPACES, STORE):
        kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
    for kind in ("clusterrole", "clusterrolebinding"):
        kubectl("delete", kind, f"{PREFIX}-reader", "--ignore-not-found")
