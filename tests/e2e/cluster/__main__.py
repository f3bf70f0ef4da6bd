"""`make e2e`: the whole application on the cluster of KUBECONFIG, from commits alone.

Needs ArgoCD, Argo Rollouts, Traefik, a Git server that takes pushes (E2E_GIT) and a registry (E2E_REGISTRY).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.e2e.cluster.kube import ROOT, sh
from tests.e2e.cluster.steps import STEPS, Site
from tests.e2e.cluster.tree import Tree

GIT = os.environ.get("E2E_GIT", "http://172.31.255.1:3000/hilum.git")
REGISTRY = os.environ.get("E2E_REGISTRY", "localhost:5000/hilum")
INGRESS = os.environ.get("E2E_INGRESS", "https://127.0.0.1:30443")
LOG = ROOT / "docs/benchmarks/cluster-e2e-intel-xeon-2-cores.csv"


def main() -> int:
    """Run every step; status 1 at the first that fails."""
    rows = ["step,seconds,result"]
    began = time.monotonic()

    def told(name: str, seconds: float, result: str) -> None:
        rows.append(f'{name},{seconds:.0f},"{result}"')
        sys.stdout.write(f"{name.replace('_', ' ')} ({seconds:.0f} s): {result}\n")
        sys.stdout.flush()

    if "--no-build" not in sys.argv:
        at = time.monotonic()
        sh("k8s/images.sh", PUSH=REGISTRY, TLS_VERIFY=os.environ.get("TLS_VERIFY", "false"))
        told("images_are_built_and_pushed_by_digest", time.monotonic() - at, REGISTRY)
    images = json.loads((ROOT / "build/images.json").read_text(encoding="utf-8"))["images"]
    with tempfile.TemporaryDirectory(prefix="hilum-e2e-") as name:
        tree = Tree(Path(name) / "tree", GIT)
        tree.prepare(images)
        site = Site(tree, INGRESS, Path(name))
        for step in STEPS:
            at = time.monotonic()
            try:
                result = step(site)
            except Exception:
                traceback.print_exc()
                told(step.__name__, time.monotonic() - at, "FAILED")
                return 1
            told(step.__name__, time.monotonic() - at, result)
    told("all_of_it", time.monotonic() - began, "passed")
    LOG.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
