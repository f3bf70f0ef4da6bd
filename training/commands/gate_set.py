"""`hilum gate-set`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gate-set")(gate_set)


def gate_set(
    store: Annotated[str, typer.Argument(help="s3://bucket/prefix or file:///folder; should be empty.")],
    recipe: Annotated[str, typer.Option(help="The recipe: its data and its split.")] = "default",
    split: Annotated[str, typer.Option(help="validation or locked.")] = "validation",
    data: Annotated[Path | None, typer.Option(help="Folder of the sources.", envvar="HILUM_TRAINING_DATA")] = None,
    most: Annotated[int, typer.Option(min=0, help="At most so many films; 0: all.")] = 0,
    endpoint: Annotated[str, typer.Option(help="S3 endpoint other than AWS's own.")] = "",
    why: Annotated[str, typer.Option(help="Why the locked films are used; kept in docs/locked-uses.jsonl.")] = "",
) -> None:
    """Pack films held apart, with their labels, as the set that the staging gate replays.

    Locked films are looked at by every candidate that staging sees: the ledger says so once, when they are packed.

    Example:

    hilum gate-set s3://hilum-releases/labelled-set --split validation
    """
    from rich.console import Console

    from hilum.storage.open import open_blobs
    from training.config import BadRecipe, read_recipe
    from training.data.manifest import BadData
    from training.evaluate import locked
    from training.evaluate.gate_set import pack
    from training.evaluate.held import held_films
    from training.running import DATA_SETTING, ROOT, recipe_file

    console = Console()
    folder = data or Path(os.environ.get(DATA_SETTING, ROOT.parent / "shared" / "data"))
    try:
        manifest = held_films(read_recipe(recipe_file(recipe)), folder, split)
        if split == "locked":
            digest = locked.data_digest(manifest.films)
            again = bool(why.strip())
            locked.use(locked.ledger_path(), "every candidate", "staging gate", digest, "hilum gate-set", why, again)
        packed = pack(manifest, open_blobs(store, endpoint), most)
    except (BadRecipe, BadData, locked.LockedUsed, locked.BadLedger, ValueError) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(2) from None
    console.print(f"{packed.films} films of {packed.patients} patients, set {packed.digest}", highlight=False)
