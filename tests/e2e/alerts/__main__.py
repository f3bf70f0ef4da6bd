"""`make e2e-alerts`: every alert fired by its cause on a cluster, delivered and resolved.

    python -m tests.e2e.alerts                     all of it from the beginning
    python -m tests.e2e.alerts --owed              what has no row in the results yet, or was not resolved
    python -m tests.e2e.alerts --batch 2           one batch of faults
    python -m tests.e2e.alerts --only BackupMissed the faults of these alerts, or a fault by its name
    python -m tests.e2e.alerts --no-prepare        the hospital is up
    python -m tests.e2e.alerts --look              what was resolved after the run that fired it had ended

Needs a cluster (KUBECONFIG) with Traefik and build/images.json (`make images PUSH=...`), and root on its node for two
faults: volumes of a real file system, and a pod that hangs. It makes a hospital in namespaces of its own, `mon-*`, with
charts/monitoring over it three times: as it is, and with the same rules in time 60 and 720 times faster (compress.py).
Results: docs/benchmarks/alerts-*.csv; broken off, it goes on where it stood.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import sys
import threading
import time
import traceback
from datetime import datetime

from tests.e2e.alerts import faults_models, faults_promotion, monitor
from tests.e2e.alerts.all_faults import FAULTS
from tests.e2e.alerts.fault import Fault, Proof, say
from tests.e2e.alerts.results import forget, keep, known, write_page
from tests.e2e.alerts.site import WATCHES, Site
from tests.e2e.alerts.watch import Traffic, Watch
from tests.e2e.cluster.kube import ROOT


def begin(
    site: Site, watches: dict[int, Watch], faults: list[Fault], ends: list[threading.Thread]
) -> list[threading.Thread]:
    """Lanes at the same time, the faults of a lane one after another; `ends` gets who waits for their alerts' end."""
    lanes = [list(lane) for _, lane in itertools.groupby(sorted(faults, key=_lane), key=_lane)]

    def whole(lane: list[Fault]) -> None:
        for fault in lane:
            ends.append(Proof(fault, watches).run(site))

    threads = [threading.Thread(target=whole, args=(lane,)) for lane in lanes]
    for thread in threads:
        thread.start()
        # A machine of two cores breaks one thing after another.
        time.sleep(4)
    return threads


def ready(site: Site, fault: Fault) -> bool:
    """What comes before the fault; one that can't be prepared is left out, and hinders no other."""
    if fault.ready is not None:
        say(f"to prepare: {fault.name}")
        try:
            fault.ready(site)
        except Exception:
            say(f"FAILED: {fault.name}\n{traceback.format_exc()}")
            return False
    return True


def look() -> None:
    """Put into the rows what the receivers were told after the run that made them had ended."""
    watches = {factor: Watch(namespace) for factor, namespace in WATCHES.items()}
    for row in known():
        began = datetime.fromisoformat(row.date).timestamp()
        told = [one for one in watches[row.factor].received() if one["alert"] == row.alert and one["at"] > began]
        firing = next((one for one in told if one["status"] == "firing"), None)
        delivered, team = row.delivered_after, row.team
        if delivered is None and firing is not None:
            delivered, team = firing["at"] - began, firing["team"]
        over = any(one["status"] == "resolved" and one["at"] > began + row.fired_after for one in told)
        keep(dataclasses.replace(row, delivered_after=delivered, team=team, resolved=row.resolved or over))
    write_page()


def join(threads: list[threading.Thread]) -> None:
    """Wait for all of them."""
    for thread in threads:
        thread.join()


def _lane(fault: Fault) -> str:
    return fault.lane or fault.name


def main() -> int:
    """Bring the site up, run the batches that are owed, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--batch", type=int, action="append", default=[])
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--owed", action="store_true", help="go on where the last run stopped")
    parser.add_argument("--no-prepare", action="store_true", help="the site is up")
    parser.add_argument("--no-traffic", action="store_true", help="another run sends films and opens pages")
    parser.add_argument("--look", action="store_true")
    options = parser.parse_args()
    if options.look:
        look()
        return 0
    images = json.loads((ROOT / "build/images.json").read_text(encoding="utf-8"))["images"]
    site = Site({name: images[name] for name in ("inference", "web", "feedback", "promoter")})
    began = time.monotonic()
    if options.no_prepare:
        site.memory |= json.loads(site.place.read_text(encoding="utf-8"))
    else:
        site.prepare()
        monitor.install(site)
    watches = {factor: Watch(namespace) for factor, namespace in WATCHES.items()}
    ends: list[threading.Thread] = []
    done = {(row.factor, row.alert) for row in known() if row.resolved}
    wanted = [fault for fault in FAULTS if _wanted(fault, options, done)]
    expected = {key for fault in wanted for key in fault.expected}
    forget(expected)
    try:
        faults = [fault for fault in wanted if ready(site, fault)]
        site.remember()
        with contextlib.nullcontext() if options.no_traffic else Traffic(site):
            beside: list[threading.Thread] = []
            for number, batch in itertools.groupby(faults, key=lambda fault: fault.batch):
                say(f"batch {number}; the machine's load is {os.getloadavg()[0]:.1f}")
                threads = begin(site, watches, list(batch), ends)
                if number == 0:
                    beside = threads
                else:
                    join(threads)
            join(beside)
            join(ends)
        look()
    finally:
        faults_promotion.over(site)
        faults_models.end("ask")
        faults_models.end("evaluate")
        write_page()
    missing = sorted(expected - {(row.factor, row.alert) for row in known()})
    print(f"{(time.monotonic() - began) / 60:.0f} minutes; not fired: {missing or 'none'}")
    return 1 if missing else 0


def _wanted(fault: Fault, options: argparse.Namespace, done: set[tuple[int, str]]) -> bool:
    if options.only:
        return fault.name in options.only or any(alert in options.only for _, alert in fault.expected)
    if options.batch:
        return fault.batch in options.batch
    return not options.owed or not fault.expected <= done


if __name__ == "__main__":
    sys.exit(main())
