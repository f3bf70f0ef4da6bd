"""Simulate the gates: how often they reject a good candidate, let a bad one pass, and how long they take.

    python -m bench.gates [--runs 10000] [--seed 1] [--plan FILE] [--out docs/benchmarks]

At 100, 740 and 5,000 films a day, beside fixed thresholds as Argo's and Flagger's examples have them. Writes
`gates-simulation.csv` (it depends on no machine: the seed gives the same counts everywhere), two plots in docs/images
and the tables of docs/promotion.md between their marks.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from rich.console import Console

from bench import gates_plots, gates_rivals, machine
from bench.gates_model import BAD, GOOD, World, canary, together
from bench.gates_staging import POSITIVES, point_estimate, staging
from hilum.gates.plan import GatePlan, load_plan
from hilum.settings import REPOSITORY

RATES = (100.0, 740.0, 5000.0)
# Positive films of each acute finding in the labelled set, where both gates are shown together.
WHOLE = (300, 700)


@dataclass(frozen=True)
class Row:
    """Shares of runs that were rejected, passed and left undecided at the deadline; hours to the verdict."""

    gate: str
    world: str
    films_a_day: float
    positives: int
    rejected: float
    passed: float
    undecided: float
    hours_median: float
    hours_p90: float


def row(gate: str, world: World, verdict: np.ndarray, hours: np.ndarray | None = None, **where: float) -> Row:
    """A row of the table."""
    times = np.full(len(verdict), np.nan) if hours is None else hours
    decided = times[np.isfinite(times)]
    median, p90 = (float(np.percentile(decided, q)) if len(decided) else float("nan") for q in (50, 90))
    return Row(
        gate,
        world.name,
        where.get("rate", 0.0),
        int(where.get("positives", 0)),
        *(round(float((verdict == v).mean()), 5) for v in (-1, 1, 0)),
        median,
        p90,
    )


def simulate(plan: GatePlan, runs: int, seed: int, say: Console) -> list[Row]:
    """Every row."""
    rng = np.random.default_rng(seed)
    rows = []
    for world in (GOOD, *BAD):
        for rate in RATES:
            began = time.perf_counter()
            parts = [canary(rng, world, rate, plan, min(1000, runs)) for _ in range(max(1, runs // 1000))]
            found = {k: tuple(np.concatenate([p[k][i] for p in parts]) for i in (0, 1)) for k in parts[0]}
            verdict, hours = together(found)  # type: ignore[arg-type]
            rows.append(row("canary", world, verdict, hours, rate=rate))
            for positives in WHOLE:
                first = staging(rng, world, positives, plan, len(verdict))
                rows.append(
                    row("staging, then canary", world, *both(first, verdict, hours), rate=rate, positives=positives)
                )
            for name in ("errors", "latency", "sensitivity on blind reads"):
                alone = together({name: found[name]})  # type: ignore[dict-item]
                rows.append(row(f"canary: {name}", world, *alone, rate=rate))
            for rival in gates_rivals.RIVALS:
                rows.append(row(rival.name, world, gates_rivals.judged(rng, rival, world, rate, runs), rate=rate))
            say.print(f"{world.name}, {rate:.0f} films a day: {time.perf_counter() - began:.1f} s")
        for positives in POSITIVES if world in (GOOD, BAD[0]) else ():
            rows.append(row("staging", world, staging(rng, world, positives, plan, runs), positives=positives))
            rows.append(
                row(
                    "staging, plain difference", world, point_estimate(rng, world, positives, runs), positives=positives
                )
            )
    return rows


def both(first: np.ndarray, second: np.ndarray, hours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Verdicts of two gates one after the other; what staging decides takes no hours worth telling."""
    verdict = np.where(first == 1, second, first)
    return verdict, np.where(first == 1, hours, np.where(first == -1, 0.0, np.nan))


def tables(rows: list[Row], plan: GatePlan, runs: int) -> str:
    """The tables of docs/promotion.md."""
    lines = [
        f"`make simulate-gates`: {runs:,} runs a row, plan `{plan.name}` ({plan.digest[:12]}); every row is in "
        "[gates-simulation.csv](benchmarks/gates-simulation.csv). R rejected, P passed, U undecided after 28 days,",
        "in per cent of the runs; then hours (h) or days (d) to a verdict, median and 90th percentile.",
        "",
        "| gate | candidate | 100 films a day | 740 | 5,000 |",
        "|---|---|---|---|---|",
    ]
    shown = (
        "canary",
        "canary: errors",
        "canary: latency",
        "canary: sensitivity on blind reads",
        *(r.name for r in gates_rivals.RIVALS),
    )
    for gate in shown:
        for world in (GOOD, *BAD):
            if ":" in gate and world is not GOOD and gate.split(": ")[1] not in world.name:
                continue
            cells = [
                _cell(next(r for r in rows if (r.gate, r.world, r.films_a_day) == (gate, world.name, rate)))
                for rate in RATES
            ]
            lines.append(f"| {gate} | {world.name} | {' | '.join(cells)} |")
    for positives in WHOLE:
        for world in (GOOD, *BAD):
            name = "staging, then canary"
            of = {r.films_a_day: r for r in rows if (r.gate, r.world, r.positives) == (name, world.name, positives)}
            cells = [_cell(of[rate]) for rate in RATES]
            lines.append(f"| {name} ({positives} positives) | {world.name} | {' | '.join(cells)} |")
    lines += ["", "| staging: positive films of each acute finding | " + " | ".join(map(str, POSITIVES)) + " |"]
    lines.append("|---|" + "---|" * len(POSITIVES))
    for gate in ("staging", "staging, plain difference"):
        for world in (GOOD, BAD[0]):
            cells = [
                _cell(next(r for r in rows if (r.gate, r.world, r.positives) == (gate, world.name, p)))
                for p in POSITIVES
            ]
            lines.append(f"| {gate}: {world.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(found: Row) -> str:
    text = f"R {100 * found.rejected:.3g} P {100 * found.passed:.3g} U {100 * found.undecided:.3g}"
    if np.isfinite(found.hours_median):
        text += f"; {_long(found.hours_median)}, {_long(found.hours_p90)}"
    return text


def _long(hours: float) -> str:
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plan", default="")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    parser.add_argument("--tables", action="store_true", help="plots and tables from the results that are there")
    given = parser.parse_args()
    say, plan, began = Console(), load_plan(given.plan or None), time.perf_counter()
    results = given.out / "gates-simulation.csv"
    if given.tables:
        rows = read(results)
    else:
        rows = simulate(plan, given.runs, given.seed, say)
        with results.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(asdict(rows[0])), lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(r) for r in rows)
    gates_plots.draw([asdict(r) for r in rows], given.out.parent / "images")
    text = tables(rows, plan, given.runs)
    page = given.out.parent / "promotion.md"
    if page.exists():
        marks = re.compile(r"(<!-- simulation -->\n).*?(<!-- end of simulation -->)", re.DOTALL)
        page.write_text(marks.sub(lambda m: f"{m[1]}{text}\n{m[2]}", page.read_text("utf-8")), encoding="utf-8")
    say.print(text, markup=False)
    say.print(f"{time.perf_counter() - began:.0f} s on {machine.describe()}", markup=False)


def read(results: Path) -> list[Row]:
    """The rows of a run before."""
    kinds = {f.name: {"str": str, "int": int}.get(str(f.type), float) for f in fields(Row)}
    with results.open(encoding="utf-8") as stream:
        return [Row(**{name: kinds[name](value) for name, value in one.items()}) for one in csv.DictReader(stream)]


if __name__ == "__main__":
    main()
