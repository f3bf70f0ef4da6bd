"""`make test-machines`: Ansible from bare machines to a cluster and what comes after, with times. Root, Debian 12.

Three stories, each a module with its machines (GROUPS) and steps (STEPS): one server with two agents, three servers,
one machine alone. A failure stops the run and leaves the machines' files for a look.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.machines import servers, single, steps
from tests.machines.digest import digest
from tests.machines.machines import STATE, Machine
from tests.machines.site import GROUPS, ROOT, Site

STORIES: dict[str, tuple[dict[str, tuple[Machine, ...]], tuple[Callable[[Site], str], ...]]] = {
    "cluster": (GROUPS, steps.STEPS),
    "servers": (servers.GROUPS, servers.STEPS),
    "single": (single.GROUPS, single.STEPS),
}
# These make their machines; a run that starts with another step switches on those that are there.
FROM_NOTHING = {
    "three_bare_machines_start",
    "from_bare_to_ready",
    "three_servers_join_one_after_the_other",
    "a_bare_machine_with_a_volume_becomes_a_cluster",
    "etcd_and_its_snapshots_are_lost_and_the_bucket_has_one",
}


def tell(story: str, asked: list[str], rows: list[tuple[str, str, str]]) -> None:
    """Run a story's steps, or those that were asked for."""
    groups, all_steps = STORIES[story]
    chosen = [step for step in all_steps if not asked or step.__name__ in asked]
    if not chosen:
        return
    site = Site(log=STATE / f"{story}.log", groups=dict(groups))
    site.log.write_text("", encoding="utf-8")
    site.prepare()
    try:
        if chosen[0].__name__ not in FROM_NOTHING:
            site.resume()
        for step in chosen:
            began = time.monotonic()
            said = step(site)
            rows.append((step.__name__.replace("_", " "), f"{time.monotonic() - began:.0f}", said))
            print(f"{rows[-1][1]:>5} s  {rows[-1][0]}: {said}", flush=True)
    finally:
        site.close()


def write(out: Path, rows: list[tuple[str, str, str]]) -> None:
    """The rows as CSV, each with the machine and the commit."""
    out.parent.mkdir(exist_ok=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    kernel = platform.release().split("-")[0]
    slug = f"{os.cpu_count()} cores, Linux {kernel}, {time.strftime('%Y-%m-%d')}, commit {commit}"
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("step", "seconds", "found", "machine"))
        writer.writerows((*row, slug) for row in rows)


def main() -> None:
    """Run all steps, or those named; write the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="*", help="names of stories or steps, in their order; default: all")
    parser.add_argument(
        "--out", type=Path, help="CSV of the times, such as build/machines.csv; its log comes beside it"
    )
    asked = parser.parse_args()
    # So that the machines are switched off then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    if os.geteuid() or not sys.platform.startswith("linux"):
        raise SystemExit("make test-machines needs root on Linux: it starts machines by systemd-nspawn")
    STATE.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, str, str]] = []
    began = time.time()
    try:
        for story in STORIES:
            if not asked.steps or story in asked.steps:
                tell(story, [], rows)
            else:
                tell(story, asked.steps, rows)
    finally:
        if asked.out:
            write(asked.out, rows)
            logs = [STATE / f"{story}.log" for story in STORIES]
            kept = "\n".join(digest(log) for log in logs if log.exists() and log.stat().st_mtime >= began)
            asked.out.with_suffix(".log").write_text(kept, encoding="utf-8")


if __name__ == "__main__":
    main()
