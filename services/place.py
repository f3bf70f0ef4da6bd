"""Whether a command stands before the rows that it is meant for: a mistyped folder must not look empty and right."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path

import typer


def must_exist(url: str) -> None:
    """End the command (status 1) where `url` is a SQLite file that is not there; it would be made, empty, and be right.

    `url` is a database as SQLAlchemy names it; a server's is left to answer for itself.
    """
    from sqlalchemy import make_url

    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database or Path(address.database).is_file():
        return
    typer.echo(
        f"There is no {address.database}. Say where the rows are: HILUM_DATA (the folder of `hilum run`) or "
        "HILUM_DATABASE_URL.",
        err=True,
    )
    raise typer.Exit(1)
