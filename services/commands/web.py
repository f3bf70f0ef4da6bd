"""`hilum web rebuild`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.place import must_exist


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The reading room's rows.", no_args_is_help=True)
    group.command()(rebuild)
    group.command()(pseudonym)
    app.add_typer(group, name="web")


def pseudonym(uid: Annotated[str, typer.Argument(help="StudyInstanceUID or SOPInstanceUID.")]) -> None:
    """Print what stands for a study or film in the log (keyed by HILUM_PATIENT_SALT).

    Example: hilum web pseudonym 1.2.840.113619.2.1
    """
    from hilum.settings import from_environment
    from hilum.telemetry import pseudonym as of
    from services.web.settings import WebSettings

    typer.echo(of(uid, from_environment(WebSettings).patient_salt))


def rebuild(
    *,
    data: Annotated[Path | None, typer.Option(help="Folder of `make run`; default: HILUM_DATA or data.")] = None,
    feedback: Annotated[str | None, typer.Option(help="Feedback's address; default: its own rows in --data.")] = None,
) -> None:
    """Make web's rows of reads again from the ledger; what the ledger lacks is sent to it again.

    Examples:

    hilum web rebuild

    HILUM_DATABASE_URL=postgresql://... hilum web rebuild --feedback http://feedback:8001
    """
    from datetime import UTC, datetime

    from hilum.clients.feedback import Refused, Unavailable
    from hilum.settings import from_environment
    from hilum.storage import DatabaseUnavailable
    from services.commands.ledger import reads_of
    from services.web.offline import open_web
    from services.web.rebuild import Rebuilt, finish, take
    from services.web.settings import WebSettings

    settings = from_environment(WebSettings, **({"data": data} if data else {}))
    must_exist(settings.database("web"))
    done = Rebuilt()
    try:
        with open_web(settings) as web:
            for page in reads_of(settings.data, feedback):
                take(web, page, done)
            finish(web, done, datetime.now(UTC))
    except (DatabaseUnavailable, Unavailable, Refused, OSError) as error:
        typer.echo(f"not rebuilt: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(
        f"{done.reads} reads in the ledger: {done.made} made, {done.mended} mended, "
        f"{done.reads - done.made - done.mended - done.elsewhere} were right; {len(done.studies)} studies settled"
    )
    if done.elsewhere:
        typer.echo(f"{done.elsewhere} reads are of studies that are not here")
    if done.sent_again:
        typer.echo(f"{done.sent_again} reads that the ledger lacks are sent to it again")
