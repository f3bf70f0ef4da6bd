"""`hilum deidentify OUT`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.place import must_exist


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(deidentify)


def deidentify(
    out: Annotated[Path, typer.Argument(file_okay=False, help="Folder to write; it must be empty or new.")],
    *,
    study: Annotated[list[str] | None, typer.Option(help="StudyInstanceUID; repeat it. Default: every study.")] = None,
    key: Annotated[Path | None, typer.Option(help="Key of the pseudonyms; default: export.key in HILUM_DATA.")] = None,
    looked_at: Annotated[bool, typer.Option(help="A person saw that no text is burnt into these films.")] = False,
) -> None:
    """Write films without their patients: DICOM PS3.15 Basic Profile, new UIDs, pseudonyms by a keyed hash.

    The key is made at the first export. With it, later exports give the same patient the same pseudonym: keep it, and
    keep it to yourself. Films with text in the picture, or likely so (PNG and JPEG too), are left out unless a person
    has looked at them. The exit status is then 3.

    Example: hilum deidentify export/ --study 1.2.826.0.1.3680043.8.498.1
    """
    from sqlalchemy import select

    from hilum.deidentify import Pseudonyms, read_key
    from hilum.settings import from_environment
    from hilum.storage import BlobsUnavailable, DatabaseUnavailable, make_engine, open_blobs, plain_errors, upgrade
    from hilum.storage import session_factory as sessions
    from services.web.identity.export import export_studies
    from services.web.settings import WebSettings
    from services.web.tables import Study
    from services.web.work import IDENTITY_MIGRATIONS, MIGRATIONS

    settings = from_environment(WebSettings)
    must_exist(settings.database("web"))
    left_out = written = 0
    try:
        names = Pseudonyms(read_key(key or settings.data / "export.key"))
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise ValueError(f"{out} is not empty")
        engine = make_engine(settings.database("web"))
        upgrade(engine, "web", MIGRATIONS)
        upgrade(engine, "identity", IDENTITY_MIGRATIONS)
        blobs = open_blobs(settings.blobs(), settings.s3_endpoint)
        with plain_errors(), sessions(engine)() as rows:
            uids = study or list(rows.scalars(select(Study.uid).where(Study.synthetic.is_(False)).order_by(Study.uid)))
            rows.commit()
            for done in export_studies(rows, blobs, uids, out, names, who="command line", looked_at=looked_at):
                written += bool(done.file)
                if done.refused:
                    left_out += 1
                    typer.echo(f"left out {done.film_uid}: {done.refused}", err=True)
    except (ValueError, OSError, DatabaseUnavailable, BlobsUnavailable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{written} film(s) in {out}, {left_out} left out")
    raise typer.Exit(3 if left_out else 0)
