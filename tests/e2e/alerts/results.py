"""What was seen of each alert: a CSV, and the table of docs/monitoring.md that is made from it."""

from __future__ import annotations

import csv
import dataclasses
import fcntl
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.charts.monitoring.promtool import RULES
from tests.charts.tools import ROOT

PLACE = ROOT / "docs/benchmarks/alerts-intel-xeon-2-cores.csv"
PAGE = ROOT / "docs/monitoring.md"
LOCK = ROOT / "build/alerts.lock"
BEGIN, END = "<!-- alerts: begin -->", "<!-- alerts: end -->"
# Why an alert has no row: what it would take.
NOT_FIRED = {
    "AlertRateHigh": "200 films in a day that are called too often, and then an hour",
    "AlertRateLow": "the same the other way",
    "BackupMissed": "two hours without a backup",
    "CandidateInconclusive": "a candidate that waits for days",
    "DriftFound": "a drift job over this site's films",
    "DriftReportMissed": "two days without a drift report",
    "ExportStale": "an hour in which the bucket can't be written",
    "FilmsNotKept": "C-STORE while a store is away; by HTTP the door answers, because web is not ready then",
    "ReadingRoomErrors": "a fault of web itself; with a store away web is not ready, and the door answers",
    "GateFailed": "a promoter and a candidate; `make e2e-promotion`",
    "GateInError": "a promoter and a candidate; `make e2e-promotion`",
    "GpuError": "a GPU and its DCGM exporter",
    "InferenceErrors": "a model that fails on one film in twenty",
    "InferenceSlow": "a model that takes a second a film",
    "ModelQualityFell": "two releases of one digest that differ",
    "NoRecentBlindReads": "500 judgements in a week",
    "PodDown": "a pod that hangs and is not restarted",
    "PromoterStuck": "a promoter; `make e2e-promotion`",
    "ReadsRefused": "a read that feedback refuses, which web does not make",
    "ResultsRefused": "an archive that refuses a report",
    "RulesFail": "a rule that can't be evaluated",
    "ShadowStalled": "a canary that answers some studies and fails on most",
    "SiteSilent": "two days of a site",
    "VolumeFilling": "volumes of which the kubelet counts the use; the harness's are folders",
    "VolumeNearlyFull": "volumes of which the kubelet counts the use; the harness's are folders",
}


@dataclass(frozen=True)
class Row:
    """Seconds since the fault. `seen_after`: the expression holds; `team`: whose receiver was told first."""

    alert: str
    cause: str
    date: str
    seen_after: float
    fired_after: float
    delivered_after: float | None
    team: str
    resolved: bool


def known() -> list[Row]:
    """The rows so far."""
    if not PLACE.exists():
        return []
    with PLACE.open(newline="", encoding="utf-8") as stream:
        return [
            Row(row["alert"], row["cause"], row["date"], float(row["seen_after"]), float(row["fired_after"]),
                float(row["delivered_after"]) if row["delivered_after"] else None, row["team"],
                row["resolved"] == "yes")
            for row in csv.DictReader(stream)
        ]  # fmt: skip


def keep(row: Row) -> None:
    """Add or replace the alert's row."""
    with LOCK.open("w") as lock:
        # Two batches may run at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write(row)


def _write(row: Row) -> None:
    rows = sorted([*(one for one in known() if one.alert != row.alert), row], key=lambda one: one.alert)
    with PLACE.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [field.name for field in dataclasses.fields(Row)], lineterminator="\n")
        writer.writeheader()
        for one in rows:
            values: dict[str, Any] = dataclasses.asdict(one) | {"resolved": "yes" if one.resolved else "no"}
            for name in ("seen_after", "fired_after", "delivered_after"):
                values[name] = "" if values[name] is None else f"{values[name]:.0f}"
            writer.writerow(values)


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert's rule."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    return {r["alert"]: r for file in files for group in file["groups"] for r in group["rules"] if "alert" in r}


def table() -> str:
    """Every alert: whose it is, its page, and how it was seen to fire, or why not."""
    seen = {row.alert: row for row in known()}
    lines = [
        "| alert | team, severity | `for` | fired by | held after | fired after | delivered after | resolved |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, rule in sorted(alerts().items()):
        labels = f"{rule['labels']['team']}, {rule['labels']['severity']}"
        head = f"| [{name}](runbooks/{name}.md) | {labels} | {rule.get('for', '0')} |"
        if name == "Watchdog":
            lines.append(f"{head} itself, always | 0 s | 0 s | each minute | never |")
        elif name in seen:
            row = seen[name]
            told = "held back by its cause" if row.delivered_after is None else f"{row.delivered_after:.0f} s"
            resolved = "yes" if row.resolved else ("-" if row.delivered_after is None else "not seen")
            cells = (row.cause, f"{row.seen_after:.0f} s", f"{row.fired_after:.0f} s", told, resolved)
            lines.append(f"{head} {' | '.join(cells)} |")
        else:
            why = f"it takes {NOT_FIRED[name]}" if name in NOT_FIRED else "`make e2e-alerts` can, and has not"
            lines.append(f"{head} promtool alone: {why} | | | | |")
    return "\n".join(lines)


def write_page() -> None:
    """Put the table into its page."""
    text = Path(PAGE).read_text(encoding="utf-8")
    part = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    PAGE.write_text(part.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    write_page()
