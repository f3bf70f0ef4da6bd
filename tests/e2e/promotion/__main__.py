"""`make e2e-promotion`: a good release reaches production with no hand but the approval, and bad ones are stopped.

    python -m tests.e2e.promotion            the proof in its short form
    python -m tests.e2e.promotion --good     without the bad releases
    python -m tests.e2e.promotion --full     the whole list of bad releases and faults, on where the last run stopped;
                                             --again begins anew, a step's name runs that one alone
    --keep                                   leave everything in the cluster at the end

Needs the cluster of KUBECONFIG with ArgoCD, Argo Rollouts, a Git server that takes pushes (E2E_GIT) and the image of
inference (E2E_INFERENCE, else build/images.json). Everything lies in namespaces of its own, `promo-*`. What the command
line said is kept in build/e2e-promotion.txt.
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
from tests.e2e.promotion import full, ground, record
from tests.e2e.promotion.site import Site
from tests.e2e.promotion.steps import BAD, STEPS, Step

GIT = os.environ.get("E2E_GIT", "http://172.31.255.1:3000/promo.git")
LOG = Path(os.environ.get("E2E_LOG", ROOT / "docs/benchmarks/e2e-promotion-intel-xeon-2-cores.csv"))


def image() -> str:
    """repository@digest of inference."""
    if given := os.environ.get("E2E_INFERENCE"):
        return given
    found = json.loads((ROOT / "build/images.json").read_text(encoding="utf-8"))["images"]["inference"]
    return f"{found['repository']}@{found['digest']}"


def run(step: Step, site: Site) -> tuple[float, str]:
    """How long it took, and what it saw; "" where it failed."""
    at = time.monotonic()
    try:
        result = step(site)
    except Exception:
        traceback.print_exc()
        result = ""
    seconds = time.monotonic() - at
    sys.stdout.write(f"{step.__name__.replace('_', ' ')} ({seconds:.0f} s): {result or 'FAILED'}\n")
    sys.stdout.flush()
    return seconds, result


def short(site: Site) -> int:
    """Every step; status 1 at the first that fails."""
    rows, began, failed = ["step,seconds,result"], time.monotonic(), False
    for step in STEPS if "--good" not in sys.argv else (s for s in STEPS if s not in BAD):
        seconds, result = run(step, site)
        rows.append(f'{step.__name__},{seconds:.0f},"{result.replace(chr(34), chr(39)) or "FAILED"}"')
        if not result:
            failed = True
            break
    rows.append(f'all_of_it,{time.monotonic() - began:.0f},"{"FAILED" if failed else "passed"}"')
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return int(failed)


def whole(site: Site) -> int:
    """Each step of the list that has not passed yet; one that fails is left, and the next one is tried."""
    if "--again" in sys.argv:
        record.KEPT.unlink(missing_ok=True)
    named = [step for step in full.FULL if step.__name__ in sys.argv]
    left = named or [step for step in full.FULL if step.__name__ not in record.rows()]
    failed = not all(run(step, site)[1] for step in full.BEGIN)
    for step in left if not failed else ():
        seconds, result = run(step, site)
        if result:
            record.keep(step.__name__, seconds, result)
        else:
            failed = True
            site.clear()
        record.publish([each.__name__ for each in full.FULL])
    return int(failed)


def main() -> int:
    """Run what was asked for."""
    code = 1
    with tempfile.TemporaryDirectory(prefix="hilum-promotion-") as name:
        site = Site(Path(name), GIT, image(), new_key())
        try:
            code = whole(site) if "--full" in sys.argv else short(site)
        finally:
            if code:
                for log in Path(name).glob("*.log"):
                    sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}\n")
            site.close()
            (ROOT / "build").mkdir(exist_ok=True)
            (ROOT / "build/e2e-promotion.txt").write_text("\n".join(site.told), encoding="utf-8")
            if "--keep" not in sys.argv:
                ground.take_down()
    return code


if __name__ == "__main__":
    sys.exit(main())
