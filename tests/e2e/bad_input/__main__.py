"""`python -m tests.e2e.bad_input`: every bad input on the cluster of KUBECONFIG; what runs must keep running.

    python -m tests.e2e.bad_input                       all of them; what passes goes to docs/
    python -m tests.e2e.bad_input --only SECRET         those with these letters in their name

In a namespace of its own (E2E_NAMESPACE), which goes at the end, with a store of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.bad_input.faults import FAULTS, HELM, meet
from tests.e2e.bad_input.ground import NAMESPACE, Ground, ground
from tests.e2e.cluster.kube import ROOT, get, kubectl, wait_until

LOG = ROOT / "docs/benchmarks/bad-input-intel-xeon-2-cores.csv"
PAGE = ROOT / "docs/platform-engineer.md"
BEGIN, END = "<!-- bad input: begin -->\n", "<!-- bad input: end -->\n"
FIELDS = ("fault", "where", "words", "seconds", "when")


def second_environment(place: Ground) -> str:
    """Another installation into the same namespace is refused by helm, and changes nothing."""
    done = place.upgrade(name="other")
    assert done.returncode != 0, "two environments share a namespace"
    assert "exists and cannot be imported into the current release" in done.stderr, done.stderr
    assert place.serves()
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return error[:240]


def astray(_: Ground) -> str:
    """An Application of staging's project that aims at this namespace is refused by ArgoCD, and makes nothing."""
    source = get("argocd", "application", "hilum-staging")["spec"]["source"]
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": NAMESPACE, "namespace": "argocd"},
        "spec": {
            "project": "staging",
            "source": {name: source[name] for name in ("repoURL", "targetRevision", "path")},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": NAMESPACE},
        },
    }
    kubectl("apply", "-f", "-", text=json.dumps(application))
    said = ""

    def told() -> bool:
        nonlocal said
        conditions = get("argocd", "application", NAMESPACE).get("status", {}).get("conditions", [])
        said = " ".join(one["message"] for one in conditions if one["type"] == "InvalidSpecError")
        return "do not match any of the allowed destinations in project 'staging'" in said

    try:
        wait_until("ArgoCD's refusal", told, 180)
    finally:
        kubectl("-n", "argocd", "delete", "application", NAMESPACE)
    return said[:240]


def publish(new: list[dict[str, str]]) -> None:
    """The CSV, with the new rows in the places of their last ones, and the page's table between its two marks."""
    found: dict[str, dict[str, str]] = {}
    if LOG.exists():
        with LOG.open(encoding="utf-8", newline="") as file:
            found = {row["fault"]: row for row in csv.DictReader(file)}
    rows = list((found | {row["fault"]: row for row in new}).values())
    with LOG.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["| what is wrong | where it is seen | the words |", "|---|---|---|"]
    for row in rows:
        words = row["words"].replace("|", "/").replace("`", "'")
        lines.append(f"| {row['fault']} | {row['where']} | `{words}` |")
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


def main() -> int:
    """Run them; status 1 where one failed."""
    parser = argparse.ArgumentParser(description="Every bad input on the cluster of KUBECONFIG.")
    parser.add_argument("--only", default="", help="those with these letters in their name")
    only = parser.parse_args().only
    rows: list[dict[str, str]] = []
    failed = 0
    with tempfile.TemporaryDirectory() as folder, ground(Path(folder)) as place:
        steps = [(fault.what, fault.where, lambda fault=fault: meet(fault, place)) for fault in FAULTS]
        steps.append(("two environments in one namespace", HELM, lambda: second_environment(place)))
        if get("argocd", "application", "hilum-staging"):
            steps.append(
                ("an Application that leaves its project", "the Application's condition", lambda: astray(place))
            )
        for what, where, step in steps:
            if only not in what:
                continue
            began = time.monotonic()
            try:
                words = step()
            except Exception:
                traceback.print_exc()
                sys.stdout.write(f"FAILED: {what}\n")
                failed += 1
                place.back()
                continue
            took = time.monotonic() - began
            sys.stdout.write(f"{took:4.0f} s  {what}: {words}\n")
            sys.stdout.flush()
            when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
            rows.append(dict(zip(FIELDS, (what, where, words, f"{took:.0f}", when), strict=True)))
    publish(rows)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
