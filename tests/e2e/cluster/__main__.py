"""`make e2e`: the whole application on the cluster of KUBECONFIG, from commits alone.

    python -m tests.e2e.cluster                    every step; where all pass, the log goes to docs/
    python -m tests.e2e.cluster --from STEP        go on with STEP (any part of its name), with what was before
    python -m tests.e2e.cluster --only STEP        one step
    python -m tests.e2e.cluster --ci               the short subset
    python -m tests.e2e.cluster --docs ...         write the log of the last good run of each step to docs/ at the end
    python -m tests.e2e.cluster --list             the steps

Needs ArgoCD, Argo Rollouts, Traefik, a Git server that takes pushes (E2E_GIT) and a registry (E2E_REGISTRY).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback

from tests.e2e.cluster.kube import ROOT
from tests.e2e.cluster.log import Row, keep, publish
from tests.e2e.cluster.site import Site
from tests.e2e.cluster.steps import CI, STEPS, Step
from tests.e2e.cluster.tree import Tree

GIT = os.environ.get("E2E_GIT", "http://172.31.255.1:3000/hilum.git")
REGISTRY = os.environ.get("E2E_REGISTRY", "localhost:5000/hilum")
INGRESS = os.environ.get("E2E_INGRESS", "https://127.0.0.1:30443")
# What a later run goes on with; ignored by Git, holds the test user's password.
FOLDER = ROOT / "build" / "e2e"


def chosen(options: argparse.Namespace) -> list[Step]:
    """The steps of this run; exits where a name fits none."""
    steps: list[Step] = list(CI if options.ci else STEPS)
    for wanted, only in ((options.only, True), (options.begin, False)):
        if wanted:
            places = [n for n, step in enumerate(steps) if wanted.replace(" ", "_") in step.__name__]
            if not places:
                raise SystemExit(f"no step has '{wanted}' in its name; --list names them")
            steps = [steps[places[0]]] if only else steps[places[0] :]
    return steps


def main() -> int:
    """Run the steps; status 1 at the first that fails."""
    parser = argparse.ArgumentParser(description="The whole application on the cluster of KUBECONFIG.")
    parser.add_argument("--from", dest="begin", default="", metavar="STEP", help="go on with this step")
    parser.add_argument("--only", default="", metavar="STEP", help="this step alone")
    parser.add_argument("--ci", action="store_true", help="the short subset")
    parser.add_argument("--docs", action="store_true", help="write the log to docs/ at the end")
    parser.add_argument("--list", action="store_true", help="name the steps")
    options = parser.parse_args()
    steps = chosen(options)
    if options.list:
        sys.stdout.write("\n".join(step.__name__ for step in steps) + "\n")
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o700)
    log, order = FOLDER / "log.csv", [step.__name__ for step in STEPS]
    site = Site(Tree(FOLDER / "tree", GIT), INGRESS, REGISTRY, FOLDER)
    if Site.place(FOLDER).exists() and steps[0] is not STEPS[0]:
        site.memory = json.loads(Site.place(FOLDER).read_text(encoding="utf-8"))
    for number, step in enumerate(steps, 1):
        began = time.monotonic()
        sys.stdout.write(f"[{number}/{len(steps)}] {step.__name__.replace('_', ' ')} ...\n")
        sys.stdout.flush()
        try:
            result = step(site)
        except Exception:
            traceback.print_exc()
            sys.stdout.write(f"    FAILED after {time.monotonic() - began:.0f} s; again: --from {step.__name__}\n")
            return 1
        row = Row(step.__name__, time.monotonic() - began, result)
        sys.stdout.write(f"    {row.seconds:.0f} s: {result}\n")
        if not result.startswith("NOT RUN") and not (step is STEPS[0] and os.environ.get("E2E_BUILT")):
            keep(log, row, order)
    sys.stdout.write("all of it passed\n")
    if options.docs or steps == list(STEPS):
        publish(log, order)
    return 0


if __name__ == "__main__":
    sys.exit(main())
