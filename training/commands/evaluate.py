"""`hilum evaluate` and `hilum compare`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RELEASE = typer.Argument(exists=True, file_okay=False, help="Folder of the release.")
RECIPE = typer.Option(help="The recipe that the release was made with: its data and its split.")
SPLIT = typer.Option(help="locked, validation or calibration.")
DATA = typer.Option(help="Folder that the recipe's sources are in.", envvar="HILUM_TRAINING_DATA", show_default=False)
PRECISION = typer.Option(help="Which variant.")
OUT = typer.Option(help="Folder for evaluation.json, evaluation.html and scores.npz.")
DRAWS = typer.Option(min=50, help="Bootstrap draws of patients.")
AGAIN = typer.Option("--again", help="Use the locked films once more for this variant; asks for --why.")
WHY = typer.Option(help="Why the locked films are used; kept in docs/locked-uses.jsonl.")
KEPT = typer.Argument(exists=True, dir_okay=False, help="scores.npz of `hilum evaluate`.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(evaluate)
    app.command()(compare)


def evaluate(
    release: Annotated[Path, RELEASE],
    recipe: Annotated[str, RECIPE] = "default",
    split: Annotated[str, SPLIT] = "validation",
    data: Annotated[Path | None, DATA] = None,
    precision: Annotated[str, PRECISION] = "fp32",
    out: Annotated[Path, OUT] = Path("evaluation"),
    draws: Annotated[int, DRAWS] = 1000,
    again: Annotated[bool, AGAIN] = False,
    why: Annotated[str, WHY] = "",
) -> None:
    """Evaluate a release's variant on films held apart: figures with intervals, a page, and the scores.

    The locked films are for the last look: each use is written to docs/locked-uses.jsonl (or HILUM_LOCKED_USES), and
    the same variant is refused on the same films a second time.

    Examples:

    hilum evaluate models/default --split validation --out evaluation

    hilum evaluate models/default --split locked --again --why "figures for the paper"
    """
    from rich.console import Console

    from hilum.release import BadRelease
    from training.config import BadRecipe
    from training.data.manifest import BadData
    from training.evaluate.locked import BadLedger, LockedUsed
    from training.evaluate.work import Asked, carry_out

    console = Console()
    try:
        carry_out(Asked(release, recipe, split, data, precision, out, draws, again, why), console)
    except (BadRelease, BadRecipe, BadData, BadLedger, LockedUsed) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(2) from None


def compare(
    reference: Annotated[Path, KEPT],
    candidate: Annotated[Path, KEPT],
    source: Annotated[str | None, typer.Option(help="Compare on the films of this source alone.")] = None,
    margin: Annotated[float, typer.Option(help="How much the mean and the critical composite may lose.")] = 0.02,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.", show_default=False)] = None,
) -> None:
    """Judge whether a candidate is not worse than a reference on the same films; exit status 0 for a pass.

    1: fail, 3: inconclusive, 2: the films are not the same. Populations are not pooled: with several, name one.

    Example:

    hilum compare old/scores.npz new/scores.npz --source nih --out comparison.json
    """
    import json

    from rich.console import Console

    from training.data.manifest import BadData
    from training.evaluate.held import read_kept
    from training.evaluate.work import compare_kept

    console = Console()
    try:
        found = compare_kept(read_kept(reference), read_kept(candidate), source, margin)
    except (BadData, ValueError) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(2) from None
    console.print(found.text(), soft_wrap=True, highlight=False)
    if out is not None:
        out.write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")
    raise typer.Exit({"pass": 0, "fail": 1, "inconclusive": 3}[found.verdict])
