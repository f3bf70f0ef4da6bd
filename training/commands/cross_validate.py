"""`hilum cross-validate`: how well a recipe does on patients that its networks never saw, fold by fold."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECIPE = typer.Argument(help="A recipe (YAML), or the name of one in training/configs.")
FOLDS = typer.Option(min=2, help="In how many parts the patients are cut.")
DATA = typer.Option(help="Folder that the recipe's sources are in.", envvar="HILUM_TRAINING_DATA", show_default=False)
WORK = typer.Option(help="Folder for each fold's networks; default: data/runs/NAME-VERSION-folds.", show_default=False)
STORE = typer.Option(
    help="Folder for decoded frames, shared by runs.", envvar="HILUM_TRAINING_STORE", show_default=False
)
OUT = typer.Option(help="CSV to write; default: cross-validation.csv in the work folder.", show_default=False)
RESUME = typer.Option("--resume", help="Go on where a broken-off cross-validation of this recipe stands.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cross-validate")(cross_validate)


def cross_validate(
    recipe: Annotated[str, RECIPE],
    folds: Annotated[int, FOLDS] = 5,
    data: Annotated[Path | None, DATA] = None,
    work: Annotated[Path | None, WORK] = None,
    store: Annotated[Path | None, STORE] = None,
    out: Annotated[Path | None, OUT] = None,
    resume: Annotated[bool, RESUME] = False,
) -> None:
    """Train a recipe once per fold of patients and judge each fold by networks that saw none of its patients.

    The locked patients take no part. Figures are means over folds, with intervals by patient; populations stay apart.

    Examples:

    hilum cross-validate kermany-pneumonia --folds 5 --data ../shared/data

    hilum cross-validate my-recipe.yaml --folds 3 --out folds.csv
    """
    from rich.console import Console

    from training.config import read_recipe
    from training.data.prepare import read_and_decode, refuse_shortcuts
    from training.evaluate import cross
    from training.pipeline import started
    from training.progress import Bars
    from training.running import EXPECTED, Wanted, recipe_file, run_paths

    console = Console()
    try:
        chosen = read_recipe(recipe_file(recipe))
        paths = run_paths(chosen, Wanted(recipe=recipe, data=data, work=work, store=store))
        folder = work or paths.work.with_name(f"{paths.work.name}-folds")
        started(chosen, folder, resume)
        with Bars(console) as bars:
            manifest, frames = read_and_decode(chosen, paths.data, paths.store, bars.add, console.print)
            refuse_shortcuts(manifest, chosen)
            found = cross.cross_validate(
                chosen,
                manifest.findings,
                manifest.films,
                frames,
                folds,
                folder,
                resume=resume,
                report=bars.member,
                note=lambda text: console.print(text, highlight=False),
            )
        table = out or folder / "cross-validation.csv"
        cross.write(found, table, f"hilum cross-validate {recipe} --folds {folds}, data {manifest.digest}")
    except EXPECTED as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(2) from error
    for each in found:
        console.print(
            f"{each.source}, {each.finding}: AUROC {each.auroc.value:.4f} ({each.auroc.low:.4f} to "
            f"{each.auroc.high:.4f}), the lowest of {each.folds} folds {each.lowest:.4f}; {each.films} films, "
            f"{each.positives} positive, {each.patients} patients",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"table: {table}", soft_wrap=True, highlight=False)
