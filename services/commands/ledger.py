"""`hilum ledger`: verify, head, export and compact, on feedback's own rows and objects."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.place import must_exist

if TYPE_CHECKING:
    from hilum.wire import ReadOut
    from services.feedback.ledger import Ledger
    from services.feedback.settings import FeedbackSettings

Data = Annotated[Path | None, typer.Option(help="Folder of `make run`; default: HILUM_DATA or data.")]
Moment = Annotated[datetime | None, typer.Option(help="A time, UTC where it names no zone.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The ledger of reads: check it, sign it, take it out.", no_args_is_help=True)
    for command in (verify, head, export, compact):
        group.command()(command)
    app.add_typer(group, name="ledger")


@contextlib.contextmanager
def opened(data: Path | None) -> Iterator[tuple[FeedbackSettings, Ledger]]:
    """Settings and ledger; what is away ends the command with its reason and status 1."""
    from hilum.settings import from_environment
    from hilum.storage import BlobsUnavailable, DatabaseUnavailable
    from services.feedback.service import SERVICE, Feedback
    from services.feedback.settings import FeedbackSettings

    settings = from_environment(FeedbackSettings, **({"data": data} if data else {}))
    must_exist(settings.database(SERVICE))
    feedback = Feedback(settings.database(SERVICE))
    try:
        yield settings, feedback.ledger()
    except (DatabaseUnavailable, BlobsUnavailable, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    finally:
        feedback.close()


def reads_of(data: Path, feedback: str | None) -> Iterator[list[ReadOut]]:
    """Pages of every read: of the service at `feedback`, else of the rows in `data`."""
    from hilum.clients.base import over_network
    from hilum.clients.feedback import FeedbackClient

    if feedback is None:
        last = 0
        with opened(data) as (_, ledger):
            while page := ledger.since(last, 500):
                yield page
                last = page[-1].sequence
        return
    after: int | None = 0

    async def ask(since: int) -> tuple[list[ReadOut], int | None]:
        client = FeedbackClient(over_network(feedback))
        try:
            got = await client.reads_since(since, 500)
            return got.reads, got.next
        finally:
            await client.aclose()

    while after is not None:
        page, after = asyncio.run(ask(after))
        yield page


def verify(
    data: Data = None,
    trusted: Annotated[Path | None, typer.Option(help="File of trusted public keys, base64, one a line.")] = None,
) -> None:
    """Check chain, signed heads and objects. Exit status 0: all hold; 3: something is not what was kept.

    Example: hilum ledger verify --trusted ledger-keys.txt
    """
    from hilum.release.signing import BadSignature, read_trusted
    from services.feedback.verify import verify as look
    from services.feedback.work import newdata_store

    try:
        keys = read_trusted(trusted) if trusted else frozenset()
    except BadSignature as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    with opened(data) as (settings, ledger):
        found = list(look(ledger, newdata_store(settings), keys))
    for each in found:
        typer.echo(f"{'ok   ' if each.ok else 'WRONG'} {each.text}")
    if not all(each.ok for each in found):
        raise typer.Exit(3)


def head(data: Data = None) -> None:
    """Print the ledger's head as it is now, signed: keep it where nobody can change it.

    Example: hilum ledger head > head-today.json
    """
    from services.feedback.archive import head as make
    from services.feedback.archive import ledger_key

    with opened(data) as (settings, ledger):
        typer.echo(make(ledger, ledger_key(settings.signing_key()), datetime.now(UTC)).decode())


def export(
    *,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="File; default: standard output.")] = None,
    lines: Annotated[bool, typer.Option("--jsonl", help="Every read as JSON, one a line, instead of the CSV.")] = False,
    since: Moment = None,
    until: Moment = None,
    site: str | None = None,
    reader: str | None = None,
    release: Annotated[str | None, typer.Option(help="Digest.")] = None,
    blind: Annotated[bool | None, typer.Option("--blind/--shown", help="Only blind reads, or only the others.")] = None,
) -> None:
    """Take reads out: the training export as CSV, or every read as JSON lines.

    Example: hilum ledger export --blind --since 2026-11-01 --out blind.csv
    """
    from services.feedback.export import Selection, csv_lines
    from services.feedback.ledger import read_out
    from services.feedback.tally import Slice

    begin, end = (each and (each if each.tzinfo else each.replace(tzinfo=UTC)) for each in (since, until))
    with opened(data) as (_, ledger), out.open("w", encoding="utf-8", newline="") if out else _stdout() as stream:
        if not lines:
            stream.writelines(csv_lines(ledger, Selection(begin, end, (), site, reader, release, blind)))
            return
        part = Slice(begin, end, site, reader)
        for row in ledger.rows():
            fits = part.holds(row) and release in {None, row.release_digest} and blind in {None, row.blind}
            if fits:
                stream.write(read_out(row).model_dump_json() + "\n")


@contextlib.contextmanager
def _stdout() -> Iterator[typer.FileTextWrite]:
    yield sys.stdout  # type: ignore[misc]


def compact(data: Data = None) -> None:
    """Bring new_data.csv, reads.jsonl and feedback_images/ in the bucket `newdata` up to the ledger now.

    Example: hilum ledger compact
    """
    from hilum.storage import open_blobs
    from services.feedback.archive import archive
    from services.feedback.newdata import compact as work
    from services.feedback.work import newdata_store

    with opened(data) as (settings, ledger):
        newdata = newdata_store(settings)
        archive(ledger, newdata)
        done = work(ledger, open_blobs(settings.blobs(), settings.s3_endpoint), newdata)
    if done is None:
        typer.echo("nothing new, or another process is at it")
    else:
        typer.echo(f"{done.reads} reads, {done.films} films ({done.written} written now, {done.without} can't be had)")
