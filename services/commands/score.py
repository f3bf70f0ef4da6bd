"""`hilum score FOLDER`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

FOLDER = typer.Argument(exists=True, file_okay=False, help="Folder of films, read with all below it.")
RELEASE = typer.Option(help="Folder of the release; default: HILUM_RELEASE, else the bundled one.", show_default=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(score)


def score(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Folder of films, read with all below it.")
    ],
    out: Annotated[Path, typer.Option(help="The CSV file to write.")] = Path("scores.csv"),
    release: Annotated[Path | None, RELEASE] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Films scored at the same time.")] = os.cpu_count() or 2,
) -> None:
    """Score a folder of films (PNG, JPEG or DICOM, known by their content) into a CSV file.

    One row a file: file, sha256, release, status (scored, not_scored, bad, skipped), band (by the model alone), reason,
    then a probability and a present column for each finding in the release's order.

    A bad file is a row with its reason and never a stop; the exit status is then 3.

    Rows are kept in OUT.part while they come: a run that was broken off goes on where it stopped. OUT itself is
    replaced at the end, whole.

    Examples:

    hilum score films/

    hilum score films/ --out today.csv --workers 4

    hilum score films/ --release models/default
    """
    from hilum.release import BadRelease
    from hilum.settings import from_environment
    from services.inference.batch import Summary, score_folder
    from services.inference.loading import load
    from services.inference.progress import films_progress
    from services.inference.settings import InferenceSettings

    settings = from_environment(InferenceSettings, **({} if release is None else {"release": release}))
    try:
        scorer = load(settings)
    except BadRelease as error:
        typer.echo(f"The release in {settings.release} can't be used: {error}", err=True)
        raise typer.Exit(1) from None
    if out.is_dir() or not out.absolute().parent.is_dir():
        typer.echo(f"{out} can't be written: its folder must exist, and it must not be a folder itself.", err=True)
        raise typer.Exit(2)
    with films_progress() as progress:
        summary: Summary = score_folder(folder, out, scorer, settings, workers=workers, progress=progress)
    typer.echo(summary.sentence(out), err=True)
    for line in summary.bad[:20]:
        typer.echo(f"  {line}", err=True)
    if len(summary.bad) > 20:
        typer.echo(f"  and {len(summary.bad) - 20} more; see the rows with status 'bad'", err=True)
    raise typer.Exit(3 if summary.bad else 0)
