"""A hospital of its own in the namespaces ops-*: what the operators' steps change and look at."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import yaml

from hilum.release import read_manifest
from tests.charts.tools import helm
from tests.e2e.alerts.site import INGRESS, applied, reader_and_ledger_key, secret
from tests.e2e.cluster.kube import ROOT, get, kubectl, room, sh, sign_in, wait_until

ROOM, STORES, WATCH = "ops-production", "ops-stores", "ops-watch"
HOST = "ops.test"
FOLDER = ROOT / "build" / "e2e-operators"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
STORE = f"http://minio.{STORES}.svc:9000"
SMALL = {"requests": {"cpu": "10m", "memory": "150Mi"}, "limits": {"memory": "1Gi"}}


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`base` with what `change` says otherwise, folder by folder."""
    found = dict(base)
    for key, value in change.items():
        old = found.get(key)
        found[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found


def namespace(name: str, *labels: str) -> None:
    """Make it, restricted as Hilum's own are."""
    kubectl("create", "namespace", name, check=False)
    kubectl("label", "namespace", name, *(labels or (RESTRICTED,)), "--overwrite")


def installed(chart: str, where: str, values: dict[str, Any]) -> None:
    """helm upgrade --install of a chart of this checkout, under its own name."""
    file = FOLDER / f"{where}-{chart}.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    folder = str(ROOT / "charts" / chart)
    sh(helm(), "upgrade", "--install", chart, folder, "--namespace", where, "--values", str(file))


@dataclass
class Site:
    """`images` as `make images PUSH=...` writes them to build/images.json; `memory`: what a later run goes on with."""

    images: dict[str, dict[str, str]]
    memory: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        """An image with Python for small pods: whichever of ours."""
        return self.image("feedback")

    def image(self, name: str) -> str:
        """One of ours by digest."""
        return f"{self.images[name]['repository']}@{self.images[name]['digest']}"

    def recall(self) -> None:
        """Passwords of an earlier run, and new ones for what is not there; ignored by Git."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        place = FOLDER / "memory.json"
        if place.exists():
            self.memory |= json.loads(place.read_text(encoding="utf-8"))
        for word in ("password", "database", "postgres", "store", "mlflow", "flask", "room"):
            self.memory.setdefault(word, secrets.token_hex(12))
        place.write_text(json.dumps(self.memory), encoding="utf-8")
        place.chmod(0o600)

    def values(self) -> dict[str, Any]:
        """Values of the reading room: small, no operator yet."""
        return {
            "environment": "production",
            "bundle": {"images": {name: self.images[name] for name in ("inference", "web", "feedback", "promoter")},
                       "release": {"digest": read_manifest(ROOT / "models/default").digest(), "precision": "fp32"}},
            "releaseStore": {"endpoint": STORE},
            "films": {"url": "s3://hilum-films", "endpoint": STORE},
            "inference": {"resources": SMALL, "autoscaling": {"mode": "none"}},
            "web": {"replicas": 1, "resources": SMALL},
            "feedback": {"replicas": 1, "resources": SMALL,
                         "newdata": {"url": "s3://hilum-newdata", "endpoint": STORE}},
            "ingress": {"enabled": True, "host": HOST},
            "networkPolicy": {"storage": {"namespace": STORES}, "monitoringNamespace": WATCH},
        }  # fmt: skip

    def install(self, *parts: str, **change: Any) -> None:
        """helm upgrade --install of charts/hilum with a step's change, and wait for these parts of it."""
        installed("hilum", ROOM, merged(self.values(), change))
        for part in parts:
            kubectl("-n", ROOM, "rollout", "status", f"deployment/{part}", "--timeout=300s")

    def prepare(self) -> None:
        """Stores and the reading room; what is there is brought to these values."""
        self.recall()
        for name in (ROOM, STORES, WATCH, "ops-staging", "ops-canary"):
            namespace(name)
        self._secrets()
        self._stores()
        self.install("feedback", "web", "inference")
        wait_until("the reading room", lambda: room(HOST, INGRESS).get("/readyz").status_code == 200, 120)

    def _secrets(self) -> None:
        keep = self.memory
        secret(STORES, "postgresql", password=keep["postgres"], hilum_production__password=keep["database"],
               mlflow__password=keep["database"])  # fmt: skip
        keys = {"AWS_ACCESS_KEY_ID": "hilum", "AWS_SECRET_ACCESS_KEY": keep["store"]}
        secret(STORES, "minio", **keys)
        secret(ROOM, "hilum-s3", **keys)
        secret(STORES, "mlflow", admin__password=keep["mlflow"], flask__secret=keep["flask"],
               promoter__password=keep["mlflow"])  # fmt: skip
        secret(ROOM, "hilum-database", **self.database())
        secret(ROOM, "hilum-salts", patient="ops", blind="ops")
        reader_and_ledger_key(ROOM, FOLDER, keep["password"])
        if not get(ROOM, "secret", "hilum-tls"):
            secret(ROOM, "hilum-tls", **paper("door", HOST))

    def database(self) -> dict[str, str]:
        """What the Secret hilum-database holds."""
        host = f"postgresql.{STORES}.svc:5432"
        url = f"postgresql+psycopg://hilum_production:{self.memory['database']}@{host}/hilum_production"
        return {"web-url": url, "feedback-url": url}

    def _stores(self) -> None:
        installed("platform", STORES, {
            "postgresql": {"databases": ["hilum_production", "mlflow"], "storage": "1Gi", "resources": SMALL},
            "minio": {"image": "docker.io/minio/minio:latest", "storage": "2Gi", "resources": SMALL,
                      "buckets": ["hilum-releases", "hilum-films", "hilum-newdata", "mlflow"]},
            "mlflow": {"image": self.image("mlflow"),
                       "resources": {"requests": {"cpu": "10m", "memory": "300Mi"}, "limits": {"memory": "1536Mi"}}},
            "backups": {"enabled": False, "copies": {"enabled": False}},
            "tools": {"image": self.python},
            "networkPolicy": {"clientNamespaces": [ROOM, "ops-gpu", "ops-vault"], "mlflowNamespaces": [ROOM]},
        })  # fmt: skip
        for name in ("minio", "postgresql"):
            kubectl("-n", STORES, "rollout", "status", f"statefulset/{name}", "--timeout=240s")
        sh("k8s/push-release.sh", "models/default", PLATFORM_NAMESPACE=STORES, PORT="19017")

    def client(self) -> httpx.Client:
        """Signed in through the ingress."""
        client = room(HOST, INGRESS)
        client.timeout = httpx.Timeout(120.0)
        sign_in(client, "anna", self.memory["password"])
        return client

    def said(self, part: str, namespace: str = ROOM) -> str:
        """What the newest pod of a part last said: its log."""
        return kubectl("-n", namespace, "logs", f"deployment/{part}", "--all-containers", "--tail=60", check=False)


def paper(name: str, host: str, *more: str, days: int = 30) -> dict[str, str]:
    """A self-signed certificate for `host` as a Secret's data; `more` goes to openssl req."""
    cert, key = FOLDER / f"{name}.crt", FOLDER / f"{name}.key"
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days),
       "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", *more, "-keyout", str(key),
       "-out", str(cert))  # fmt: skip
    return {"tls.crt": cert.read_text(encoding="utf-8"), "tls.key": key.read_text(encoding="utf-8")}


@contextlib.contextmanager
def policy(name: str, where: str, spec: dict[str, Any]) -> Iterator[None]:
    """A NetworkPolicy of the step's own, gone afterwards."""
    applied({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
             "metadata": {"name": name, "namespace": where}, "spec": spec})  # fmt: skip
    try:
        yield
    finally:
        kubectl("-n", where, "delete", "networkpolicy", name, "--wait=false")
