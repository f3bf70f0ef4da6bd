"""`make e2e-promotion`: a good release reaches production with no hand but the approval, and bad ones are stopped.

Needs the cluster of KUBECONFIG with ArgoCD, Argo Rollouts, a Git server that takes pushes (E2E_GIT) and the image of
inference (E2E_INFERENCE, else build/images.json). Everything lies in namespaces of its own, `promo-*`, and is removed
at the end unless `--keep` is given; `--good` leaves the bad releases out. What the command line said is kept in
build/e2e-promotion.txt.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hilum.release.signing import new_key
from tests.e2e.cluster.kube import ROOT
from tests.e2e.promotion import ground
from tests.e2e.promotion.site import Site
from tests.e2e.promotion.steps import BAD, STEPS

GIT = os.environ.get("E2E_GIT", "http://172.31.255.1:3000/promo.git")
LOG = Path(os.environ.get("E2E_LOG", ROOT / "docs/benchmarks/e2e-promotion-intel-xeon-2-cores.csv"))


def image() -> str:
    """repository@digest of inference."""
    if given := os.environ.get("E2E_INFERENCE"):
        return given
    found = json.loads((ROOT / "build/images.json").read_text(encoding="utf-8"))["images"]["inference"]
    return f"{found['repository']}@{found['digest']}"


def main() -> int:
    """Run every step; status 1 at the first that fails."""
    rows = ["step,seconds,result"]
    began = time.monotonic()
    code = 0
    with tempfile.TemporaryDirectory(prefix="hilum-promotion-") as name:
        site = Site(Path(name), GIT, image(), new_key())
        try:
            for step in STEPS if "--good" not in sys.argv else (s for s in STEPS if s not in BAD):
                at = time.monotonic()
                try:
                    result = step(site)
                except Exception:
                    traceback.print_exc()
                    result, code = "FAILED", 1
                seconds = time.monotonic() - at
                rows.append(f'{step.__name__},{seconds:.0f},"{result.replace(chr(34), chr(39))}"')
                sys.stdout.write(f"{step.__name__.replace('_', ' ')} ({seconds:.0f} s): {result}\n")
                sys.stdout.flush()
                if code:
                    break
        finally:
            if code:
                for log in Path(name).glob("*.log"):
                    sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}\n")
            site.close()
            (ROOT / "build").mkdir(exist_ok=True)
            (ROOT / "build/e2e-promotion.txt").write_text("\n".join(site.told), encoding="utf-8")
            if "--keep" not in sys.argv:
                ground.take_down()
    rows.append(f'all_of_it,{time.monotonic() - began:.0f},"{"FAILED" if code else "passed"}"')
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
