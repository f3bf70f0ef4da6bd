"""`hilum runs list` and `sync`: runs that were recorded while MLflow was away."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from typing import Annotated

import typer

MLFLOW = typer.Option(help="Address of MLflow; default: HILUM_MLFLOW, MLFLOW_TRACKING_URI, a file in HILUM_DATA.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Runs that wait to be sent to MLflow.", no_args_is_help=True)
    group.command(name="list")(list_runs)
    group.command()(sync)
    app.add_typer(group, name="runs")


def list_runs() -> None:
    """List the runs of this machine that MLflow does not have whole.

    Example:

    hilum runs list
    """
    from training.tracking.journal import journals
    from training.tracking.place import place

    waiting = journals(place().journal)
    for journal in waiting:
        typer.echo(f"{journal.folder.name}: {journal.unsent} events to send, run {journal.state.run_id or 'not begun'}")
    if not waiting:
        typer.echo("nothing waits: MLflow has every run")


def sync(mlflow: Annotated[str | None, MLFLOW] = None) -> None:
    """Send what waits to MLflow. A run that is still going on is left to its own process.

    Examples:

    hilum runs sync

    hilum runs sync --mlflow http://mlflow:5000
    """
    from training.tracking import TrackingUnavailable
    from training.tracking.deliver import Busy, deliver
    from training.tracking.journal import journals
    from training.tracking.place import client, place

    where = place(mlflow)
    waiting = journals(where.journal)
    if not waiting:
        typer.echo("nothing waits: MLflow has every run")
        return
    failed = False
    try:
        made = client(where)
    except TrackingUnavailable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    for journal in waiting:
        name = journal.folder.name
        try:
            sent = deliver(journal, where, made)
        except Busy as error:
            typer.echo(str(error))
        except TrackingUnavailable as error:
            typer.echo(f"{name}: {error}", err=True)
            failed = True
        else:
            state = "" if sent.ended else "; the run has no end yet"
            typer.echo(f"{name}: {sent.events} events sent as run {sent.run_id}{state}")
            for refusal in sent.refused:
                typer.echo(f"  MLflow refused {refusal}", err=True)
    raise typer.Exit(2 if failed else 0)
