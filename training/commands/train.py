"""`hilum train`: a recipe and a folder of films to an MLflow run and a signed release."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECIPE = typer.Argument(help="A recipe (YAML), or the name of one in training/configs.")
DATA = typer.Option(help="Folder that the recipe's sources are in.", envvar="HILUM_TRAINING_DATA", show_default=False)
WORK = typer.Option(help="Folder for checkpoints; default: data/runs/NAME-VERSION.", show_default=False)
RELEASE = typer.Option(help="Folder to write the release to; default: release in the work folder.", show_default=False)
KEYS = typer.Option(help="Also write the public key to this list of trusted keys.", show_default=False)
STORE = typer.Option(help="Folder for decoded frames, shared by runs.", show_default=False)
RESUME = typer.Option("--resume", help="Go on where a broken-off run of this recipe stands.")
BEST = typer.Option("--resume-best", help="The same from the checkpoint with the best validation AUROC so far.")
OFFLINE = typer.Option("--offline", help="Record the run on disk; `hilum runs sync` sends it to MLflow later.")
NO_TRACKING = typer.Option("--no-tracking", help="No MLflow at all.")
PROFILE = typer.Option("--profile", help="Write a torch profiler trace of some steps.")
REGISTER = typer.Option("--register", help="Register the release as a model version in MLflow.")
NETWORKS = typer.Option(help="Train nothing: release the finished networks in this folder.", show_default=False)
REMARK = typer.Option(help="A sentence for the model card, such as where the networks come from.", show_default=False)
METRICS_PORT = typer.Option(help="Port on which Prometheus reads how it goes; 0: a free one.", show_default=False)
METRICS_ADDRESS = typer.Option(help="Where that port listens; 0.0.0.0 in a pod.")
CANDIDATE = typer.Option("--candidate", help="Register it and give the version the alias `candidate`.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    recipe: Annotated[str, RECIPE],
    data: Annotated[Path | None, DATA] = None,
    work: Annotated[Path | None, WORK] = None,
    release: Annotated[Path | None, RELEASE] = None,
    trusted_keys: Annotated[Path | None, KEYS] = None,
    store: Annotated[Path | None, STORE] = None,
    resume: Annotated[bool, RESUME] = False,
    resume_best: Annotated[bool, BEST] = False,
    offline: Annotated[bool, OFFLINE] = False,
    no_tracking: Annotated[bool, NO_TRACKING] = False,
    profile: Annotated[bool, PROFILE] = False,
    register_release: Annotated[bool, REGISTER] = False,
    candidate: Annotated[bool, CANDIDATE] = False,
    networks: Annotated[Path | None, NETWORKS] = None,
    remark: Annotated[str, REMARK] = "",
    metrics_port: Annotated[int | None, METRICS_PORT] = None,
    metrics_address: Annotated[str, METRICS_ADDRESS] = "127.0.0.1",
) -> None:
    """Train, calibrate, export, evaluate and sign a release; MLflow follows it.

    Examples:

    hilum train default --data ../shared/data

    hilum train configs/chexpert-densenet121.yaml --data /data --register

    hilum train default --resume
    """
    from training.running import Wanted, carry_out

    if metrics_port is not None:
        from prometheus_client import start_http_server

        server, _ = start_http_server(metrics_port, addr=metrics_address)
        typer.echo(f"metrics: http://{metrics_address}:{server.server_port}/metrics", err=True)
    wanted = Wanted(
        recipe=recipe,
        data=data,
        work=work,
        release=release,
        trusted_keys=trusted_keys,
        store=store,
        resume="best" if resume_best else "last" if resume else "no",
        offline=offline,
        tracking=not no_tracking,
        profile=profile,
        register=register_release or candidate,
        candidate=candidate,
        networks=networks,
        remark=remark,
    )
    raise typer.Exit(carry_out(wanted))
