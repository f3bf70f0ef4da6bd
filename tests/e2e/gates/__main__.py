"""No data is never a pass, on a real cluster: the chart's own questions, with each thing that can be missing missing.

    python -m tests.e2e.gates [--namespace gates-e2e] [--keep]

KUBECONFIG says where; Argo Rollouts, the image of Prometheus and one with Python (`--image`) must be there.
Every case is an AnalysisRun whose questions are rendered from charts/hilum. Prints a table, exits 1 where one is wrong.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.charts.tools import ROOT, helm
from tests.e2e.gates.counters import BAD, GOOD, NONSENSE, RESET, SILENT, SLOW

HERE = Path(__file__).parent
SECONDS = 130.0


@dataclass(frozen=True)
class Case:
    """A run of `metric`: what is broken, and how it must end ("Running" is to wait)."""

    name: str
    metric: str
    release: str
    wanted: str
    prometheus: str = ""
    rename: str = ""


CASES = (
    Case("good", "errors", GOOD, "Successful"),
    Case("good-latency", "latency", GOOD, "Successful"),
    Case("bad", "errors", BAD, "Failed"),
    Case("slow", "latency", SLOW, "Failed"),
    Case("counter-reset", "errors", RESET, "Successful"),
    Case("dead-prometheus", "errors", GOOD, "Running", prometheus="http://gone:9090"),
    Case("missing-series", "errors", "9" * 64, "Running"),
    Case("zero-traffic", "errors", SILENT, "Running"),
    Case("zero-traffic-latency", "latency", SILENT, "Running"),
    Case("not-a-number", "errors", NONSENSE, "Running"),
    Case("not-a-number-latency", "latency", NONSENSE, "Running"),
    Case("renamed-metric", "errors", GOOD, "Running", rename="hilum_probes_total"),
    Case("renamed-failures", "errors", GOOD, "Running", rename="hilum_probe_failures_total"),
)


def kubectl(namespace: str, *words: str, text: str | None = None) -> str:
    """What kubectl says; raises CalledProcessError."""
    done = subprocess.run(["kubectl", "-n", namespace, *words], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kubectl {' '.join(words)}: {done.stderr}")
    return done.stdout


def question(case: Case, namespace: str) -> dict[str, Any]:
    """The chart's metric of this name for this release."""
    address = case.prometheus or f"http://prometheus.{namespace}.svc:9090"
    given = {
        "gates.enabled": "true",
        "gates.prometheus": address,
        "gates.interval": "5s",
        "gates.window": "30s" if case.release == SILENT else "2m",
        "gates.latency.window": "30s",
        "gates.latency.leastProbes": "100",
        "bundle.release.digest": case.release,
    }
    command = [helm(), "template", "hilum", str(ROOT / "charts/hilum"), "--namespace", namespace]
    command += ["--kube-version", "1.34.0", "--values", str(ROOT / "charts/hilum/ci/production-values.yaml")]
    for name, value in given.items():
        command += ["--set-string" if "digest" in name else "--set", f"{name}={value}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (template,) = [d for d in yaml.safe_load_all(out) if d and d["metadata"]["name"] == "gate-production-before"]
    (metric,) = [m for m in template["spec"]["metrics"] if m["name"] == case.metric]
    found: dict[str, Any] = (
        json.loads(json.dumps(metric).replace(case.rename, f"{case.rename}_renamed")) if case.rename else metric
    )
    return found


def start(namespace: str, image: str) -> None:
    """Everything the runs need; they begin when Prometheus has seen traffic for a while."""
    made = subprocess.run(["kubectl", "create", "namespace", namespace], capture_output=True, text=True, check=False)
    if made.returncode and "AlreadyExists" not in made.stderr:
        raise SystemExit(made.stderr)
    code = kubectl(
        namespace,
        "create",
        "configmap",
        "counters",
        f"--from-file={HERE / 'counters.py'}",
        "--dry-run=client",
        "-o",
        "yaml",
    )
    kubectl(namespace, "apply", "-f", "-", text=code)
    kubectl(namespace, "apply", "-f", "-", text=(HERE / "prometheus.yaml").read_text().replace("IMAGE", image))
    for name in ("prometheus", "counters"):
        kubectl(namespace, "rollout", "status", f"deployment/{name}", "--timeout=120s")
    # The silent release's counter must be old enough that its first appearance is out of the window.
    time.sleep(35)
    for case in CASES:
        spec = {"args": [{"name": "pods", "value": case.release}], "metrics": [question(case, namespace)]}
        run = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": {"name": case.name},
               "spec": spec}  # fmt: skip
        kubectl(namespace, "delete", "analysisrun", case.name, "--ignore-not-found")
        kubectl(namespace, "apply", "-f", "-", text=json.dumps(run))


def looked(namespace: str) -> dict[str, tuple[str, dict[str, int], str]]:
    """Per case: phase, counts of its measurements, last value or message."""
    found = {}
    for item in json.loads(kubectl(namespace, "get", "analysisruns", "-o", "json"))["items"]:
        (result,) = item.get("status", {}).get("metricResults") or [{}]
        counts = {key: int(result.get(key, 0)) for key in ("successful", "failed", "inconclusive", "error")}
        last = (result.get("measurements") or [{}])[-1]
        said = str(last.get("value") or last.get("message") or "")[:70]
        found[item["metadata"]["name"]] = (item.get("status", {}).get("phase", ""), counts, said)
    return found


def main() -> int:
    """Run all cases at once; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--namespace", default="gates-e2e")
    parser.add_argument("--image", default="docker.io/library/python:3.11-slim", help="any image with Python")
    parser.add_argument("--keep", action="store_true", help="leave the namespace")
    given = parser.parse_args()
    start(given.namespace, given.image)
    until = time.monotonic() + SECONDS
    ending = {case.name for case in CASES if case.wanted != "Running"}
    while time.monotonic() < until:
        found = looked(given.namespace)
        waited = all(sum(found[c.name][1].values()) >= 3 for c in CASES if c.wanted == "Running")
        if waited and all(found[name][0] in {"Successful", "Failed"} for name in ending):
            break
        time.sleep(3)
    found, wrong = looked(given.namespace), 0
    print("| case | wanted | phase | measurements | last |\n|---|---|---|---|---|")
    for case in CASES:
        phase, counts, said = found[case.name]
        told = ", ".join(f"{n} {key}" for key, n in counts.items() if n) or "none"
        good = phase == case.wanted and told != "none"
        if case.wanted == "Running":
            good &= counts["successful"] == counts["failed"] == 0
        wrong += not good
        print(f"| {case.name} | {case.wanted} | {phase}{'' if good else ' WRONG'} | {told} | `{said}` |")
    if not given.keep:
        subprocess.run(["kubectl", "delete", "namespace", given.namespace, "--wait=false"], check=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
