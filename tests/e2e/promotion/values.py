"""The three environments of the proof: inference alone in the cluster, all gates on, time compressed by settings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from services.promoter import bundle as bundles
from tests.e2e.cluster.kube import ROOT
from tests.e2e.promotion.ground import ENVIRONMENTS, PREFIX, STORE

BUCKET = "promo"
S3 = f"http://minio.{STORE}.svc:9000"
# Of hilum/gates/plan.toml, for few films and minutes instead of days: least numbers and margins, never a question less.
PLAN = """
name = "e2e-promotion"
[staging]
min_films = 60
min_patients = 30
gated_positives = 12
draws = 400
requests = 120
deadline_minutes = 10
auroc = {tolerance = 0.02, margin = 0.15}
sensitivity = {tolerance = 0.02, margin = 0.9}
specificity = {tolerance = 0.02, margin = 0.5}
brier = {tolerance = 0.02, margin = 0.1}
latency = {tolerance = 1.5, margin = 4.0}
p99_ratio = 6.0
throughput_ratio = 0.2
error_rate = {tolerance = 0.01, margin = 0.15}
[canary]
min_pairs = 60
min_patients = 60
min_positives = 2
disagreement = {tolerance = 0.05, margin = 0.4}
shift = {tolerance = 0.05, margin = 0.4}
critical_lost = {tolerance = 0.05, margin = 0.4}
not_scored = {tolerance = 0.05, margin = 0.4}
sensitivity = {tolerance = 0.05, margin = 0.95}
specificity = {tolerance = 0.05, margin = 0.95}
error_rate = {tolerance = 0.01, margin = 0.3}
latency = {tolerance = 1.5, margin = 6.0}
"""


def values(environment: str, key: str) -> dict[str, Any]:
    """The values.yaml of an environment; `key` is the public key whose releases are trusted."""
    off = {"enabled": False}
    return {
        "environment": environment,
        "releaseStore": {"url": f"s3://{BUCKET}", "endpoint": S3, "trustedKeys": key},
        "inference": {
            "kind": "Rollout",
            "replicas": 0 if environment == "canary" else 1,
            "resources": {"requests": {"cpu": "10m", "memory": "150Mi"}, "limits": {"memory": "1Gi"}},
            "autoscaling": {"mode": "none"},
            "blueGreen": {"scaleDownDelaySeconds": 180},
        },
        "web": off,
        "feedback": off,
        "migrations": off,
        "networkPolicy": off,
        "gates": {
            "enabled": environment != "canary",
            "plan": PLAN,
            "store": f"s3://{BUCKET}/records",
            "endpoint": S3,
            "prometheus": f"http://prometheus.{STORE}.svc:9090",
            "interval": "5s",
            "window": "3m",
            # Sixty golden films without an error pass, ten errors among them fail.
            "latency": {"bound": 4.0, "margin": 6.0, "leastProbes": 30},
            "afterLooks": 12,
            "probeSeconds": 0.4,
            "staging": {"set": f"s3://{BUCKET}/labelled-set", "deadlineSeconds": 600,
                        "resources": {"requests": {"cpu": "10m", "memory": "200Mi"}, "limits": {"memory": "1Gi"}}},
        },
    }  # fmt: skip


def files(key: str, digest: str, images: dict[str, str], revision: str) -> dict[str, str]:
    """Paths and texts of the environments' folders; `images` maps a name to repository@digest."""
    found = {}
    for name in ENVIRONMENTS:
        found[f"argocd/environments/{name}/values.yaml"] = yaml.safe_dump(values(name, key), sort_keys=False)
        text = (ROOT / bundles.path_of(name)).read_text(encoding="utf-8")
        for line in re.findall(r"(?m)^    (\w+): \{repository", text):
            repository, _, image = images.get(line, images["inference"]).partition("@")
            text = re.sub(
                rf"(?m)^    {line}: \{{.*\}}$", f'    {line}: {{repository: {repository}, digest: "{image}"}}', text
            )
        text = re.sub(r"(?m)^    digest: \S+$", f"    digest: {digest}", text)
        text = re.sub(r"(?m)^    revision: .*$", f"    revision: {revision}", text)
        found[bundles.path_of(name)] = text
    return found


def application_set(repository: str) -> str:
    """This repository's own ApplicationSet, under another prefix and in ArgoCD's default project, asking Git often."""
    command = ["helm", "template", "root", str(ROOT / "argocd/root"), "--set", f"repoURL={repository}"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (found,) = [d for d in yaml.safe_load_all(made) if d and d["kind"] == "ApplicationSet"]
    text = (
        yaml.safe_dump(found)
        .replace("hilum-{{", PREFIX + "-{{")
        .replace("requeueAfterSeconds: 30", "requeueAfterSeconds: 10")
    )
    document = yaml.safe_load(text)
    document["metadata"]["name"] = f"{PREFIX}-environments"
    document["spec"]["template"]["spec"]["project"] = "default"
    return yaml.safe_dump(document)


def write(folder: Path, texts: dict[str, str]) -> None:
    """Put files into a clone."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
