"""A hospital of its own on the cluster of KUBECONFIG: stores, the application, a canary and a slow model server."""

from __future__ import annotations

import base64
import json
import os
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from hilum.release import read_manifest
from tests.charts.tools import helm
from tests.e2e.alerts.certificate import certificate
from tests.e2e.cluster.kube import ROOT, kubectl, room, sh, sign_in, wait_until

APP, STORES = "mon-app", "mon-platform"
# Inference alone: a canary that fails and calls too often, and a staging that is slow.
CANARY, SLOW = "mon-canary", "mon-staging"
# charts/monitoring by how much faster its rules' time runs.
WATCHES = {1: "mon-watch", 60: "mon-watch-60", 720: "mon-watch-720"}
WATCH = WATCHES[1]
HOST = "mon.test"
INGRESS = os.environ.get("E2E_INGRESS", "https://127.0.0.1:30443")
FOLDER = ROOT / "build" / "e2e-alerts"
MINIO = os.environ.get("E2E_MINIO", "docker.io/minio/minio:latest")
FILMS = sorted((ROOT / "samples").glob("nih_0*.jpg"))
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


def applied(*documents: dict[str, Any]) -> None:
    """kubectl apply."""
    kubectl("apply", "-f", "-", text=yaml.safe_dump_all(documents))


def secret(namespace: str, name: str, **values: str) -> None:
    """Make or change a Secret; by stdin, so that no value stands in a process list."""
    data = {key.replace("__", "-"): base64.b64encode(value.encode()).decode() for key, value in values.items()}
    applied({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data})


def reader_and_ledger_key(namespace: str, folder: Path, password: str) -> None:
    """The Secrets of who signs in (anna, all roles) and of what signs the ledger; the key stays."""
    users, ledger = folder / "users.toml", folder / "ledger.pem"
    if not ledger.exists():
        sh("openssl", "genpkey", "-algorithm", "ed25519", "-out", str(ledger))
    users.unlink(missing_ok=True)
    roles = ("--role", "reader", "--role", "lead", "--role", "admin")
    sh(".venv/bin/hilum", "users", "add", "anna", *roles, "--file", str(users), "--stdin", text=f"{password}\n")
    secret(namespace, "hilum-users", **{"users.toml": users.read_text(encoding="utf-8")})
    secret(namespace, "hilum-ledger-key", **{"ledger-key.pem": ledger.read_text(encoding="utf-8")})


def installed(release: str, namespace: str, values: dict[str, Any], chart: str = "") -> None:
    """helm upgrade --install of a chart of this checkout, or of the folder `chart`."""
    file = FOLDER / f"{namespace}-{release}.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    chart = chart or str(ROOT / "charts" / release)
    sh(helm(), "upgrade", "--install", release, chart, "--namespace", namespace, "--values", str(file))


@dataclass
class Site:
    """What the faults need of it. `images` as `make images PUSH=...` writes them to build/images.json."""

    images: dict[str, dict[str, str]]
    memory: dict[str, str] = field(default_factory=dict)
    # Held by whoever reads; while nobody reads, not even what is critical is read.
    reads: threading.Lock = field(default_factory=threading.Lock)
    nobody_reads: threading.Event = field(default_factory=threading.Event)
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
        for namespace in (APP, STORES, CANARY, SLOW):
            kubectl("create", "namespace", namespace, check=False)
            kubectl("label", "namespace", namespace, RESTRICTED, "--overwrite")
        self._secrets()
        self._stores()
        self.application()

    def _secrets(self) -> None:
        keep = self.memory
        secret(STORES, "postgresql", password=keep["postgres"], hilum_production__password=keep["database"],
               monitoring__password=keep["watcher"])  # fmt: skip
        keys = {"AWS_ACCESS_KEY_ID": "hilum", "AWS_SECRET_ACCESS_KEY": keep["store"]}
        secret(STORES, "minio", **keys)
        secret(APP, "hilum-s3", **keys)
        for namespace in (CANARY, SLOW):
            secret(namespace, "hilum-s3", **keys)
        url = f"postgresql+psycopg://hilum_production:{keep['database']}@postgresql.{STORES}.svc:5432/hilum_production"
        secret(APP, "hilum-database", web__url=url, feedback__url=url)
        secret(APP, "hilum-salts", patient="mon", blind="mon")
        # It ends within two weeks: that is a fault of its own.
        secret(APP, "hilum-tls", **certificate(HOST, hours=240))
        reader_and_ledger_key(APP, FOLDER, keep["password"])

    def _stores(self) -> None:
        small = {"requests": {"cpu": "10m", "memory": "100Mi"}, "limits": {"memory": "1Gi"}}
        installed("platform", STORES, {
            "postgresql": {"databases": ["hilum_production"], "storage": "1Gi", "resources": small},
            "minio": {"image": MINIO, "storage": "2Gi", "resources": small,
                      "buckets": ["hilum-releases", "hilum-films", "hilum-newdata", "hilum-backups"]},
            "mlflow": {"enabled": False},
            "backups": {"copies": {"enabled": False}},
            "tools": {"image": self.python},
            "networkPolicy": {"clientNamespaces": [APP, CANARY, SLOW, *WATCHES.values()]},
        })  # fmt: skip
        kubectl("-n", STORES, "rollout", "status", "statefulset/minio", "--timeout=180s")
        kubectl("-n", STORES, "rollout", "status", "statefulset/postgresql", "--timeout=180s")
        sh("k8s/push-release.sh", "models/default", PLATFORM_NAMESPACE=STORES, PORT="19007")

    def application(self) -> None:
        store = f"http://minio.{STORES}.svc:9000"
        small = {"requests": {"cpu": "10m", "memory": "150Mi"}, "limits": {"memory": "1Gi"}}
        faults = {
            "HILUM_CANARY_URL": f"http://inference.{CANARY}.svc:8000",
            "HILUM_CANARY_TIMEOUT_SECONDS": "5",
            # NoRecentBlindReads asks for a week in which nearly nobody reads blind.
            "HILUM_BLIND_SHARE": "0",
            "HILUM_DRIFT_BASELINE_FILMS": "100",
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
            "feedback": {"replicas": 2, "resources": small,
                         "newdata": {"url": "s3://hilum-newdata", "endpoint": store},
                         # Each minute in place of 30: the lag of the export is judged in faster time.
                         "settings": {"HILUM_COMPACTION_SECONDS": "20"}},
            "dicom": {"enabled": True, "serviceType": "ClusterIP", "peers": {"CR1": "Annexe"},
                      "allowedCIDRs": ["10.42.0.0/16"]},
            "results": {"to": f"dicom://ARCHIVE@archive.{APP}.svc:11112"},
            "ingress": {"enabled": True, "host": HOST},
            "networkPolicy": {"storage": {"namespace": STORES}, "monitoringNamespace": WATCH,
                              "askedNamespaces": [CANARY], "archive": {"cidrs": ["10.0.0.0/8"]}},
        })  # fmt: skip
        for part in ("feedback", "web", "inference"):
            kubectl("-n", APP, "rollout", "status", f"deployment/{part}", "--timeout=300s")
        wait_until("the reading room", lambda: room(HOST, INGRESS).get("/readyz").status_code == 200, 120)


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
