"""A namespace with a store of its own and charts/hilum's inference in it, which every fault must leave serving."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx

from tests.charts.tools import helm
from tests.e2e.cluster.kube import ROOT, get, kubectl, sh, wait_until
from tests.e2e.cluster.site import forwarded, ready

NAMESPACE = os.environ.get("E2E_NAMESPACE", "hilum-bad-input")
CHART = str(ROOT / "charts/hilum")
FILM = sorted((ROOT / "samples").glob("nih_0*.jpg"))[0]
STORE_IMAGE = "docker.io/minio/minio:latest"
STORE = """
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {selector: {app: store}, ports: [{port: 9000, protocol: TCP}]}
---
apiVersion: v1
kind: Pod
metadata: {name: store, labels: {app: store}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: minio
      image: IMAGE
      imagePullPolicy: IfNotPresent
      args: [server, /data]
      env:
        - {name: MINIO_ROOT_USER, valueFrom: {secretKeyRef: {name: hilum-s3, key: AWS_ACCESS_KEY_ID}}}
        - {name: MINIO_ROOT_PASSWORD, valueFrom: {secretKeyRef: {name: hilum-s3, key: AWS_SECRET_ACCESS_KEY}}}
      readinessProbe: {httpGet: {path: /minio/health/live, port: 9000}, periodSeconds: 2}
      resources: {requests: {cpu: 5m, memory: 100Mi}, limits: {memory: 512Mi}}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
"""


def image() -> tuple[str, str]:
    """Repository and digest of inference: build/images.json, which make images writes, or what production runs."""
    made = ROOT / "build/images.json"
    if made.exists() and (found := json.loads(made.read_text("utf-8"))["images"].get("inference")):
        return found["repository"], found["digest"]
    spec = get("hilum-production", "rollout", "inference")["spec"]["template"]["spec"]
    repository, digest = spec["containers"][0]["image"].split("@")
    return repository, digest


@dataclass(frozen=True)
class Ground:
    """The namespace while it is up, and the pod that served before anything went wrong."""

    values: Path
    pod: str

    def upgrade(self, *more: str, name: str = "hilum") -> subprocess.CompletedProcess[str]:
        """`helm upgrade --install` with further arguments."""
        command = [helm(), "upgrade", "--install", name, CHART, "-n", NAMESPACE, "-f", str(self.values), *more]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def revision(self) -> int:
        """Which revision helm holds as the last one."""
        listed = json.loads(sh(helm(), "history", "hilum", "-n", NAMESPACE, "-o", "json", "--max", "1"))
        return int(listed[-1]["revision"])

    def newcomer(self) -> dict[str, Any]:
        """The pod that a change brought; empty while there is none."""
        return next((pod for pod in pods() if pod["metadata"]["name"] != self.pod), {})

    def serves(self) -> bool:
        """Whether the Service still means the pod of before alone, and this scores a film."""
        address = get(NAMESPACE, "pod", self.pod)["status"]["podIP"]
        subsets = get(NAMESPACE, "endpoints", "inference").get("subsets", [])
        meant = [one["ip"] for subset in subsets for one in subset.get("addresses", [])]
        return meant == [address] and scores()

    def back(self) -> None:
        """The values of before; the pod of before stays, and what the change brought goes."""
        done = self.upgrade()
        assert done.returncode == 0, done.stderr
        wait_until("the newcomer to go", lambda: not self.newcomer(), 120)
        assert self.serves(), "what ran before no longer serves"


def pods() -> list[dict[str, Any]]:
    """inference's pods that are not on their way out."""
    found = get(NAMESPACE, "pods", "-l", "app.kubernetes.io/component=inference").get("items", [])
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def scores() -> bool:
    """Whether a film that is sent to the Service comes back scored."""
    with forwarded(NAMESPACE, "inference", 8000) as address:
        answer = httpx.post(f"{address}/v1/predict", files={"file": FILM.read_bytes()}, timeout=60)
    return answer.status_code == 200 and bool(answer.json()["findings"])


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Make it, and take the namespace away at the end."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    kubectl("apply", "-f", "-", text=json.dumps(made))
    try:
        yield _filled(folder)
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _filled(folder: Path) -> Ground:
    key = secrets.token_hex(16)
    pair = ("--from-literal=AWS_ACCESS_KEY_ID=hilum", f"--from-literal=AWS_SECRET_ACCESS_KEY={key}")
    kubectl("-n", NAMESPACE, "create", "secret", "generic", "hilum-s3", *pair)
    wrong = ("--from-literal=AWS_ACCESS_KEY_ID=hilum", "--from-literal=AWS_SECRET_ACCESS_KEY=guessed")
    kubectl("-n", NAMESPACE, "create", "secret", "generic", "wrong-keys", *wrong)
    kubectl("-n", NAMESPACE, "apply", "-f", "-", text=STORE.replace("IMAGE", STORE_IMAGE))
    wait_until("the store", lambda: ready(get(NAMESPACE, "pod", "store")), 180)
    access = {"AWS_ACCESS_KEY_ID": "hilum", "AWS_SECRET_ACCESS_KEY": key}
    with forwarded(NAMESPACE, "store", 9000) as address:
        s3 = boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="hilum",
            aws_secret_access_key=key,
        )
        s3.create_bucket(Bucket="hilum-releases")
        pushed = ("release", "push", "models/default", "s3://hilum-releases", "--endpoint", address)
        said = sh(".venv/bin/hilum", *pushed, **access)
    repository, digest = image()
    values = folder / "values.json"
    release = next(word for word in said.split() if len(word) == 64)
    values.write_text(json.dumps(_values(repository, digest, release)), encoding="utf-8")
    done = Ground(values, "").upgrade()
    assert done.returncode == 0, done.stderr
    wait_until("inference", lambda: [ready(pod) for pod in pods()] == [True], 300)
    return Ground(values, pods()[0]["metadata"]["name"])


def _values(repository: str, digest: str, release: str) -> dict[str, Any]:
    """inference alone, as in canary, in a namespace without policies."""
    images = {"inference": {"repository": repository, "digest": digest}}
    return {
        "environment": "canary",
        "bundle": {"release": {"digest": release, "precision": "fp32"}, "images": images},
        "releaseStore": {"endpoint": "http://store:9000"},
        "inference": {
            "kind": "Deployment",
            "autoscaling": {"mode": "none"},
            "resources": {"requests": {"cpu": "5m", "memory": "200Mi"}, "limits": {"memory": "1Gi"}},
        },
        "web": {"enabled": False},
        "feedback": {"enabled": False},
        "networkPolicy": {"enabled": False},
    }
