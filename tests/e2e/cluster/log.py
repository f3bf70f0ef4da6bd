"""The log of the last run of each step, and the table that docs/gitops.md shows."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.cluster.kube import ROOT, sh

LOG = ROOT / "docs/benchmarks/cluster-e2e-intel-xeon-2-cores.csv"
PAGE = ROOT / "docs/gitops.md"
BEGIN, END = "<!-- e2e: begin -->\n", "<!-- e2e: end -->\n"
FIELDS = ("step", "seconds", "result", "commit", "when")


@dataclass(frozen=True)
class Row:
    """One step's last good run."""

    step: str
    seconds: float
    result: str


def write(path: Path, row: Row, order: list[str]) -> None:
    """Put the row in the place of the step's last one; steps that are no more go. Then the page's table."""
    kept = (
        {one["step"]: one for one in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))}
        if path.exists()
        else {}
    )
    commit = sh("git", "rev-parse", "--short=10", "HEAD").strip()
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    facts = (row.step, f"{row.seconds:.0f}", row.result, commit, when)
    kept[row.step] = dict(zip(FIELDS, facts, strict=True))
    rows = [kept[name] for name in order if name in kept]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, FIELDS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(stream.getvalue(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows, order), encoding="utf-8")


def page(text: str, rows: list[dict[str, str]], order: list[str]) -> str:
    """The page with the table between its two marks."""
    lines = ["| step | s | what was seen | commit, when (UTC) |", "|---|---|---|---|"]
    done = {row["step"]: row for row in rows}
    for name in order:
        row = done.get(name)
        said = (
            f"{row['seconds']} | {row['result']} | {row['commit']}, {row['when']}"
            if row
            else " | **has not passed yet** | "
        )
        lines.append(f"| {name.replace('_', ' ')} | {said} |")
    table = BEGIN + "\n".join(lines) + "\n" + END
    found = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not found.search(text):
        raise ValueError(f"{PAGE.name} has no place for the table: {BEGIN.strip()} ... {END.strip()}")
    return found.sub(lambda _: table, text)
