"""`hilum retrain`: from reads to a release that is not worse."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECIPE = typer.Argument(help="A recipe (YAML), or the name of one in training/configs.")
FEEDBACK = typer.Option(help="Reads: address of feedback, a .jsonl of its reads, or its export.csv.")
FILMS = typer.Option(exists=True, file_okay=False, help="Folder of the films that the reads name.")
BASE = typer.Option(exists=True, file_okay=False, help="The release in production.")
DATA = typer.Option(help="Folder that the recipe's sources are in.", envvar="HILUM_TRAINING_DATA", show_default=False)
WORK = typer.Option(help="Folder of this retraining; default: data/retrain/VERSION.", show_default=False)
KEYS = typer.Option(help="File of trusted public keys for the base; default: HILUM_TRUSTED_KEYS. '' checks hashes.")
MLFLOW = typer.Option(help="Address of MLflow; default: HILUM_MLFLOW, MLFLOW_TRACKING_URI, a file in HILUM_DATA.")
VERSION = typer.Option(help="Version of the new release; default: the base's with the time, 1.1.0+20261121T1200.")
WARM = typer.Option(exists=True, file_okay=False, help="Checkpoints of the base's training, to start from.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(retrain)


def retrain(
    recipe: Annotated[str, RECIPE],
    feedback: Annotated[str, FEEDBACK],
    films: Annotated[Path, FILMS],
    base_release: Annotated[Path, BASE],
    data: Annotated[Path | None, DATA] = None,
    work: Annotated[Path | None, WORK] = None,
    store: Annotated[Path | None, typer.Option(help="Folder for decoded frames.", show_default=False)] = None,
    keys: Annotated[str | None, KEYS] = None,
    mlflow: Annotated[str | None, MLFLOW] = None,
    version: Annotated[str | None, VERSION] = None,
    warm_start: Annotated[Path | None, WARM] = None,
    minimum_reads: Annotated[int, typer.Option(min=1, help="New reads that make a retraining worthwhile.")] = 100,
    margin: Annotated[float, typer.Option(min=0.001, max=0.49, help="AUROC that may be lost.")] = 0.02,
    candidate: Annotated[bool, typer.Option(help="Give what is registered the alias `candidate`.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where this work folder stands.")] = False,
) -> None:
    """Train on the base data and the reads, compare with the release in production, register what is not worse.

    Exit status: 0 registered, 2 wrong input, 3 worse or not known to be as good (nothing is registered),
    4 too few new reads (nothing is trained). Made for a CronJob: it asks nothing and leaves retrain.json in WORK.

    Examples:

    hilum retrain default --feedback http://feedback:8001 --films films/ --base-release models/default

    hilum retrain default --feedback reads.jsonl --films films/ --base-release models/default --minimum-reads 500
    """
    import os
    from datetime import UTC, datetime

    from rich.console import Console

    from hilum.release import BadRelease, read_release
    from hilum.release.signing import BadSignature
    from training.commands.registry import trusted_keys
    from training.config import BadRecipe, read_recipe
    from training.data import BadData
    from training.evaluate.locked import BadLedger
    from training.registry.errors import NotRegistered
    from training.retrain.judge import NotComparable
    from training.retrain.run import Wanted
    from training.retrain.run import retrain as retrain_it
    from training.running import EXPECTED, ROOT, count_locked_uses, recipe_file
    from training.tracking import TrackingUnavailable, place
    from training.tracking.place import client

    console = Console()
    count_locked_uses()
    expected = (*EXPECTED, BadData, BadRecipe, BadRelease, BadSignature, BadLedger, NotComparable, NotRegistered)
    try:
        where = place(mlflow)
        client(where)
        read = read_recipe(recipe_file(recipe))
        trusted = trusted_keys(keys)
        base = read_release(base_release, trusted)
        new = version or f"{base.manifest.version.partition('+')[0]}+{datetime.now(UTC):%Y%m%dT%H%M}"
        folder = work or Path(os.environ.get("HILUM_DATA", "data")) / "retrain" / new
        default = ROOT.parent / "shared" / "data"
        wanted = Wanted(
            recipe=read.changed(version=new),
            feedback=feedback,
            films=films,
            base=base,
            data=data or default,
            work=folder,
            trusted=trusted,
            store=store,
            warm_start=warm_start,
            minimum_reads=minimum_reads,
            margin=margin,
            candidate=candidate,
            resume=resume,
        )
        outcome = retrain_it(wanted, where, console)
    except (*expected, TrackingUnavailable) as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(outcome.sentence)
    raise typer.Exit(outcome.status)
