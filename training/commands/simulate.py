"""`hilum simulate-triage`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PLAN = typer.Argument(help="A plan (YAML): arrivals, shifts, reading times, waits; see training/configs/triage.yaml.")
SCORES = typer.Option(help="Films with scores, scores.npz of `hilum evaluate`: studies are drawn from these.")
SOURCE = typer.Option(help="Draw from the films of this source alone.")
OUT = typer.Option(help="Folder for triage.json, triage.html and triage.png.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate-triage")(simulate_triage)


def simulate_triage(
    plan: Annotated[Path, PLAN],
    scores: Annotated[Path, SCORES],
    source: Annotated[str | None, SOURCE] = None,
    out: Annotated[Path, OUT] = Path("triage"),
) -> None:
    """Simulate a reading room: waits of critical films, first come first served against Hilum's order.

    Example:

    hilum simulate-triage training/configs/triage.yaml --scores evaluation/scores.npz --source nih --out triage
    """
    import json

    from rich.console import Console

    from training.data.manifest import BadData
    from training.evaluate.held import read_kept
    from training.simulate.page import page, waits_figure
    from training.simulate.plan import BadPlan, read_plan
    from training.simulate.run import ORDERS, simulate
    from training.simulate.studies import pool_of

    console = Console()
    try:
        told = read_plan(plan)
        kept = read_kept(scores)
        scored = kept.scored.where(lambda film: source is None or film.source == source)
        pool = pool_of(scored, float(kept.facts["critical_margin"]))
    except (BadPlan, BadData, ValueError) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(2) from None
    report = simulate(told, pool)
    report["scores"] = f"{kept.facts['release']}, {kept.facts['split']} films"
    out.mkdir(parents=True, exist_ok=True)
    (out / "triage.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (out / "triage.html").write_text(page(report), encoding="utf-8")
    waits_figure(report).savefig(out / "triage.png", dpi=110)
    for at in report["utilisations"]:
        for order in ORDERS:
            found = at["orders"][order]["missed critical p95"]
            if found:
                console.print(
                    f"utilisation {at['utilisation']}, {order}: missed critical films wait {found['value']:.0f} "
                    f"({found['low']:.0f} to {found['high']:.0f}) minutes at the 95th percentile",
                    highlight=False,
                )
    console.print(f"report: {out / 'triage.html'}", highlight=False)
