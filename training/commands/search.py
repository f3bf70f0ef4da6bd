"""`hilum search`: try a recipe's hyper-parameters, rank them by validation AUROC."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECIPE = typer.Argument(help="A recipe (YAML) with a search section, or the name of one in training/configs.")
DATA = typer.Option(help="Folder that the recipe's sources are in.", envvar="HILUM_TRAINING_DATA", show_default=False)
WORK = typer.Option(help="Folder for search.csv; default: data/runs/<name>-<version>.", show_default=False)
STORE = typer.Option(
    help="Folder for decoded frames, shared by runs.", envvar="HILUM_TRAINING_STORE", show_default=False
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(search)


def search(
    recipe: Annotated[str, RECIPE],
    data: Annotated[Path | None, DATA] = None,
    work: Annotated[Path | None, WORK] = None,
    store: Annotated[Path | None, STORE] = None,
) -> None:
    """Fit one network per trial with values drawn from the recipe's search.space; the best is said first.

    Validation patients judge; calibration and locked patients are not looked at.

    Examples:

    hilum search search --data ../shared/data

    hilum search my-recipe.yaml --work /scratch/search
    """
    from rich.console import Console

    from training.config import read_recipe
    from training.data.prepare import prepare
    from training.fit.search import TABLE, line_of
    from training.fit.search import search as search_recipe
    from training.fit.sets import TrainingSet, ValidationSet
    from training.progress import Bars
    from training.running import EXPECTED, Wanted, recipe_file, run_paths

    console = Console()
    try:
        chosen = read_recipe(recipe_file(recipe))
        paths = run_paths(chosen, Wanted(recipe=recipe, data=data, work=work, store=store))
        with Bars(console) as bars:
            prepared = prepare(chosen, paths.data, paths.store, bars.add, console.print)
        train, validation = prepared.parts["train"], prepared.parts["validation"]
        trials = search_recipe(
            TrainingSet.of(train.films, train.frames, chosen, prepared.manifest.findings),
            ValidationSet.of(validation.films, validation.frames),
            chosen,
            paths.work,
        )
    except EXPECTED as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(2) from error
    for trial in trials:
        console.print(line_of(trial), soft_wrap=True, highlight=False)
    console.print(f"all trials: {paths.work / TABLE}", soft_wrap=True, highlight=False)
