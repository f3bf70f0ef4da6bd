"""`hilum dicom echo` and `send`: try a destination by hand."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hilum.clients.dicom import Destination, Sender

TO = typer.Argument(help="dicom://TITLE@host:port, dicoms://..., or a DICOMweb root; default: HILUM_RESULTS_TO.")
FILES = typer.Argument(exists=True, dir_okay=False, help="DICOM files to send, in this order.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Try a DICOM destination: an archive, a modality, another Hilum.", no_args_is_help=True)
    group.command()(echo)
    group.command()(send)
    app.add_typer(group, name="dicom")


def echo(to: Annotated[str, TO] = "") -> None:
    """Ask whether the destination answers (C-ECHO, or a query by DICOMweb). Our title and papers: HILUM_DICOM_*.

    Examples:

    hilum dicom echo

    hilum dicom echo dicom://ORTHANC@127.0.0.1:4242
    """
    from hilum.clients import dicom as client
    from hilum.clients.base import Refused, Unavailable

    destination, sender = _line(to)
    try:
        client.echo(destination, sender)
    except (Unavailable, Refused, OSError) as error:
        typer.echo(f"no: {getattr(error, 'detail', error)}", err=True)
        raise typer.Exit(1) from None
    typer.echo("It answers.")


def send(files: Annotated[list[Path], FILES], to: Annotated[str, typer.Option(help=str(TO.help))] = "") -> None:
    """Send DICOM files; the exit status is 1 where one was not taken.

    Example:

    hilum dicom send film.dcm --to dicom://HILUM@127.0.0.1:11112
    """
    from pydicom.errors import InvalidDicomError

    from hilum.clients import dicom as client
    from hilum.clients.base import Refused, Unavailable

    destination, sender = _line(to)
    failed = False
    for file in files:
        try:
            client.send(destination, file.read_bytes(), sender)
        except (Unavailable, Refused, OSError, InvalidDicomError, AttributeError) as error:
            failed = True
            typer.echo(f"{file}: not taken: {getattr(error, 'detail', error)}", err=True)
        else:
            typer.echo(f"{file}: taken")
    if failed:
        raise typer.Exit(1)


def _line(to: str) -> tuple[Destination, Sender]:
    """The destination and who we are; ends the command with a plain line where either is wrong."""
    from hilum.clients.dicom import BadDestination, Destination, Sender
    from hilum.settings import from_environment
    from services.web.settings import WebSettings

    settings = from_environment(WebSettings)
    try:
        destination = Destination.parse(to or settings.results_to)
    except BadDestination as error:
        typer.echo(f"{error}; give one, or set HILUM_RESULTS_TO.", err=True)
        raise typer.Exit(2) from None
    token = settings.results_token.get_secret_value()
    papers = (settings.dicom_tls_certificate, settings.dicom_tls_key, settings.dicom_tls_ca)
    return destination, Sender(settings.dicom_title, *papers, token)
