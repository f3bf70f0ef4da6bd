"""The log of the last good run of each step, and the table that docs/gitops.md shows."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.cluster.kube import ROOT

LOG = ROOT / "docs/benchmarks/cluster-e2e-intel-xeon-2-cores.csv"
PAGE = ROOT / "docs/gitops.md"
BEGIN, END = "<!-- e2e: begin -->\n", "<!-- e2e: end -->\n"
FIELDS = ("step", "seconds", "result", "when")


@dataclass(frozen=True)
class Row:
    """One step's last good run."""

    step: str
    seconds: float
    result: str


def keep(path: Path, row: Row, order: list[str]) -> None:
    """Put the row in the place of the step's last one; steps that are no more go."""
    kept = rows(path)
    facts = (row.step, f"{row.seconds:.0f}", row.result, datetime.now(UTC).strftime("%Y-%m-%d %H:%M"))
    kept[row.step] = dict(zip(FIELDS, facts, strict=True))
    path.write_text(text([kept[name] for name in order if name in kept]), encoding="utf-8")


def rows(path: Path) -> dict[str, dict[str, str]]:
    """What is kept, by step."""
    if not path.exists():
        return {}
    return {row["step"]: row for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))}


def text(found: list[dict[str, str]]) -> str:
    """The rows as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, FIELDS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(found)
    return stream.getvalue()


def publish(path: Path, order: list[str]) -> None:
    """Write what is kept into docs/: the CSV, and the page's table."""
    found = rows(path)
    LOG.write_text(text([found[name] for name in order if name in found]), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found, order), encoding="utf-8")


def page(document: str, done: dict[str, dict[str, str]], order: list[str]) -> str:
    """The page with the table between its two marks."""
    lines = ["| step | s | what was seen | when (UTC) |", "|---|---|---|---|"]
    for name in order:
        row = done.get(name)
        said = f"{row['seconds']} | {row['result']} | {row['when']}" if row else " | **has not passed yet** | "
        lines.append(f"| {name.replace('_', ' ')} | {said} |")
    table = BEGIN + "\n".join(lines) + "\n" + END
    found = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not found.search(document):
        raise ValueError(f"{PAGE.name} has no place for the table: {BEGIN.strip()} ... {END.strip()}")
    return found.sub(lambda _: table, document)
