"""`hilum audit`, `hilum tokens`, `hilum sessions`: what an administrator does beside the database."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from services.place import must_exist

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as Rows


def register(app: typer.Typer) -> None:
    """Add the commands."""
    log = typer.Typer(help="The audit log: who saw and changed what.", no_args_is_help=True)
    log.command()(export)
    log.command()(verify)
    app.add_typer(log, name="audit")
    tokens = typer.Typer(help="Keys of machines: senders, the RIS, the promoter.", no_args_is_help=True)
    tokens.command(name="add")(add_token)
    tokens.command(name="list")(list_tokens)
    tokens.command(name="revoke")(revoke_token)
    app.add_typer(tokens, name="tokens")
    sessions = typer.Typer(help="Who is signed in.", no_args_is_help=True)
    sessions.command(name="list")(list_sessions)
    sessions.command(name="end")(end_sessions)
    app.add_typer(sessions, name="sessions")


@contextmanager
def open_rows(*, write: bool, new: bool = False) -> Iterator[Rows]:
    """The database's rows; `new`: it may be that there are none yet."""
    from hilum.settings import from_environment
    from hilum.storage import DatabaseUnavailable, make_engine, plain_errors, reading, session_factory, upgrade
    from services.web.settings import WebSettings
    from services.web.work import IDENTITY_MIGRATIONS

    url = from_environment(WebSettings).database("web")
    if not new:
        must_exist(url)
    try:
        engine = make_engine(url)
        upgrade(engine, "identity", IDENTITY_MIGRATIONS)
        with plain_errors():
            if write:
                with session_factory(engine).begin() as rows:
                    yield rows
            else:
                with session_factory(reading(engine))() as rows:
                    yield rows
    except DatabaseUnavailable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _fail(reason: str) -> typer.Exit:
    typer.echo(reason, err=True)
    return typer.Exit(1)


def export(*, csv: Annotated[bool, typer.Option("--csv", help="CSV instead of NDJSON.")] = False) -> None:
    """Print the whole log. Keep its last line elsewhere: it shows later whether the log was cut.

    Example: hilum audit export > audit.ndjson
    """
    from services.web.api.audit import as_csv, ndjson
    from services.web.identity.audit import log_of

    with open_rows(write=False) as rows:
        sys.stdout.writelines((as_csv if csv else ndjson)(log_of(rows)))


def verify(head: Annotated[str, typer.Option(help="A digest that an earlier export ended with.")] = "") -> None:
    """Check the chain from its first row to its last, and that it holds `--head`.

    Example: hilum audit verify --head 5d41...
    """
    from services.web.identity.audit import first_break, log_of

    with open_rows(write=False) as rows:
        if (number := first_break(log_of(rows))) is not None:
            raise _fail(f"The log is broken at row {number}.")
        digests = [row.digest for row in log_of(rows)]
    if head and head not in digests:
        raise _fail("The log does not hold that digest: rows are missing, or it is another log.")
    typer.echo(f"{len(digests)} rows, each follows from the one before; head {digests[-1] if digests else 'none'}")


def add_token(
    name: Annotated[str, typer.Argument(help="What it is for; it stands in the audit log.")],
    scope: Annotated[list[str], typer.Option(help="films:write, studies:read, studies:close or evidence:read.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it lasts.")] = 365,
) -> None:
    """Make a token and print it, this once. A machine sends it as `Authorization: Bearer ...`.

    Example: hilum tokens add pacs --scope films:write
    """
    from services.web.context import utc_now
    from services.web.identity.audit import Entry, append
    from services.web.identity.person import SCOPES
    from services.web.identity.tokens import make
    from services.web.identity.users import good_name

    if unknown := set(scope) - set(SCOPES):
        raise _fail(f"There is no scope {sorted(unknown)[0]!r}; scopes are {', '.join(SCOPES)}.")
    if not good_name(name) or len(name) > 60:
        raise _fail("A name has letters, digits, and . @ - ' _ or blanks within; at most 60 characters.")
    now = utc_now()
    with open_rows(write=True, new=True) as rows:
        try:
            secret = make(rows, name, frozenset(scope), now, now + timedelta(days=days))
        except ValueError as error:
            raise _fail(f"{error}.") from None
        append(rows, [Entry("command line", "", "", "change", f"token {name} made", 0)], now)
    typer.echo(secret)


def list_tokens() -> None:
    """Print names, scopes and ends. What a machine sends is kept nowhere.

    Example: hilum tokens list
    """
    from sqlalchemy import select

    from services.web.identity.tables import Token

    with open_rows(write=False) as rows:
        for token in rows.scalars(select(Token).order_by(Token.name)):
            state = "revoked" if token.revoked_at else f"until {token.ends_at:%Y-%m-%d}"
            typer.echo(f"{token.name}\t{', '.join(token.scopes)}\t{state}")


def revoke_token(name: str) -> None:
    """End a token at once.

    Example: hilum tokens revoke pacs
    """
    from services.web.context import utc_now
    from services.web.identity.audit import Entry, append
    from services.web.identity.tokens import revoke

    now = utc_now()
    with open_rows(write=True) as rows:
        if not revoke(rows, name, now):
            raise _fail(f"There is no token called {name}.")
        append(rows, [Entry("command line", "", "", "change", f"token {name} revoked", 0)], now)
    typer.echo(f"{name} is over.")


def list_sessions() -> None:
    """Print who is signed in, since when, and the last act.

    Example: hilum sessions list
    """
    from sqlalchemy import select

    from services.web.context import utc_now
    from services.web.identity.tables import Session

    query = select(Session).where(Session.revoked_at.is_(None), Session.ends_at > utc_now())
    with open_rows(write=False) as rows:
        for session in rows.scalars(query.order_by(Session.begun_at)):
            typer.echo(f"{session.name}\t{session.how}\t{session.begun_at:%Y-%m-%d %H:%M}\t{session.seen_at:%H:%M} UTC")


def end_sessions(name: str) -> None:
    """Sign a person out everywhere.

    Example: hilum sessions end anna
    """
    from services.web.context import utc_now
    from services.web.identity.audit import Entry, append
    from services.web.identity.sessions import revoke

    now = utc_now()
    with open_rows(write=True) as rows:
        ended = revoke(rows, now, name=name)
        append(rows, [Entry("command line", "", "", "change", f"sessions of {name} ended", 0)], now)
    typer.echo(f"{ended} session(s) of {name} ended.")
