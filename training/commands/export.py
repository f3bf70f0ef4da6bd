"""`hilum release export-triton` and `hilum release openvino`: a release's model for other servers."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FOLDER = typer.Argument(exists=True, file_okay=False, help="Folder of the release.")
OUT = typer.Argument(file_okay=False, help="Folder to write into.")
PRECISION = typer.Option(help="Precision to take; default: the release's own.")


def register(app: typer.Typer) -> None:
    """Add the commands to the group `release`."""
    group = next((g.typer_instance for g in app.registered_groups if g.name == "release"), None)
    if group is None:
        group = typer.Typer(help="A release: an immutable, signed model bundle.", no_args_is_help=True)
        app.add_typer(group, name="release")
    group.command(name="export-triton")(export_triton)
    group.command(name="openvino")(openvino)


def export_triton(
    folder: Annotated[Path, FOLDER], out: Annotated[Path, OUT], precision: Annotated[str, PRECISION] = ""
) -> None:
    """Write a model repository for NVIDIA's Triton, with dynamic batching. The hashes are checked on the way.

    Example:

    hilum release export-triton models/default triton
    """
    from hilum.release import BadRelease, read_release
    from training.release.triton import write_repository

    try:
        made = write_repository(read_release(folder), precision, out)
    except BadRelease as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"written: {made}, for tritonserver --model-repository={out}")


def openvino(
    folder: Annotated[Path, FOLDER], out: Annotated[Path, OUT], precision: Annotated[str, PRECISION] = ""
) -> None:
    """Write the model as OpenVINO's graph and weights, and try them on the release's golden film.

    Example:

    hilum release openvino models/default openvino
    """
    from hilum.release import BadRelease, read_release
    from training.release.openvino import NoOpenVino, write_form

    try:
        xml, gap = write_form(read_release(folder), precision, out)
    except (BadRelease, NoOpenVino) as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"written: {xml} and {xml.with_suffix('.bin').name}")
    typer.echo(f"the golden film's probabilities come out at most {gap:.1e} from what the release says")
