"""A hospital of its own on the cluster of KUBECONFIG: stores, the application, monitoring, a receiver of alerts."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from hilum.release import read_manifest
from tests.charts.tools import helm
from tests.e2e.cluster.kube import ROOT, kubectl, room, sh, sign_in, wait_until

APP, STORES, WATCH = "mon-app", "mon-platform", "monitoring"
HOST = "mon.test"
INGRESS = os.environ.get("E2E_INGRESS", "https://127.0.0.1:30443")
FOLDER = ROOT / "build" / "e2e-alerts"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
# Where no registry is to be had: programs of Debian 12 and of Go modules, as images (docs/monitoring.md says how).
IMAGES = {
    "prometheus": os.environ.get("E2E_PROMETHEUS", "docker.io/prom/prometheus:v3.15.0"),
    "alertmanager": os.environ.get("E2E_ALERTMANAGER", "docker.io/prom/alertmanager:v0.25.0-debian"),
    "kubeStateMetrics": os.environ.get(
        "E2E_KUBE_STATE_METRICS", "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.15.0"
    ),
    "postgresqlExporter": os.environ.get(
        "E2E_POSTGRES_EXPORTER", "quay.io/prometheuscommunity/postgres-exporter:v0.11.1"
    ),
}


def applied(*documents: dict[str, Any]) -> None:
    """kubectl apply."""
    kubectl("apply", "-f", "-", text=yaml.safe_dump_all(documents))


def secret(namespace: str, name: str, **values: str) -> None:
    """Make or change a Secret; by stdin, so that no value stands in a process list."""
    data = {key.replace("__", "-"): base64.b64encode(value.encode()).decode() for key, value in values.items()}
    applied({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data})


def installed(release: str, namespace: str, values: dict[str, Any], folder: Path) -> None:
    """helm upgrade --install of a chart of this checkout."""
    file = folder / f"{release}.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    chart = str(ROOT / "charts" / release)
    sh(helm(), "upgrade", "--install", release, chart, "--namespace", namespace, "--values", str(file))


@dataclass
class Site:
    """What the faults need of it. `images` as `make images PUSH=...` writes them to build/images.json."""

    images: dict[str, dict[str, str]]
    memory: dict[str, str] = field(default_factory=dict)
    _client: httpx.Client | None = None

    @property
    def python(self) -> str:
        """An image with Python for small pods: whichever of ours."""
        return f"{self.images['feedback']['repository']}@{self.images['feedback']['digest']}"

    @property
    def place(self) -> Path:
        """What a later run goes on with; holds the test's passwords, ignored by Git."""
        return FOLDER / "memory.json"

    def remember(self) -> None:
        """Keep it."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.place.write_text(json.dumps(self.memory), encoding="utf-8")
        self.place.chmod(0o600)

    def client(self) -> httpx.Client:
        """Signed in through the ingress, once: with the database away nobody can sign in."""
        if self._client is None:
            client = room(HOST, INGRESS)
            # The machine is busy with what else runs on it.
            client.timeout = httpx.Timeout(120.0)
            sign_in(client, "anna", self.memory["password"])
            self._client = client
        return self._client

    def prepare(self) -> None:
        """Bring everything up; what is there is brought to these values."""
        if self.place.exists():
            self.memory |= json.loads(self.place.read_text(encoding="utf-8"))
        for word in ("password", "database", "postgres", "watcher", "store"):
            self.memory.setdefault(word, secrets.token_hex(12))
        self.remember()
        for namespace in (APP, STORES):
            kubectl("create", "namespace", namespace, check=False)
            kubectl("label", "namespace", namespace, RESTRICTED, "--overwrite")
        kubectl("apply", "-f", "k8s/bootstrap/monitoring.yaml")
        self._secrets()
        self._stores()
        self._application()
        self.monitoring([APP])
        self._receiver()

    def _secrets(self) -> None:
        keep = self.memory
        secret(STORES, "postgresql", password=keep["postgres"], hilum_production__password=keep["database"],
               monitoring__password=keep["watcher"])  # fmt: skip
        keys = {"AWS_ACCESS_KEY_ID": "hilum", "AWS_SECRET_ACCESS_KEY": keep["store"]}
        secret(STORES, "minio", **keys)
        secret(APP, "hilum-s3", **keys)
        secret(WATCH, "mon-postgresql", username="monitoring", password=keep["watcher"])
        url = f"postgresql+psycopg://hilum_production:{keep['database']}@postgresql.{STORES}.svc:5432/hilum_production"
        secret(APP, "hilum-database", web__url=url, feedback__url=url)
        secret(APP, "hilum-salts", patient="mon", blind="mon")
        cert, key, users, ledger = (FOLDER / name for name in ("tls.crt", "tls.key", "users.toml", "ledger.pem"))
        # It ends within a day: that is a fault of its own.
        sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
           "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", str(key),
           "-out", str(cert))  # fmt: skip
        if not ledger.exists():
            sh("openssl", "genpkey", "-algorithm", "ed25519", "-out", str(ledger))
        users.unlink(missing_ok=True)
        roles = ("--role", "reader", "--role", "lead", "--role", "admin")
        sh(".venv/bin/hilum", "users", "add", "anna", *roles, "--file", str(users), "--stdin",
           text=f"{keep['password']}\n")  # fmt: skip
        secret(APP, "hilum-users", **{"users.toml": users.read_text(encoding="utf-8")})
        secret(APP, "hilum-ledger-key", **{"ledger-key.pem": ledger.read_text(encoding="utf-8")})
        secret(
            APP,
            "hilum-tls",
            **{"tls.crt": cert.read_text(encoding="utf-8"), "tls.key": key.read_text(encoding="utf-8")},
        )

    def _stores(self) -> None:
        small = {"requests": {"cpu": "10m", "memory": "100Mi"}, "limits": {"memory": "1Gi"}}
        installed("platform", STORES, {
            "postgresql": {"databases": ["hilum_production"], "storage": "1Gi", "resources": small},
            "minio": {"buckets": ["hilum-releases", "hilum-films", "hilum-newdata", "hilum-backups"], "storage": "2Gi",
                      "resources": small},
            "mlflow": {"enabled": False},
            "tools": {"image": self.python},
            "networkPolicy": {"clientNamespaces": [APP, WATCH]},
        }, FOLDER)  # fmt: skip
        kubectl("-n", STORES, "rollout", "status", "statefulset/minio", "--timeout=180s")
        kubectl("-n", STORES, "rollout", "status", "statefulset/postgresql", "--timeout=180s")
        sh("k8s/push-release.sh", "models/default", PLATFORM_NAMESPACE=STORES, PORT="19007")

    def _application(self) -> None:
        store = f"http://minio.{STORES}.svc:9000"
        small = {"requests": {"cpu": "10m", "memory": "150Mi"}, "limits": {"memory": "1Gi"}}
        faults = {
            # Nobody answers at either address: results wait, canary is away.
            "HILUM_CANARY_URL": f"http://inference-canary.{APP}.svc:8000",
            "HILUM_CANARY_TIMEOUT_SECONDS": "2",
            "HILUM_SKIP_READERS": "1", "HILUM_SKIP_TIMES": "1",
            "HILUM_WAIT_CRITICAL_MINUTES": "1",
        }  # fmt: skip
        installed("hilum", APP, {
            "environment": "production",
            "bundle": {"images": self.images,
                       "release": {"digest": read_manifest(ROOT / "models/default").digest(), "precision": "fp32"}},
            "releaseStore": {"endpoint": store},
            "films": {"url": "s3://hilum-films", "endpoint": store},
            "inference": {"resources": small, "autoscaling": {"mode": "none"}},
            "web": {"replicas": 1, "resources": small, "settings": faults},
            "feedback": {"replicas": 1, "resources": small,
                         "newdata": {"url": "s3://hilum-newdata", "endpoint": store}},
            "results": {"to": f"dicom://NOBODY@archive.{APP}.svc:104"},
            "ingress": {"enabled": True, "host": HOST},
            "networkPolicy": {"storage": {"namespace": STORES}},
        }, FOLDER)  # fmt: skip
        for part in ("feedback", "web", "inference"):
            kubectl("-n", APP, "rollout", "status", f"deployment/{part}", "--timeout=300s")
        wait_until("the reading room", lambda: room(HOST, INGRESS).get("/readyz").status_code == 200, 120)

    def monitoring(self, environments: list[str]) -> None:
        """charts/monitoring over these namespaces, with the receiver as every team's webhook."""
        to = {team: {"webhooks": [{"url": f"http://receiver:8080/{team}"}]}
              for team in ("clinical", "platform", "data-science", "watchdog")}  # fmt: skip
        stores = "platform" if environments != [APP] else STORES
        installed("monitoring", WATCH, {
            "environments": environments,
            "prometheus": {"image": IMAGES["prometheus"], "storage": "2Gi",
                           "targets": {"argocd": [{"targets": ["172.31.255.1:8182"]}]}},
            "scrape": {"argocd": "", "minio": f"minio.{stores}.svc:9000"},
            "kubeStateMetrics": {"image": IMAGES["kubeStateMetrics"]},
            "postgresqlExporter": {"image": IMAGES["postgresqlExporter"],
                                   "secret": "monitoring-postgresql" if stores == "platform" else "mon-postgresql",
                                   "uri": f"postgresql.{stores}.svc:5432/postgres?sslmode=disable"},
            "alertmanager": {"image": IMAGES["alertmanager"], "groupWait": "1s", "groupInterval": "5s",
                             "receivers": to},
            "grafana": {"enabled": False},
        }, FOLDER)  # fmt: skip
        for what in ("statefulset/prometheus", "statefulset/alertmanager", "deployment/kube-state-metrics"):
            kubectl("-n", WATCH, "rollout", "status", what, "--timeout=240s")

    def _receiver(self) -> None:
        program = (Path(__file__).with_name("receiver.py")).read_text(encoding="utf-8")
        applied(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "receiver", "namespace": WATCH},
             "data": {"receiver.py": program}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "receiver", "namespace": WATCH},
             "spec": {"selector": {"app": "receiver"}, "ports": [{"port": 8080, "protocol": "TCP"}]}},
            pod("receiver", WATCH, ["python", "/program/receiver.py"], labels={"app": "receiver"},
                image=self.python, program="receiver"),
        )  # fmt: skip
        kubectl("-n", WATCH, "wait", "pod/receiver", "--for=condition=Ready", "--timeout=120s")


def pod(
    name: str,
    namespace: str,
    command: list[str],
    *,
    image: str,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    memory: str = "128Mi",
    program: str = "",
    restart: str = "Always",
) -> dict[str, Any]:
    """A restricted pod that runs `command`; `program` names a ConfigMap that is mounted at /program."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    spec: dict[str, Any] = {
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": name, "image": image, "command": command, "securityContext": security,
                        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": memory}}}],
    }  # fmt: skip
    if program:
        spec["volumes"] = [{"name": "program", "configMap": {"name": program}}]
        spec["containers"][0]["volumeMounts"] = [{"name": "program", "mountPath": "/program"}]
    meta = {"name": name, "namespace": namespace, "labels": labels or {}, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
