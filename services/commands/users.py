"""`hilum users add`, `passwd`, `list` and `remove`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.web.identity.users import User

FILE = typer.Option("--file", help="The users file; default: HILUM_USERS_FILE.", show_default=False)
NAME = typer.Argument(help="The name to sign in with; it stands on every read.")
ROLE = typer.Option(help="reader, lead or admin; repeat it for more.")
STDIN = typer.Option(help="Take the password from standard input, one line, instead of asking.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The users of a small site: a file with hashes, no password in it.", no_args_is_help=True)
    for command in (add, passwd, remove):
        group.command()(command)
    group.command(name="list")(list_users)
    app.add_typer(group, name="users")


def _fail(reason: str) -> typer.Exit:
    typer.echo(reason, err=True)
    return typer.Exit(1)


def _path(given: Path | None) -> Path:
    from hilum.settings import from_environment
    from services.web.settings import WebSettings

    path = given or from_environment(WebSettings).users_file
    if not path:
        raise _fail("Which file? Give --file, or set HILUM_USERS_FILE.")
    return Path(path)


def _read(path: Path, *, new: bool = False) -> dict[str, User]:
    from services.web.identity.users import BadUsersFile, read_users

    if new and not path.exists():
        return {}
    try:
        return dict(read_users(path))
    except BadUsersFile as error:
        raise _fail(str(error)) from None


def _write(path: Path, users: dict[str, User]) -> None:
    from services.web.identity.users import write_users

    try:
        write_users(path, users)
    except OSError as error:
        raise _fail(f"{path} can't be written: {error.strerror}") from None


def _hash(name: str, *, stdin: bool) -> str:
    from services.web.identity.passwords import hashed, unfit

    if stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    if reason := unfit(password, name):
        raise _fail(f"Not taken: {reason}.")
    return hashed(password)


def add(
    name: Annotated[str, NAME],
    role: Annotated[list[str], ROLE],
    *,
    file: Annotated[Path | None, FILE] = None,
    stdin: Annotated[bool, STDIN] = False,
) -> None:
    """Add a user; asks for the password. The file is made where it is missing.

    Example: hilum users add anna --role reader --role lead --file users.toml
    """
    from services.web.identity.person import ROLES
    from services.web.identity.users import User, good_name

    path = _path(file)
    users = _read(path, new=True)
    if not good_name(name):
        raise _fail("A name has letters, digits, and . @ - ' _ or blanks within; at most 128 characters.")
    if name.casefold() in {known.casefold() for known in users}:
        raise _fail(f"{name} is in the file already; `hilum users passwd` sets a new password.")
    if unknown := set(role) - set(ROLES):
        raise _fail(f"There is no role {sorted(unknown)[0]!r}; roles are {', '.join(ROLES)}.")
    users[name] = User(name, _hash(name, stdin=stdin), frozenset(role))
    _write(path, users)
    typer.echo(f"{name} can sign in ({', '.join(sorted(role))}).")


def passwd(
    name: Annotated[str, NAME],
    *,
    file: Annotated[Path | None, FILE] = None,
    stdin: Annotated[bool, STDIN] = False,
) -> None:
    """Set a user's password. Sessions that are open under the old one are over at once.

    Example: hilum users passwd anna
    """
    from dataclasses import replace

    path = _path(file)
    users = _read(path)
    if name not in users:
        raise _fail(f"There is no user {name} in {path}.")
    users[name] = replace(users[name], hash=_hash(name, stdin=stdin))
    _write(path, users)
    typer.echo(f"{name} has a new password.")


def list_users(file: Annotated[Path | None, FILE] = None) -> None:
    """Print names and roles.

    Example: hilum users list
    """
    for user in _read(_path(file)).values():
        typer.echo(f"{user.name}\t{', '.join(sorted(user.roles))}")


def remove(name: Annotated[str, NAME], file: Annotated[Path | None, FILE] = None) -> None:
    """Take a user out of the file. Open sessions are over at once; reads stay under the name.

    Example: hilum users remove anna
    """
    path = _path(file)
    users = _read(path)
    if users.pop(name, None) is None:
        raise _fail(f"There is no user {name} in {path}.")
    _write(path, users)
    typer.echo(f"{name} can't sign in any more.")
