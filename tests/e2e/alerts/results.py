"""What was seen of each alert: a CSV, and the table of docs/monitoring.md that is made from it."""

from __future__ import annotations

import csv
import dataclasses
import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
# Two scrapes of 15 s, and the rule's own `for`.
BOUND_SECONDS = 30.0
# What has to gather before an expression can hold, where that takes longer than two scrapes.
GATHERS = {
    "AlertRateHigh": "200 films are asked first, one each 0.6 s",
    "AlertsNotDelivered": "Alertmanager tries for a minute before it counts a failure",
    "ArgocdOutOfSync": "the commit is pushed, and ArgoCD asks Git and compares",
    "ArgocdUnhealthy": "the commit is pushed, and ArgoCD asks Git and compares",
    "BackupMissed": "the last backup has to be two hours old, which are 120 s in this time",
    "CandidateInconclusive": "the candidate has to wait for a day, which is 120 s in this time",
    "CriticalStudiesOverdue": "the studies have to wait for their minute first, which is critical's wait in the proof",
    "DriftReportMissed": "the report has to be two days old, which are 240 s in this time",
    "ExportStale": "the read has to be an hour old, which is 60 s here, and feedback had just been started anew",
    "FilmsWaitForScores": "a film has to wait for 120 s first",
    "GateInError": "the gate asks each minute",
    "InferenceErrors": "five errors, and more than 5 % of five minutes' requests",
    "InferenceSlow": "the release's pod is exchanged first, then 20 films take a second each",
    "ModelNotReady": "the pod of before ends, the new one starts and looks for its release",
    "ModelQualityFell": "the evaluation set is sent once more, 104 films of a second each",
    "NoRecentBlindReads": "40 films are scored and read first",
    "NotScoredShareHigh": "60 films are sent and looked at",
    "OutOfMemory": "the pod starts, takes its memory, is killed and started again",
    "PodDown": "an unanswered scrape is given up after 10 s",
    "PodRestarts": "three restarts, which the kubelet delays by 10, 20 and 40 s",
    "PromoterStuck": "the pod starts, and its call of Git is given up",
    "RankingBudgetBurnsFast": "inference is away for 100 s first; films count when they have their score",
    "RankingBudgetBurnsSlowly": "inference is away for 100 s first; films count when they have their score",
    "ReadingRoomBudgetBurnsFast": "one of seven pages of the last hour, by a record that is made each 30 s",
    "ReadingRoomBudgetBurnsSlowly": "3 % of the pages of two hours and of a day, by records that are made each 30 s",
    "ReadingRoomErrors": "more than 5 % of five minutes' requests, of which the list is a part",
    "ReadsDoNotReachTheLedger": "a read has to wait for 600 s first",
    "ResultsWait": "a result has to wait for 900 s first",
    "RulesFail": "the pod starts; Prometheus counts the failure, and scrapes itself 15 s later",
    "ServiceDown": "an unanswered scrape is given up after 10 s",
    "ServiceGone": "the pods end first",
    "ShadowStalled": "ten studies without an answer",
    "StudiesOverdueBeyondWait": "the studies have to wait for twice their minute first",
    "TooManySeries": "the pod starts",
    "VolumeFilling": "the kubelet counts volumes once a minute, and a trend needs some of them",
    "VolumeNearlyFull": "the kubelet counts volumes once a minute, the first time a while after the pod's start",
}


@dataclass(frozen=True)
class Row:
    """Seconds since the fault. `seen_after`: the expression holds; `team`: whose receiver was told first.

    `factor`: how many times faster the rules' time ran; 1: as they are.
    """

    alert: str
    factor: int
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
            Row(row["alert"], int(row["factor"]), row["cause"], row["date"], float(row["seen_after"]),
                float(row["fired_after"]),
                float(row["delivered_after"]) if row["delivered_after"] else None, row["team"],
                row["resolved"] == "yes")
            for row in csv.DictReader(stream)
        ]  # fmt: skip


def keep(row: Row) -> None:
    """Add or replace the alert's row."""
    with _locked():
        _write([*(one for one in known() if (one.alert, one.factor) != (row.alert, row.factor)), row])


def forget(keys: set[tuple[int, str]]) -> None:
    """Take out the rows of these factors and alerts, which are made again."""
    with _locked():
        _write([one for one in known() if (one.factor, one.alert) not in keys])


@contextmanager
def _locked() -> Iterator[None]:
    """Two runs may write at the same time."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(rows: list[Row]) -> None:
    with PLACE.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [field.name for field in dataclasses.fields(Row)], lineterminator="\n")
        writer.writeheader()
        for one in sorted(rows, key=lambda one: (one.alert, one.factor)):
            values: dict[str, Any] = dataclasses.asdict(one) | {"resolved": "yes" if one.resolved else "no"}
            for name in ("seen_after", "fired_after", "delivered_after"):
                values[name] = "" if values[name] is None else f"{values[name]:.0f}"
            writer.writerow(values)


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert's rule."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    return {r["alert"]: r for file in files for group in file["groups"] for r in group["rules"] if "alert" in r}


def beyond(row: Row) -> float:
    """Seconds from the fault to firing, less the rule's `for`, in the time in which it ran."""
    number, unit = re.fullmatch(r"(\d+)([smh]?)", str(alerts()[row.alert].get("for", 0))).groups()  # type: ignore[union-attr]
    return row.fired_after - int(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit] / row.factor


def table() -> str:
    """Every alert: whose it is, its page, and how it was seen to fire, or why not."""
    lines = [
        "| alert | team, severity | `for` | fired by | time | held after | fired after | beyond `for` "
        "| delivered after | resolved |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rule in sorted(alerts().items()):
        labels = f"{rule['labels']['team']}, {rule['labels']['severity']}"
        head = f"| [{name}](runbooks/{name}.md) | {labels} | {rule.get('for', '0')} |"
        seen = sorted((row for row in known() if row.alert == name), key=lambda row: row.factor)
        if name == "Watchdog":
            lines.append(f"{head} itself, always | | 0 s | 0 s | 0 s | each minute | never |")
        elif seen:
            lines.append(f"{head} {' | '.join(_cells(seen))} |")
        else:
            lines.append(f"{head} promtool alone: `make e2e-alerts` can, and has not | | | | | | |")
    # Of each alert the row that is shown.
    shown = {row.alert: row for row in sorted(known(), key=lambda row: -row.factor)}
    later = sorted(name for name, row in shown.items() if beyond(row) > BOUND_SECONDS)
    lines += ["", f"Later than {BOUND_SECONDS:.0f} s and the `for`, and what had to gather first:", ""]
    lines += [f"- **{name}**: {GATHERS.get(name, '**not known**')}" for name in later]
    return "\n".join(lines)


def _cells(seen: list[Row]) -> tuple[str, ...]:
    """The row in the rules' own time where there is one; how it was resolved, by whichever row saw that."""
    row = seen[0]
    told = "held back by its cause" if row.delivered_after is None else f"{row.delivered_after:.0f} s"
    by = next((one for one in seen if one.resolved), None)
    resolved = "not seen" if by is None else "yes" if by.factor == row.factor else f"yes, {_time(by)}"
    seconds = (f"{value:.0f} s" for value in (row.seen_after, row.fired_after, beyond(row)))
    return (row.cause, _time(row), *seconds, told, resolved)


def _time(row: Row) -> str:
    return "as it is" if row.factor == 1 else f"compressed {row.factor} x"


def write_page() -> None:
    """Put the table into its page."""
    text = Path(PAGE).read_text(encoding="utf-8")
    part = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    PAGE.write_text(part.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    write_page()
