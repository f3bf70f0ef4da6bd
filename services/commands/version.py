"""`hilum version`."""

from __future__ import annotations

import typer

from hilum import __version__


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(version)


def version() -> None:
    """Print the version."""
    typer.echo(f"hilum {__version__}")
