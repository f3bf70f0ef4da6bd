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
NOT_FIRED: dict[str, str] = {}


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
    with LOCK.open("w") as lock:
        # Two batches may run at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write(row)


def _write(row: Row) -> None:
    others = [one for one in known() if (one.alert, one.factor) != (row.alert, row.factor)]
    rows = sorted([*others, row], key=lambda one: (one.alert, one.factor))
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
    lines = [
        "| alert | team, severity | `for` | fired by | time | held after | fired after | delivered after | resolved |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rule in sorted(alerts().items()):
        labels = f"{rule['labels']['team']}, {rule['labels']['severity']}"
        head = f"| [{name}](runbooks/{name}.md) | {labels} | {rule.get('for', '0')} |"
        seen = sorted((row for row in known() if row.alert == name), key=lambda row: row.factor)
        if name == "Watchdog":
            lines.append(f"{head} itself, always | | 0 s | 0 s | each minute | never |")
        elif seen:
            lines.append(f"{head} {' | '.join(_cells(seen))} |")
        else:
            why = f"it takes {NOT_FIRED[name]}" if name in NOT_FIRED else "`make e2e-alerts` can, and has not"
            lines.append(f"{head} promtool alone: {why} | | | | | |")
    return "\n".join(lines)


def _cells(seen: list[Row]) -> tuple[str, ...]:
    """The row in the rules' own time where there is one; how it was resolved, by whichever row saw that."""
    row = seen[0]
    told = "held back by its cause" if row.delivered_after is None else f"{row.delivered_after:.0f} s"
    by = next((one for one in seen if one.resolved), None)
    resolved = "not seen" if by is None else "yes" if by.factor == row.factor else f"yes, {_time(by)}"
    return (row.cause, _time(row), f"{row.seen_after:.0f} s", f"{row.fired_after:.0f} s", told, resolved)


def _time(row: Row) -> str:
    return "as it is" if row.factor == 1 else f"compressed {row.factor} x"


def write_page() -> None:
    """Put the table into its page."""
    text = Path(PAGE).read_text(encoding="utf-8")
    part = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    PAGE.write_text(part.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    write_page()
