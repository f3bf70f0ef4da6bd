"""A hospital of its own on the cluster of KUBECONFIG, traced: stores, the application, a Prometheus, a collector."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from hilum.release import read_manifest
from tests.charts.tools import ROOT
from tests.e2e.alerts.certificate import certificate
from tests.e2e.alerts.monitor import IMAGES
from tests.e2e.alerts.site import FOLDER as VALUES
from tests.e2e.alerts.site import INGRESS, RESTRICTED, applied, installed, pod, reader_and_ledger_key, secret
from tests.e2e.cluster.kube import kubectl, room, sh, sign_in, wait_until
from tests.e2e.cluster.tree import MINIO

APP, STORES, TOOLS = "watch-app", "watch-platform", "watch-tools"
HOST = "watch.test"
FOLDER = ROOT / "build" / "e2e-drift"
SMALL = {"requests": {"cpu": "5m", "memory": "100Mi"}, "limits": {"memory": "1Gi"}}
# Small enough for a quarter of an hour: 150 films are a baseline and a first look.
BASELINE = 100


@dataclass
class Hospital:
    """`images` as `make images PUSH=...` writes them to build/images.json."""

    images: dict[str, dict[str, str]]
    memory: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Bring everything up; what is there is brought to these values."""
        place = FOLDER / "memory.json"
        for folder in (FOLDER, VALUES):
            folder.mkdir(parents=True, exist_ok=True)
        self.recall()
        for word in ("password", "database", "postgres", "store"):
            self.memory.setdefault(word, secrets.token_hex(12))
        place.write_text(json.dumps(self.memory), encoding="utf-8")
        place.chmod(0o600)
        for namespace in (APP, STORES, TOOLS):
            kubectl("create", "namespace", namespace, check=False)
            kubectl("label", "namespace", namespace, RESTRICTED, "--overwrite")
        self._secrets()
        self._tools()
        self._stores()
        self._application()

    def recall(self) -> Hospital:
        """What an earlier run keeps, if there was one."""
        place = FOLDER / "memory.json"
        if place.exists():
            self.memory |= json.loads(place.read_text(encoding="utf-8"))
        return self

    def client(self) -> httpx.Client:
        """Signed in through the ingress."""
        client = room(HOST, INGRESS)
        client.timeout = httpx.Timeout(120.0)
        sign_in(client, "anna", self.memory["password"])
        return client

    @property
    def _python(self) -> str:
        return f"{self.images['feedback']['repository']}@{self.images['feedback']['digest']}"

    def _secrets(self) -> None:
        keep = self.memory
        secret(STORES, "postgresql", password=keep["postgres"], hilum_production__password=keep["database"],
               monitoring__password=keep["postgres"])  # fmt: skip
        keys = {"AWS_ACCESS_KEY_ID": "hilum", "AWS_SECRET_ACCESS_KEY": keep["store"]}
        secret(STORES, "minio", **keys)
        secret(APP, "hilum-s3", **keys)
        url = f"postgresql+psycopg://hilum_production:{keep['database']}@postgresql.{STORES}.svc:5432/hilum_production"
        secret(APP, "hilum-database", web__url=url, feedback__url=url)
        secret(APP, "hilum-salts", patient=keep["store"], blind=keep["store"])
        reader_and_ledger_key(APP, FOLDER, keep["password"])
        secret(APP, "hilum-tls", **certificate(HOST, hours=30 * 24))

    def _tools(self) -> None:
        targets = {"web": 8080, "inference": 8000, "feedback": 8001}
        settings = {
            "global": {"scrape_interval": "15s", "scrape_timeout": "14s", "evaluation_interval": "15s"},
            "rule_files": ["/program/drift.yaml"],
            "scrape_configs": [
                {"job_name": part, "static_configs": [{"targets": [f"{part}.{APP}.svc:{port}"],
                                                       "labels": {"environment": "production"}}]}
                for part, port in targets.items()
            ],
        }  # fmt: skip
        rules = (ROOT / "charts/monitoring/rules/drift.yaml").read_text(encoding="utf-8")
        program = Path(__file__).with_name("collector.py").read_text(encoding="utf-8")
        prometheus = ["prometheus", "--config.file=/program/prometheus.yaml", "--storage.tsdb.path=/tmp/series",
                      "--enable-feature=exemplar-storage"]  # fmt: skip
        documents: list[dict[str, Any]] = []
        for name, port, files, command, image, memory in (
            ("collector", 4318, {"collector.py": program}, ["python", "/program/collector.py"], self._python, "256Mi"),
            ("prometheus", 9090, {"prometheus.yaml": yaml.safe_dump(settings), "drift.yaml": rules}, prometheus,
             IMAGES["prometheus"], "256Mi"),
        ):  # fmt: skip
            meta = {"name": name, "namespace": TOOLS}
            documents += [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": files},
                {"apiVersion": "v1", "kind": "Service", "metadata": meta,
                 "spec": {"selector": {"app": name}, "ports": [{"port": port, "protocol": "TCP"}]}},
                pod(name, TOOLS, command, labels={"app": name}, image=image, memory=memory, program=name),
            ]  # fmt: skip
        applied(*documents)
        kubectl("-n", TOOLS, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=180s")

    def _stores(self) -> None:
        buckets = ["hilum-releases", "hilum-films", "hilum-newdata", "hilum-backups"]
        installed("platform", STORES, {
            "postgresql": {"databases": ["hilum_production"], "storage": "1Gi", "resources": SMALL},
            "minio": {"image": MINIO, "buckets": buckets, "storage": "2Gi", "resources": SMALL},
            "mlflow": {"enabled": False},
            "tools": {"image": self._python},
            "backups": {"enabled": False},
            "networkPolicy": {"clientNamespaces": [APP]},
        })  # fmt: skip
        kubectl("-n", STORES, "rollout", "status", "statefulset/minio", "--timeout=180s")
        kubectl("-n", STORES, "rollout", "status", "statefulset/postgresql", "--timeout=180s")
        kubectl("-n", STORES, "wait", "job", "--selector=app.kubernetes.io/managed-by=Helm", "--for=condition=Complete",
                "--timeout=180s", check=False)  # fmt: skip
        sh("k8s/push-release.sh", "models/default", PLATFORM_NAMESPACE=STORES, PORT="19117")

    def _application(self) -> None:
        store = f"http://minio.{STORES}.svc:9000"
        traced = {"HILUM_OTLP_ENDPOINT": f"http://collector.{TOOLS}.svc:4318", "HILUM_LOG_LEVEL": "debug"}
        drift = {"HILUM_DRIFT_BASELINE_FILMS": str(BASELINE), "HILUM_BLIND_SHARE": "0"}
        release = {"digest": read_manifest(ROOT / "models/default").digest(), "precision": "fp32"}
        installed("hilum", APP, {
            "environment": "production",
            "bundle": {"images": {part: image for part, image in self.images.items() if part != "mlflow"},
                       "release": release},
            "releaseStore": {"endpoint": store},
            "films": {"url": "s3://hilum-films", "endpoint": store},
            "inference": {"replicas": 1, "resources": SMALL, "autoscaling": {"mode": "none"}, "settings": traced},
            "web": {"replicas": 1, "resources": SMALL, "settings": traced | drift},
            "feedback": {"replicas": 1, "resources": SMALL, "settings": traced,
                         "newdata": {"url": "s3://hilum-newdata", "endpoint": store}},
            "drift": {"resources": {"requests": {"cpu": "5m", "memory": "200Mi"}, "limits": {"memory": "600Mi"}}},
            "ingress": {"enabled": True, "host": HOST},
            "networkPolicy": {"storage": {"namespace": STORES}, "monitoringNamespace": TOOLS,
                              "collector": {"namespace": TOOLS}},
        })  # fmt: skip
        for part in ("feedback", "web", "inference"):
            kubectl("-n", APP, "rollout", "status", f"deployment/{part}", "--timeout=300s")
        wait_until("the reading room", lambda: room(HOST, INGRESS).get("/readyz").status_code == 200, 120)
