"""`hilum promote`: where a promotion stands, and what a person may do to it."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hilum.wire_promotion import Command, PromotionOut, PromotionStatus

URL = typer.Option(envvar="HILUM_PROMOTER_URL", help="Where the promoter answers.")
REASON = typer.Option("--reason", help="Why; it is kept in Git and in the evidence.")
Url = Annotated[str, URL]
Reason = Annotated[str, REASON]
HERE = "http://127.0.0.1:8002"
TOKEN = "HILUM_PROMOTER_TOKEN"  # noqa: S105 - the variable's name


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help=f"Watch and steer the promotion of a release. The token is read from {TOKEN}.", no_args_is_help=True
    )
    for command in (status, approve, hold, resume, reject, rollback, token):
        group.command()(command)
    app.add_typer(group, name="promote")


def status(
    url: Url = HERE, *, json: Annotated[bool, typer.Option("--json", help="The whole answer as JSON.")] = False
) -> None:
    """Say where the promotion stands, what runs where, and why nothing moves.

    Example: hilum promote status
    """
    found = _ask(url, None, "")
    typer.echo(found.model_dump_json(indent=1) if json else "\n".join(lines(found)))


def approve(reason: Reason, url: Url = HERE) -> None:
    """Let the candidate that waits for it go to production.

    Example: hilum promote approve --reason "staging and canary hold, agreed with radiology"
    """
    _told(_ask(url, "approve", reason))


def hold(reason: Reason, url: Url = HERE) -> None:
    """Let the promotion stand where it is. A failing gate still reverts it.

    Example: hilum promote hold --reason "the PACS is being moved"
    """
    _told(_ask(url, "hold", reason))


def resume(reason: Reason, url: Url = HERE) -> None:
    """Go on with what was held, or try again what was interrupted.

    Example: hilum promote resume --reason "the PACS has moved"
    """
    _told(_ask(url, "resume", reason))


def reject(reason: Reason, url: Url = HERE) -> None:
    """End the promotion: everything returns to what ran before, and the version does not come back.

    Example: hilum promote reject --reason "the wrong training set"
    """
    _told(_ask(url, "reject", reason))


def rollback(reason: Reason, url: Url = HERE) -> None:
    """Take production back to the release before, during the promotion or after it.

    Example: hilum promote rollback --reason "radiology sees too many alarms"
    """
    _told(_ask(url, "rollback", reason))


def token(
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    rights: Annotated[str, typer.Option(help="read, act, for; separated by commas.")] = "read",
) -> None:
    """Make a token: the line for HILUM_PROMOTER_TOKENS, and on stderr the token, which is shown this once.

    Example: hilum promote token anna --rights read,act >> promoter-tokens.txt
    """
    import secrets

    from services.promoter.tokens import RIGHTS, sha256

    wanted = set(rights.split(","))
    if not wanted <= RIGHTS or not name or len(name.split()) != 1:
        typer.echo(f"rights are {', '.join(sorted(RIGHTS))}; a name is one word", err=True)
        raise typer.Exit(2)
    made = f"hilum_{secrets.token_urlsafe(32)}"
    typer.echo(f"{name} {rights} {sha256(made)}")
    typer.echo(made, err=True)


def lines(found: PromotionStatus) -> list[str]:
    """The status as text."""
    told = [f"{found.state}, by commit {found.commit[:12]} as of {_clock(found.at)}"]
    told += [f"  {part} does not answer: {why}" for part, why in found.away.items()]
    told += [f"  {why}" for why in (found.waits, found.queued) if why]
    told += [f"  freeze window: {found.frozen}"] if found.frozen else []
    told += [""]
    for each in found.environments:
        runs = "healthy" if each.healthy and each.synced else each.phase or "not known"
        more = f", {each.exposure:.0%} of patients exposed to canary" if each.exposure else ""
        told.append(f"{each.name:<11} {each.release[:12]} {each.precision} in Git, serving "
                    f"{each.serving[:12] or 'nothing'} ({runs}){more}")  # fmt: skip
    if found.current is not None:
        told += ["", *_story(found.current)]
        if found.record:
            told += [f"  gate: {found.record['verdict']}; {'; '.join(found.record['reasons'])}"]
    elif found.ended:
        told += ["", "last:", *_story(found.ended[0])]
    return told


def _story(of: PromotionOut) -> list[str]:
    candidate = of.candidate
    title = f"{candidate.model} {candidate.version} (number {candidate.number}, {candidate.digest[:12]})"
    told = [f"promotion {of.id}: {title}, attempt {of.attempt}"]
    for note in of.timeline:
        by = f", by {note.by}" if note.by else ""
        told.append(f"  {_clock(note.at)}  {note.state:<18} {note.reason}{by}")
        told += [f"  {'':<19}evidence {note.record}"] if note.record else []
    if of.deadline is not None:
        told.append(f"  deadline {_clock(of.deadline)}")
    return told


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _told(found: PromotionStatus) -> None:
    typer.echo(f"{found.state}, commit {found.commit[:12]}")


def _ask(url: str, command: Command | None, reason: str) -> PromotionStatus:
    from pydantic import ValidationError

    from hilum.clients.base import Refused, Unavailable, over_network
    from hilum.clients.promoter import PromoterClient

    async def ask() -> PromotionStatus:
        client = PromoterClient(over_network(url), os.environ.get(TOKEN, ""))
        try:
            return await (client.status() if command is None else client.act(command, reason))
        finally:
            await client.aclose()

    try:
        return asyncio.run(ask())
    except ValidationError:
        typer.echo("a reason has 3 to 1000 characters", err=True)
    except Refused as error:
        typer.echo(f"refused: {error.detail}", err=True)
    except Unavailable as error:
        typer.echo(f"the promoter at {url} does not answer: {error.detail}", err=True)
        sys.exit(2)
    raise typer.Exit(1)
