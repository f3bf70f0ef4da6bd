"""`make e2e-operators`: what the charts only rendered, applied with the real operators (docs/charts.md).

    python -m tests.e2e.operators                  what has no row in the results yet
    python -m tests.e2e.operators --step NAME      one step again
    python -m tests.e2e.operators --prepare        the room alone

Needs a cluster (KUBECONFIG) with Traefik, build/images.json (`make images PUSH=...`) and the operators that
tests/e2e/operators/operators.py builds and installs. It works in namespaces ops-*; each step says what it saw.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
import traceback

from tests.e2e.cluster.kube import ROOT
from tests.e2e.operators.site import Site
from tests.e2e.operators.steps import STEPS

PLACE = ROOT / "docs/benchmarks/operators-intel-xeon-2-cores.csv"
COLUMNS = ("step", "date", "seconds", "saw")


def known() -> dict[str, dict[str, str]]:
    """The rows that are there, by step."""
    if not PLACE.exists():
        return {}
    with PLACE.open(encoding="utf-8", newline="") as stream:
        return {row["step"]: row for row in csv.DictReader(stream)}


def keep(row: dict[str, str]) -> None:
    """Add or replace a row; steps stand in their order."""
    rows = known() | {row["step"]: row}
    with PLACE.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[step.__name__] for step in STEPS if step.__name__ in rows)


def main() -> int:
    """Bring the room up, run what is owed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--step", action="append", default=[], choices=[step.__name__ for step in STEPS])
    parser.add_argument("--prepare", action="store_true")
    options = parser.parse_args()
    site = Site(json.loads((ROOT / "build/images.json").read_text(encoding="utf-8"))["images"])
    site.prepare()
    done, failed = known(), 0
    for step in STEPS:
        if options.prepare or (step.__name__ not in options.step if options.step else step.__name__ in done):
            continue
        print(f"{step.__name__} ...", flush=True)
        began, date = time.monotonic(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            saw = step(site)
        except Exception:  # the next step is worth its try; this one has no row
            traceback.print_exc()
            failed += 1
            continue
        seconds = f"{time.monotonic() - began:.0f}"
        print(f"    {seconds} s: {saw}", flush=True)
        keep({"step": step.__name__, "date": date, "seconds": seconds, "saw": saw})
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
