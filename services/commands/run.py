"""`hilum run`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(run)


def run(
    *,
    host: Annotated[str | None, typer.Option(help="Loopback address to listen on; default: HILUM_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port, 0: a free one; default: HILUM_PORT or 8080.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for films and reads; default: HILUM_DATA or data.")] = None,
    samples: Annotated[bool, typer.Option(help="Put the sample films into an empty list.")] = True,
) -> None:
    """Run the whole reading room in this process: SQLite, files, the bundled release.

    Examples:

    hilum run

    hilum run --port 8081 --data /tmp/hilum --no-samples
    """
    from hilum.settings import from_environment
    from services.laptop.serve import CannotStart, serve
    from services.web.settings import WebSettings

    given = {"host": host, "port": port, "data": data}
    try:
        settings = from_environment(WebSettings, **{name: value for name, value in given.items() if value is not None})
        serve(settings, samples=samples)
    except CannotStart as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
