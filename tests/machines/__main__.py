"""`make test-machines`: Ansible from bare machines to a cluster and what comes after, with times. Root, Debian 12.

The steps are functions of tests.machines.steps; a failure stops the run and leaves the machines' files for a look.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from tests.machines import steps
from tests.machines.machines import STATE
from tests.machines.site import ROOT, Site


def main() -> None:
    """Run all steps, or those named; write the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="*", help="names of steps, in their order; default: all")
    parser.add_argument("--out", type=Path, help="CSV of the times, such as build/machines.csv")
    asked = parser.parse_args()
    if os.geteuid() or not sys.platform.startswith("linux"):
        raise SystemExit("make test-machines needs root on Linux: it starts machines by systemd-nspawn")
    STATE.mkdir(parents=True, exist_ok=True)
    site = Site(log=STATE / "run.log")
    site.log.write_text("", encoding="utf-8")
    site.prepare()
    rows: list[tuple[str, str, str]] = []
    try:
        if asked.steps and asked.steps[0] not in {step.__name__ for step in steps.FROM_NOTHING}:
            site.resume()
        for step in steps.ALL_STEPS:
            if asked.steps and step.__name__ not in asked.steps:
                continue
            began = time.monotonic()
            said = step(site) or ""
            seconds = f"{time.monotonic() - began:.0f}"
            rows.append((step.__name__.replace("_", " "), seconds, said))
            print(f"{seconds:>5} s  {rows[-1][0]}: {said}", flush=True)
    finally:
        site.close()
    if asked.out:
        asked.out.parent.mkdir(exist_ok=True)
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        with asked.out.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(("step", "seconds", "found", "machine"))
            kernel = platform.release().split("-")[0]
            slug = f"{os.cpu_count()} cores, Linux {kernel}, {time.strftime('%Y-%m-%d')}, commit {commit}"
            writer.writerows((*row, slug) for row in rows)


if __name__ == "__main__":
    main()
