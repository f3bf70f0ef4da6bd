"""What the full proof keeps: a row per step, so that a run goes on where another stopped, and the page's table."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.cluster.kube import ROOT

KEPT = ROOT / "build/e2e-promotion-full.csv"
LOG = ROOT / "docs/benchmarks/e2e-promotion-full-intel-xeon-2-cores.csv"
PAGE = ROOT / "docs/promotion.md"
BEGIN, END = "<!-- full: begin -->\n", "<!-- full: end -->\n"
FIELDS = ("step", "seconds", "result", "when")


def rows(path: Path = KEPT) -> dict[str, dict[str, str]]:
    """What passed so far, by step."""
    if not path.exists():
        return {}
    return {row["step"]: row for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))}


def keep(step: str, seconds: float, result: str) -> None:
    """Put the step's row in the place of its last one."""
    found = rows()
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    found[step] = dict(zip(FIELDS, (step, f"{seconds:.0f}", result, when), strict=True))
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(text(list(found.values())), encoding="utf-8")


def text(found: list[dict[str, str]]) -> str:
    """The rows as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return stream.getvalue()


def publish(order: list[str]) -> None:
    """Write the rows into docs/: the CSV, and the page's table between its two marks."""
    found = rows()
    LOG.write_text(text([found[name] for name in order if name in found]), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found, order), encoding="utf-8")


def page(document: str, found: dict[str, dict[str, str]], order: list[str]) -> str:
    """The page with its table."""
    lines = ["| release or fault | s | what came of it |", "|---|---|---|"]
    for name in order:
        row = found.get(name, {"seconds": "", "result": "**has not passed yet**"})
        lines.append(f"| {name.replace('_', ' ')} | {row['seconds']} | {row['result'].replace('|', '/')} |")
    before, rest = document.split(BEGIN)
    return before + BEGIN + "\n".join(lines) + "\n" + END + rest.split(END)[1]
