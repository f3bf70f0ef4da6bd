"""`hilum drift check|show|accept`: drift of the sites, without a browser."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

import json
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Whether a site's films and scores still look as they did.", no_args_is_help=True)
    group.command()(check)
    group.command()(show)
    group.command()(accept)
    app.add_typer(group, name="drift")


def check() -> None:
    """Judge every site by its rows and keep the reports; status 2 where a site has changed.

    Asks HILUM_INFERENCE_URL for the release and reads HILUM_DATABASE_URL.

    Example: HILUM_INFERENCE_URL=http://127.0.0.1:8080/inference hilum drift check
    """
    from hilum.settings import from_environment
    from services.web.drift.__main__ import check as run
    from services.web.settings import WebSettings

    reports = run(from_environment(WebSettings))
    for each in reports:
        typer.echo(f"{each.site or 'site not named'}: {each.state}{': ' if each.reason else ''}{each.reason}")
    if not reports:
        typer.echo("No site sent a film that this release scored in the last 30 days.")
    if any(each.state == "drift" for each in reports):
        raise typer.Exit(2)


def show() -> None:
    """Print the newest report of each site as JSON.

    Example: hilum drift show
    """
    from services.commands.audit import open_rows
    from services.web.drift.job import newest

    with open_rows(write=False) as session:
        typer.echo(json.dumps([each.model_dump(mode="json") for each in newest(session)], indent=2))


def accept(
    site: Annotated[str, typer.Argument(help="The site, as the report names it.")],
    why: Annotated[str, typer.Option(help="What changed and who looked into it.")],
) -> None:
    """Let the site's films from now on be its new baseline: after a change that is wanted.

    Example: hilum drift accept NORTH --why "new scanner, films looked at"
    """
    from services.commands.audit import open_rows
    from services.web.context import utc_now
    from services.web.drift.job import accept as keep
    from services.web.drift.job import newest
    from services.web.identity.audit import Entry, append

    now = utc_now()
    with open_rows(write=True) as session:
        if site not in {each.site for each in newest(session)}:
            typer.echo("No drift report names this site.", err=True)
            raise typer.Exit(1)
        keep(session, site, why, "command line", now)
        append(session, [Entry("command line", "", "", "change", "drift baseline accepted", 0)], now)
    typer.echo(f"{site}: films from {now:%Y-%m-%d %H:%M} UTC on are the new baseline.")
