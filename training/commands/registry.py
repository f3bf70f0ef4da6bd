"""`hilum release register`, `candidate`, `versions` and `fetch`: releases in MLflow's model registry."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that `hilum --help` is fast

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

FOLDER = typer.Argument(exists=True, file_okay=False, help="Folder of the release.")
NAME = typer.Argument(help="Name of the release, as in its manifest.")
VERSION = typer.Argument(help="The release's version, or an alias (candidate, production ...).")
KEYS = typer.Option(help="File of trusted public keys; default: HILUM_TRUSTED_KEYS. '' checks the hashes alone.")
MLFLOW = typer.Option(help="Address of MLflow; default: HILUM_MLFLOW, MLFLOW_TRACKING_URI, a file in HILUM_DATA.")


def register(app: typer.Typer) -> None:
    """Add the commands to the group `release`."""
    group = next((g.typer_instance for g in app.registered_groups if g.name == "release"), None)
    if group is None:
        group = typer.Typer(help="A release: an immutable, signed model bundle.", no_args_is_help=True)
        app.add_typer(group, name="release")
    group.command(name="register")(register_release)
    group.command()(candidate)
    group.command(name="versions")(list_versions)
    group.command(name="fetch")(fetch_release)


def register_release(
    folder: Annotated[Path, FOLDER],
    keys: Annotated[str | None, KEYS] = None,
    mlflow: Annotated[str | None, MLFLOW] = None,
    run: Annotated[str | None, typer.Option(help="MLflow run that made it; default: a run of its own.")] = None,
) -> None:
    """Register a release in MLflow: verified, uploaded, read back, then named. The same release twice is one version.

    Examples:

    hilum release register models/default

    hilum release register models/default --mlflow http://mlflow:5000 --keys site-keys.txt
    """
    from hilum.release import read_release
    from training.registry import register as register_it
    from training.tracking.place import client, place

    with refused():
        release = read_release(folder, trusted_keys(keys))
        where = place(mlflow)
        done = register_it(client(where), where, release, run)
        title = f"{done.version.name} {done.version.version}, number {done.version.number} at {where.shown}"
        typer.echo(f"{'registered' if done.new else 'registered before'}: {title}")
        typer.echo(f"digest {done.version.digest}, signed by {done.version.tags['hilum.signed_by']}")


def candidate(
    name: Annotated[str, NAME],
    version: Annotated[str, VERSION],
    keys: Annotated[str | None, KEYS] = None,
    mlflow: Annotated[str | None, MLFLOW] = None,
) -> None:
    """Ask for a release to be promoted: it gets the alias `candidate`, after what is stored was verified.

    Example:

    hilum release candidate hilum-default 1.0.2
    """
    from training.registry import find, make_candidate
    from training.tracking.place import client, place

    with refused():
        where = place(mlflow)
        made = client(where)
        chosen = find(made, name, version)
        before = make_candidate(made, chosen, trusted_keys(keys))
        instead = f", instead of {before.version}" if before else ""
        typer.echo(f"{name} {chosen.version} (number {chosen.number}) is the candidate{instead}")
        typer.echo(f"digest {chosen.digest}: what is stored has it")


def list_versions(
    name: Annotated[str, NAME],
    mlflow: Annotated[str | None, MLFLOW] = None,
    tags: Annotated[bool, typer.Option(help="Print every tag too.")] = False,
) -> None:
    """List the registered versions of a release with aliases, precisions and figures, newest first.

    Examples:

    hilum release versions hilum-default

    hilum release versions hilum-default --tags
    """
    from rich.console import Console
    from rich.table import Table

    from training.registry import versions
    from training.tracking.place import client, place

    with refused():
        where = place(mlflow)
        found = versions(client(where), name)
        if not found:
            typer.echo(f"no release '{name}' is registered at {where.shown}", err=True)
            raise typer.Exit(1)
        table = Table("number", "version", "digest", "aliases", "precisions", "mean AUROC")
        for each in found:
            figures = [f"{k.removeprefix('hilum.auroc.')} {v}" for k, v in each.tags.items() if "auroc" in k]
            state = ", ".join(each.aliases) or ("rejected" if "hilum.rejected" in each.tags else "")
            cells = (each.number, each.version, each.digest[:12], state, each.tags.get("hilum.precisions", ""))
            table.add_row(*cells, "\n".join(figures))
        Console().print(table)
        for each in found if tags else ():
            typer.echo(f"{each.version}:")
            for key, value in sorted(each.tags.items()):
                typer.echo(f"  {key} = {value}")


def fetch_release(
    name: Annotated[str, NAME],
    version: Annotated[str, VERSION],
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not be there yet.")],
    keys: Annotated[str | None, KEYS] = None,
    mlflow: Annotated[str | None, MLFLOW] = None,
) -> None:
    """Download a registered release and verify it: hashes, signature, and the digest that the registry names.

    Examples:

    hilum release fetch hilum-default 1.0.2 releases/1.0.2

    hilum release fetch hilum-default production releases/production
    """
    from training.registry import fetch, find
    from training.tracking.place import client, place

    with refused():
        made = client(place(mlflow))
        release = fetch(made, find(made, name, version), out, trusted_keys(keys))
        typer.echo(f"{release.manifest.name} {release.manifest.version} is in {out}, digest {release.digest}")


def trusted_keys(given: str | None) -> frozenset[str] | None:
    """The keys of the file `given`, else of HILUM_TRUSTED_KEYS, else of the repository; None where it is ''."""
    import os

    from hilum.release.signing import read_trusted
    from hilum.settings import REPOSITORY

    default = os.environ.get("HILUM_TRUSTED_KEYS", str(REPOSITORY / "models" / "trusted-keys.txt"))
    named = default if given is None else given
    return read_trusted(Path(named)) if named else None


@contextmanager
def refused() -> Iterator[None]:
    """Whatever is wrong is one line and exit status 1 (2: MLflow can't be reached)."""
    from mlflow.exceptions import MlflowException

    from hilum.release import BadRelease
    from hilum.release.signing import BadSignature
    from training.registry import NotInRegistry
    from training.registry.errors import NotRegistered
    from training.tracking import TrackingUnavailable

    try:
        yield
    except TrackingUnavailable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except (BadRelease, BadSignature, NotInRegistry, NotRegistered) as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(1) from None
    except MlflowException as error:
        typer.echo(f"MLflow failed: {str(error).strip().partition(chr(10))[0]}", err=True)
        raise typer.Exit(2) from None
