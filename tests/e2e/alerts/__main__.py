"""`make e2e-alerts`: every alert that a cluster can be made to fire, fired by its cause, delivered and resolved.

    python -m tests.e2e.alerts                     what has no row in the results yet
    python -m tests.e2e.alerts --batch 2           one batch of faults again
    python -m tests.e2e.alerts --minutes 20        how long a batch may take to fire

Needs a cluster (KUBECONFIG) with Traefik and build/images.json (`make images PUSH=...`); it makes the namespaces
mon-app and mon-platform and installs charts/monitoring into `monitoring`. Results: docs/benchmarks/alerts-*.csv,
a row for each alert; broken off, it goes on where it stood.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.e2e.alerts.faults import FAULTS, Fault
from tests.e2e.alerts.results import Row, keep, known, write_page
from tests.e2e.alerts.site import Site
from tests.e2e.alerts.watch import Traffic, Watch
from tests.e2e.cluster.kube import ROOT

LOOK_SECONDS = 5.0


def run(site: Site, watch: Watch, faults: list[Fault], minutes: float) -> None:
    """Start all of a batch, wait until everything fires and is delivered, stop, wait until all of it is resolved."""
    begun: dict[str, tuple[Fault, float]] = {}
    for fault in faults:
        started = time.time()
        fault.start(site)
        begun |= dict.fromkeys(fault.alerts, (fault, started))
        print(f"{time.strftime('%H:%M:%S')} {fault.name}", flush=True)
    fired: dict[str, tuple[float, float]] = {}
    end = time.time() + minutes * 60
    while time.time() < end and (set(begun) - set(fired) or not _told(watch, begun, "firing")):
        for alert, since in watch.firing().items():
            if alert in begun and alert not in fired:
                fired[alert] = (since, time.time())
                print(f"{time.strftime('%H:%M:%S')}   fires: {alert}", flush=True)
                _row(watch, alert, *begun[alert], fired)
        time.sleep(LOOK_SECONDS)
    for alert in fired:
        _row(watch, alert, *begun[alert], fired)
    stopped = time.time()
    for fault in faults:
        fault.stop(site)
    while time.time() < stopped + minutes * 60 and set(fired) & set(watch.firing()):
        time.sleep(LOOK_SECONDS)
    time.sleep(15)
    for alert in fired:
        _row(watch, alert, *begun[alert], fired)
    print(f"not fired: {sorted(set(begun) - set(fired))}", flush=True)


def _told(watch: Watch, begun: dict[str, tuple[Fault, float]], status: str) -> bool:
    seen = {one["alert"] for one in watch.received() if one["status"] == status}
    # Alerts that another one silences are never delivered: the page says so.
    return set(begun) <= seen


def _row(watch: Watch, alert: str, fault: Fault, started: float, fired: dict[str, tuple[float, float]]) -> None:
    since, at = fired[alert]
    # What was broken from the beginning (no archive, no canary, a certificate of one day) counts from when it showed.
    started = min(started, since)
    told = [one for one in watch.received() if one["alert"] == alert and one["at"] > started]
    first = {status: next((one for one in told if one["status"] == status), None) for status in ("firing", "resolved")}
    keep(
        Row(
            alert=alert,
            cause=fault.name,
            date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            seen_after=max(since - started, 0.0),
            fired_after=at - started,
            delivered_after=None if first["firing"] is None else first["firing"]["at"] - started,
            team="" if first["firing"] is None else first["firing"]["team"],
            resolved=first["resolved"] is not None,
        )
    )


def main() -> int:
    """Bring the site up, run the batches that are owed, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--batch", type=int, action="append", default=[])
    parser.add_argument("--minutes", type=float, default=35.0)
    parser.add_argument("--no-prepare", action="store_true", help="the site is up")
    options = parser.parse_args()
    images = json.loads((ROOT / "build/images.json").read_text(encoding="utf-8"))["images"]
    site = Site({name: images[name] for name in ("inference", "web", "feedback")})
    if options.no_prepare:
        site.memory |= json.loads(site.place.read_text(encoding="utf-8"))
    else:
        site.prepare()
    watch = Watch()
    done = {row.alert for row in known() if row.resolved}
    try:
        with Traffic(site):
            for batch in options.batch or sorted({fault.batch for fault in FAULTS}):
                owed = [f for f in FAULTS if f.batch == batch and (options.batch or not set(f.alerts) <= done)]
                if owed:
                    run(site, watch, owed, options.minutes)
    finally:
        watch.close()
        write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
